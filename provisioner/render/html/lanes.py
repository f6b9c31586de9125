"""
The life of every cache of a plan as spans of time around now: what a timeline draws.

A *lane* is one row of the plan; its spans are what the cache lived, lives on with the change,
when it may be refreshed, and how long an old one fades.  Where they are drawn is not known
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from statistics import median

from msgspec import Struct

from provisioner.view.row import Row
from provisioner.view.snapshot import Side

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

    row: Row
    spans: tuple[Span, ...]

    @property
    def end(self) -> datetime:
        return max(span.end for span in self.spans)

    @property
    def begin(self) -> datetime:
        return min(span.begin for span in self.spans)


def lanes(rows: Iterable[Row], at: datetime) -> tuple[Lane, ...]:
    """The lanes of *rows* at *at*, what ends first on top; rows without a life have none."""
    found = ((row, tuple(_spans(row, at))) for row in rows)
    made = [Lane(row=row, spans=spans) for row, spans in found if spans]
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


def _spans(row: Row, at: datetime) -> Iterator[Span]:
    before, after = row.before, row.after
    if before and before.created_at and before.expires_at:
        yield from _span(Phase.LIVED, before.created_at, min(at, before.expires_at))
    if row.gone_at:
        yield from _span(Phase.FADES, at, row.gone_at)
    if after and after.expires_at:
        yield from _life(after, at)
    elif before and not row.gone_at:
        yield from _life(before, at)


def _life(side: Side, at: datetime) -> Iterator[Span]:
    if side.expires_at is None:
        return
    window = max(side.refresh_at or side.expires_at, at)
    yield from _span(Phase.LIVES, at, min(window, side.expires_at))
    yield from _span(Phase.WINDOW, window, side.expires_at)


def _span(phase: Phase, begin: datetime, end: datetime) -> Iterator[Span]:
    if begin < end:
        yield Span(phase, begin, end)
