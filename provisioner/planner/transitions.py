"""
When a decision flips if only time passes: of a plan, of one cache, and by the record alone.

What is desired, on record and live stays as it is between two plans; the provider's clock
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.attributes import TOLERANCE, Until
from provisioner.model.changes import Annotate, Blocked, Change, Create, Delete, Keep, Leave, Note
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.model.records import (
    DesiredCache,
    LiveCache,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
)
from provisioner.planner.brake import SECOND_LOOK
from provisioner.planner.decision_table import alike, refresh_due


class Flip(Struct, frozen=True, kw_only=True):
    """From this moment on the decision is another one; None if there is nothing to decide."""

    at: datetime
    change: Change | None


def valid_until(plan: Plan) -> datetime | None:
    """
    The earliest moment at which a change of *plan* would be of another type.

    By the clock of the provider that decides it.
    """
    moments = ((_flips_at(change), plan.now_of(change.provider)) for change in plan.changes)
    return min((at for at, now in moments if at is not None and at > now), default=None)


def next_refresh(plan: Plan) -> datetime | None:
    """When the first of the caches that are kept is to be refreshed."""
    kept = ((c.want, c.live) for c in plan.changes if isinstance(c, Keep))
    dues = (refresh_due(want, own) for want, own in kept if own and isinstance(want, DesiredCache))
    return min((at for at in dues if at is not None), default=None)


def covered_until(state: State, now: datetime) -> datetime | None:
    """
    When the first of the caches that are kept warm dies without another run.

    None if none is, and while a project that showed none of its caches is held back.
    """
    if any(note.since and (note.failed or not note.remade) for note in state.disappeared.values()):
        return None
    ends = (
        record.expires_at
        for record in state.live_records
        if record.is_warm and record.expires_at > now
    )
    return min(ends, default=None)


def next_run(state: State, now: datetime) -> datetime | None:
    """
    When a run has something to do, by the record alone; None if time brings nothing.

    A warm cache wants a run when its window opens, one that has run out wants it *now*, and a
    project that showed none of its caches wants a second look.
    """
    dues = (max(due, now) for record in state.live_records if (due := refresh_due(record, record)))
    retire = (now for retiring in state.retiring.values() if retiring.expires_at is None)
    looks = (
        max(note.since + SECOND_LOOK, now)
        for note in state.disappeared.values()
        if note.since and not (note.failed or note.remade)
    )
    return min((*dues, *retire, *looks), default=None)


def about(plan: Plan, name: str) -> tuple[Change, ...]:
    """What *plan* holds about a name, or about a live or remembered cache with that id."""
    named = tuple(c for c in plan.changes if c.name == name)
    return named or tuple(c for c in plan.changes if name in _ids(c))


def flips(decide: Callable[[datetime], Plan], plan: Plan, change: Change) -> Iterator[Flip]:
    """
    When *change* of *plan* becomes another one, and what comes after that.

    *decide* makes the plan of a moment by the local clock.
    """
    at, now = plan.now_of(change.provider), change
    shift = at - plan.at
    while (end := valid_until(replace(plan, changes=(now,)))) and end > at:
        then = next((c for c in decide(end - shift).changes if _key(c) == _key(now)), None)
        if then is None or (type(then), then.reason) != (type(now), now.reason):
            yield Flip(at=end, change=then)
        if then is None:
            return
        at, now = end, then


def surviving(
    live: Iterable[LiveCache],
    *,
    since: datetime,
    at: datetime,
    ahead: Mapping[str, timedelta],
) -> tuple[LiveCache, ...]:
    """
    Those of *live*, listed at *since*, that are still listed at *at* if only time passes.

    Both moments are by the local clock, and each provider's clock is *ahead* of it.
    """

    def dies_until_then(cache: LiveCache) -> bool:
        shift = ahead.get(cache.provider, timedelta())
        return since + shift < cache.expires_at <= at + shift

    return tuple(cache for cache in live if not dies_until_then(cache))


def _flips_at(change: Change) -> datetime | None:
    match change:
        case Keep(DesiredCache() as want, LiveCache() as own) | Note(want, own):
            return refresh_due(want, own) or own.expires_at
        case Blocked(live=LiveCache() as live, record=RecordedCache() as record):
            return refresh_due(record, live) or live.expires_at
        case Blocked(record=RecordedCache() as record):
            return record.expires_at - TOLERANCE
        case Create(DesiredCache(life=Until(moment))):
            return moment
        case Create(want, RecordedCache() as record) if want.settings.keep == "once":
            return record.expires_at - TOLERANCE if alike(want, record) else None
        case Annotate():
            return None
        case _:
            return change.live.expires_at if change.live else None


def _key(change: Change) -> str:
    """What stays the same of a cache: its name, or its id if the name has another one."""
    match change:
        case Leave(live, record=None) | Delete(live, record=None):
            return live.id
        case _ if isinstance(change.record, RetiringCache):
            return change.record.id
        case _:
            return change.name


def _ids(change: Change) -> Iterator[str]:
    for cache in (change.live, change.old, change.record):
        if cache and not isinstance(cache, RecordedAnnotation):
            yield cache.id
