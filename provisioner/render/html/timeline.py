"""
A picture of the life of every cache around now, as SVG that stretches with the page.

A lane is one row of the plan; its spans are what the cache lived, lives on with the change,
when it may be refreshed, and how long an old one fades.  Across, places are shares of the
width, so that letters keep their size on a phone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from math import ceil
from statistics import median

from msgspec import Struct

from provisioner.render.html.markup import NOTHING, Markup, tag, together
from provisioner.view.plan import RowView
from provisioner.view.snapshot import Snapshot
from provisioner.view.units import moment_short, span_text

MOST = 60
"""So many lives fit into a picture; the rest is counted."""

_LANE, _TOP, _BAR, _FOOT = 38, 26, 12, 20
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


_WORDS = {
    Phase.LIVED: "lived",
    Phase.LIVES: "lives",
    Phase.WINDOW: "to be refreshed",
    Phase.FADES: "retires",
}


def timeline(rows: Sequence[RowView], at: datetime) -> Markup:
    """Draw the lives of *rows*; nothing, if none has one."""
    drawn = lanes(rows, at)
    if not drawn:
        return NOTHING
    shown = drawn[:MOST]
    scale = _Scale(*horizon(shown, at))
    height = _TOP + _LANE * len(shown) + _FOOT
    picture = tag(
        "svg",
        *_axis(scale, at, height),
        *(_lane(lane, number, scale, at) for number, lane in enumerate(shown)),
        class_="timeline",
        height=height,
        width="100%",
        role="img",
        aria_label=f"The lives of {len(shown)} caches around now",
    )
    rest = len(drawn) - len(shown)
    return together(picture, _legend(), tag("p", f"… and {rest:,} more.") if rest else None)


def lanes(rows: Iterable[RowView], at: datetime) -> tuple[Lane, ...]:
    """The lanes of *rows* at *at*, what ends first on top; rows without a life have none."""
    spans_of_rows = ((row, tuple(_spans(row, at))) for row in rows)
    made = [Lane(row=row, spans=spans) for row, spans in spans_of_rows if spans]
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


def _spans(row: RowView, at: datetime) -> Iterator[Span]:
    before, after = row.before, row.after
    if before and before.created_at and before.expires_at:
        yield from _span(Phase.LIVED, before.created_at, min(at, before.expires_at))
    if row.gone_at:
        yield from _span(Phase.FADES, at, row.gone_at)
    if after and after.expires_at:
        yield from _life(after, at)
    elif before and not row.gone_at:
        yield from _life(before, at)


def _life(side: Snapshot, at: datetime) -> Iterator[Span]:
    if side.expires_at is None:
        return
    window = max(side.refresh_at or side.expires_at, at)
    yield from _span(Phase.LIVES, at, min(window, side.expires_at))
    yield from _span(Phase.WINDOW, window, side.expires_at)


def _span(phase: Phase, begin: datetime, end: datetime) -> Iterator[Span]:
    if begin < end:
        yield Span(phase, begin, end)


class _Scale:
    """Moments as shares of the width."""

    def __init__(self, begin: datetime, end: datetime) -> None:
        self.begin, self.end = begin, end

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
        place = f"{scale.share(tick)}%"
        yield tag("line", x1=place, x2=place, y1=_TOP - 8, y2=height - _FOOT, class_="tick")
        if _EDGE < scale.share(tick) < 100 - _EDGE:
            yield tag(
                "text", _tick(tick, at), x=place, y=height - 6, class_="tick", text_anchor="middle"
            )
    place = f"{scale.share(at)}%"
    yield tag("line", x1=place, x2=place, y1=_TOP - 8, y2=height - _FOOT, class_="now")
    label = f"now, {moment_short(at, at=at)}"
    yield tag("text", label, x=place, y=12, class_="now", text_anchor="middle")


def _tick(moment: datetime, at: datetime) -> str:
    """The time, and the day if it is not that of *at*."""
    there = moment.astimezone(UTC)
    same_day = there.date() == at.astimezone(UTC).date()
    return f"{there:%H:%M}" if same_day else f"{there:%m-%d %H:%M}"


def _lane(lane: Lane, number: int, scale: _Scale, at: datetime) -> Markup:
    top = _TOP + number * _LANE
    row = lane.row
    label = f"{row.symbol} {row.name}"
    return tag(
        "g",
        tag("text", label, x=0, y=top + 14, class_=f"name {row.tone}"),
        *(_bar(span, top + 20, scale, at) for span in lane.spans),
    )


def _bar(span: Span, top: int, scale: _Scale, at: datetime) -> Markup:
    begin, end = scale.share(span.begin), scale.share(span.end)
    title = f"{_WORDS[span.phase]}, {moment_short(span.begin, at=at)} to "
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


def _legend() -> Markup:
    items = (
        tag("span", tag("i", class_=phase.value), f" {text}") for phase, text in _WORDS.items()
    )
    return tag("p", *items, class_="legend")
