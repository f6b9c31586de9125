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
    DesiredAnnotation,
    DesiredCache,
    Life,
    LiveCache,
    Recorded,
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
    records = {want.name: _record(want, now) for want in desired}
    live = tuple(_live(record) for record in records.values() if isinstance(record, RecordedCache))
    return State(stack=stack, caches=records), live


def _record(want: Desired, now: datetime) -> Recorded:
    match want:
        case DesiredAnnotation():
            return RecordedAnnotation(
                name=want.name,
                provider=want.provider,
                model=want.model,
                digest=want.digest,
                life=want.life,
                handle=want.handle,
                updated_at=now,
                measure=want.measure,
            )
        case DesiredCache():
            return RecordedCache(
                name=want.name,
                provider=want.provider,
                model=want.model,
                digest=want.digest,
                life=want.life,
                settings=want.settings,
                id=f"base/{want.name}",
                created_at=now,
                updated_at=now,
                expires_at=_end(want.life, now),
                measure=want.measure,
            )


def _live(record: RecordedCache) -> LiveCache:
    return LiveCache(
        provider=record.provider,
        id=record.id,
        label=None,
        model=record.model,
        created_at=record.created_at,
        updated_at=record.updated_at,
        expires_at=record.expires_at,
        tokens=record.measure.tokens,
    )


def _end(life: Life, now: datetime) -> datetime:
    match life:
        case Ttl(span):
            return now + span
        case Until(moment):
            return moment
