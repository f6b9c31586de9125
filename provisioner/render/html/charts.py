"""
Two pictures of a plan as SVG that stretches with the page: lives around now, and rent per hour.

A lane is one row of the plan; its spans are what the cache lived, lives on with the change,
when it may be refreshed, and how long an old one fades.  A bar of rent is one name before and
after.  Across, places are shares of the width, so that letters keep their size on a phone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from math import ceil
from statistics import median
from types import MappingProxyType

from msgspec import Struct

from provisioner.model.money import Cost, Money, total
from provisioner.render.html.markup import NOTHING, Markup, tag, together
from provisioner.view.plan import RowView
from provisioner.view.units import moment_short, span_text, usd

MOST_LANES = 60
"""So many lives fit into a picture; the rest is counted."""
MOST_BARS = 40
"""So many caches have bars of their own; what the others cost is one more."""

_LANE, _TOP, _BAR, _FOOT = 38, 26, 12, 20
_RENT, _RENT_BAR = 46, 11
_EDGE = 6
"""Nearer to an edge than so many percent of the width, a label would be cut."""
_TICKS = 4
_STEPS = tuple(
    timedelta(minutes=minutes)
    for minutes in (5, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080, 20160, 43200, 129600)
)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_FAR = 4
"""So many times the usual rest of a life is shown; what ends later is cut."""
_SHORTEST = timedelta(hours=1)


class Phase(StrEnum):
    """What a span of a lane says."""

    LIVED = auto()
    LIVES = auto()
    WINDOW = auto()
    FADES = auto()


class Span(Struct, frozen=True):
    """Part of a life; both moments are aware UTC."""

    phase: Phase
    begin: datetime
    end: datetime


class Lane(Struct, frozen=True, kw_only=True):
    """The life of one cache."""

    row: RowView
    spans: tuple[Span, ...]

    @property
    def end(self) -> datetime:
        return max(span.end for span in self.spans)

    @property
    def begin(self) -> datetime:
        return min(span.begin for span in self.spans)


_TITLES: Mapping[Phase, str] = MappingProxyType(
    {
        Phase.LIVED: "lived",
        Phase.LIVES: "lives",
        Phase.WINDOW: "to be refreshed",
        Phase.FADES: "retires",
    }
)


def timeline(rows: Sequence[RowView], at: datetime) -> Markup:
    """Draw the lives of *rows*; nothing, if none has one."""
    drawn = lanes(rows, at)
    if not drawn:
        return NOTHING
    shown = drawn[:MOST_LANES]
    scale = _Scale(*horizon(shown, at))
    height = _TOP + _LANE * len(shown) + _FOOT
    lines = (_lane(lane, number, scale, at) for number, lane in enumerate(shown))
    label = f"The lives of {len(shown)} caches around now"
    picture = _picture("timeline", height, label, *_axis(scale, at, height), *lines)
    rest = len(drawn) - len(shown)
    legend = _legend({phase.value: text for phase, text in _TITLES.items()})
    return together(picture, legend, tag("p", f"… and {rest:,} more.") if rest else None)


def lanes(rows: Iterable[RowView], at: datetime) -> tuple[Lane, ...]:
    """The lanes of *rows* at *at*, what ends first on top; rows without a life have none."""
    made = [Lane(row=row, spans=spans) for row in rows if (spans := _spans(row, at))]
    return tuple(sorted(made, key=lambda lane: (lane.end, lane.row.name)))


def horizon(lanes: Iterable[Lane], at: datetime) -> tuple[datetime, datetime]:
    """What part of time to show: both sides of *at*, as far as most lanes reach."""
    shown = tuple(lanes)
    ahead = [max(lane.end - at, _SHORTEST) for lane in shown]
    usual = timedelta(seconds=median(rest.total_seconds() for rest in ahead))
    end = min(max(lane.end for lane in shown), _shifted(at, _FAR * usual))
    end = max(end, _shifted(at, _SHORTEST))
    begin = max(min(lane.begin for lane in shown), _shifted(at, at - end))
    return min(begin, _shifted(at, (at - end) / 8)), _shifted(end, (end - at) / 20)


def _shifted(moment: datetime, by: timedelta) -> datetime:
    """As far as the calendar goes."""
    try:
        return moment + by
    except OverflowError:
        return _LAST if by > timedelta() else _FIRST


def _spans(row: RowView, at: datetime) -> tuple[Span, ...]:
    return tuple(span for span in _parts(row, at) if span.begin < span.end)


def _parts(row: RowView, at: datetime) -> Iterator[Span]:
    """What it lived, how an old one fades, and what it will live; some may be empty."""
    before, after = row.before, row.after
    if before and before.created_at and before.expires_at:
        yield Span(Phase.LIVED, before.created_at, min(at, before.expires_at))
    if row.gone_at:
        yield Span(Phase.FADES, at, row.gone_at)
    side = after if after and after.expires_at else None if row.gone_at else before
    if side and side.expires_at:
        window = max(side.refresh_at or side.expires_at, at)
        yield Span(Phase.LIVES, at, min(window, side.expires_at))
        yield Span(Phase.WINDOW, window, side.expires_at)


class _Scale(Struct, frozen=True):
    """Moments as shares of the width."""

    begin: datetime
    end: datetime

    def share(self, moment: datetime) -> float:
        part = (min(max(moment, self.begin), self.end) - self.begin) / (self.end - self.begin)
        return round(100 * part, 3)

    def ticks(self) -> Iterator[datetime]:
        span = self.end - self.begin
        step = next((one for one in _STEPS if span / one <= _TICKS + 1), span / _TICKS)
        midnight = self.begin.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        first = 1 + (self.begin - midnight) // step
        beyond = ceil((self.end - span / 20 - midnight) / step)
        return (midnight + step * number for number in range(first, beyond))


def _axis(scale: _Scale, at: datetime, height: int) -> Iterator[Markup]:
    for tick in scale.ticks():
        share = scale.share(tick)
        yield _upright(share, height, "tick")
        if _EDGE < share < 100 - _EDGE:
            text = _tick(tick, at)
            yield tag(
                "text", text, x=f"{share}%", y=height - 6, class_="tick", text_anchor="middle"
            )
    share = scale.share(at)
    yield _upright(share, height, "now")
    label = f"now, {moment_short(at, at=at)}"
    yield tag("text", label, x=f"{share}%", y=12, class_="now", text_anchor="middle")


def _upright(share: float, height: int, kind: str) -> Markup:
    place = f"{share}%"
    return tag("line", x1=place, x2=place, y1=_TOP - 8, y2=height - _FOOT, class_=kind)


def _tick(moment: datetime, at: datetime) -> str:
    """The time, and the day if it is not that of *at*."""
    there = moment.astimezone(UTC)
    same_day = there.date() == at.astimezone(UTC).date()
    return f"{there:%H:%M}" if same_day else f"{there:%m-%d %H:%M}"


def _lane(lane: Lane, number: int, scale: _Scale, at: datetime) -> Markup:
    top = _TOP + number * _LANE
    label = f"{lane.row.symbol} {lane.row.name}"
    return tag(
        "g",
        tag("text", label, x=0, y=top + 14, class_=f"name {lane.row.tone}"),
        *(_bar(span, top + 20, scale, at) for span in lane.spans),
    )


def _bar(span: Span, top: int, scale: _Scale, at: datetime) -> Markup:
    begin, end = scale.share(span.begin), scale.share(span.end)
    title = f"{_TITLES[span.phase]}, {moment_short(span.begin, at=at)} to "
    title += f"{moment_short(span.end, at=at)} ({span_text(span.end - span.begin)})"
    return tag(
        "rect",
        tag("title", title),
        x=f"{begin}%",
        y=top,
        width=f"{max(round(end - begin, 3), 0.3)}%",
        height=_BAR,
        class_=span.phase.value,
    )


class RentBar(Struct, frozen=True, kw_only=True):
    """What one name costs per hour."""

    name: str
    before: Money
    after: Money

    @property
    def height(self) -> int:
        return max(self.before.nano, self.after.nano)


def rent_bars(rows: Iterable[RowView]) -> tuple[RentBar, ...]:
    """By name, the dearest first; an old cache counts to its name."""
    costs: dict[str, list[Cost]] = defaultdict(list)
    for row in rows:
        if row.cost:
            costs[row.name].append(row.cost)
    bars = [
        RentBar(
            name=name,
            before=total(cost.rent_per_hour_before for cost in group),
            after=total(cost.rent_per_hour_after for cost in group),
        )
        for name, group in costs.items()
    ]
    paid = (bar for bar in bars if bar.before or bar.after)
    return tuple(sorted(paid, key=lambda bar: (-bar.height, bar.name)))


def rent_chart(rows: Sequence[RowView]) -> Markup:
    """Draw what *rows* cost; nothing, if nothing is paid."""
    bars = rent_bars(rows)
    if not bars:
        return NOTHING
    shown = bars[:MOST_BARS]
    if rest := bars[MOST_BARS:]:
        before, after = total(bar.before for bar in rest), total(bar.after for bar in rest)
        shown += (RentBar(name=f"{len(rest):,} more", before=before, after=after),)
    most = max(bar.height for bar in shown) or 1
    groups = (_bars(bar, number * _RENT, most) for number, bar in enumerate(shown))
    label = "Rent per hour by cache, before and after"
    picture = _picture("rent", _RENT * len(shown), label, *groups)
    return together(picture, _legend({"before": "before", "after": "after"}))


def _bars(rent: RentBar, top: int, most: int) -> Markup:
    return tag(
        "g",
        tag("text", rent.name, x=0, y=top + 14, class_="name"),
        *_rent_bar("before", rent.before, top + 19, most),
        *_rent_bar("after", rent.after, top + 19 + _RENT_BAR + 1, most),
    )


def _rent_bar(kind: str, money: Money, top: int, most: int) -> Iterator[Markup]:
    if money:
        width = round(75 * money.nano / most, 3)
        yield tag("rect", x=0, y=top, width=f"{width}%", height=_RENT_BAR, class_=kind)
        yield tag("text", usd(money, "/h"), x=f"{width + 1}%", y=top + 10, class_="amount")


def _picture(kind: str, height: int, label: str, *parts: Markup) -> Markup:
    return tag(
        "svg", *parts, class_=kind, height=height, width="100%", role="img", aria_label=label
    )


def _legend(texts: Mapping[str, str]) -> Markup:
    items = (tag("span", tag("i", class_=kind), f" {text}") for kind, text in texts.items())
    return tag("p", *items, class_="legend")
