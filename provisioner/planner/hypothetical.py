"""
What would be recorded and live if *desired* had just been applied.

A comparison of two revisions of a repository needs neither state nor provider: the older
one stands for what is recorded, and everything of it is alive.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from provisioner.model import (
    Desired,
    DesiredCache,
    Life,
    LiveCache,
    RecordedAnnotation,
    RecordedCache,
    State,
    Ttl,
    Until,
)


def as_if_applied(
    desired: Iterable[Desired], *, stack: str, now: datetime
) -> tuple[State, tuple[LiveCache, ...]]:
    """A state that records *desired*, and the caches that it would have made."""
    wants = tuple(desired)
    live = {w.name: _live(w, now) for w in wants if isinstance(w, DesiredCache)}
    records = {
        want.name: RecordedCache.of(want, live[want.name], counted=want.measure.counted)
        if isinstance(want, DesiredCache)
        else RecordedAnnotation.of(want, now)
        for want in wants
    }
    return State(stack=stack, caches=records), tuple(live.values())


def _live(want: DesiredCache, now: datetime) -> LiveCache:
    return LiveCache(
        provider=want.provider,
        id=f"base/{want.name}",
        label=None,
        model=want.model,
        created_at=now,
        updated_at=now,
        expires_at=_end(want.life, now),
        tokens=want.measure.tokens,
    )


def _end(life: Life, now: datetime) -> datetime:
    match life:
        case Ttl(span):
            return now + span
        case Until(moment):
            return moment
