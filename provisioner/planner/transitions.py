"""
One cache followed through plans: what a plan holds about it, and when that turns.

Time alone passes between the plans; what is desired, on record and live stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec.structs import replace

from provisioner.model import (
    Change,
    Delete,
    Leave,
    LiveCache,
    Plan,
    RecordedAnnotation,
    RetiringCache,
)
from provisioner.model.explanation import Flip
from provisioner.planner.validity import valid_until


def about(told: Plan, name: str) -> tuple[Change, ...]:
    """What *told* holds about a name, or about a live or remembered cache with that id."""
    named = tuple(c for c in told.changes if c.name == name)
    return named or tuple(c for c in told.changes if name in _ids(c))


def flips(decide: Callable[[datetime], Plan], told: Plan, change: Change) -> Iterator[Flip]:
    """
    When *change* of *told* becomes another one, and what comes after that.

    *decide* makes the plan of a moment by the local clock.
    """
    at, now = told.now_of(change.provider), change
    shift = at - told.at
    while (end := valid_until(replace(told, changes=(now,)))) and end > at:
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
