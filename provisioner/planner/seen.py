"""
What a look at the providers teaches beside the plan.

They are believed about existence and time.  Where the record knows less than was seen, a fact
was never saved; where it promises more, applications must not be told so.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from msgspec.structs import replace

from provisioner.model import (
    TOLERANCE,
    LiveCache,
    Noted,
    Recorded,
    RecordedCache,
    RetiringCache,
    State,
)

Alive: TypeAlias = Mapping[tuple[str, str], LiveCache]


def unsaved(state: State, live: Iterable[LiveCache]) -> Iterator[Noted]:
    """
    Lives that were given and never written down: of caches that live longer than recorded.

    The run that gave them died, or lost the answer.
    """
    alive = _by_id(live)
    for record in state.caches.values():
        if not isinstance(record, RecordedCache):
            continue
        own = alive.get((record.provider, record.id))
        if own and own.expires_at > record.expires_at + TOLERANCE:
            yield Noted(replace(record, updated_at=own.updated_at, expires_at=own.expires_at))


def believable(state: State, before: State, live: Iterable[LiveCache]) -> State:
    """
    *state* as applications may be told of it.

    Of all that is as it was *before*, when *live* was seen, what is gone is left out, and
    nothing lives longer than its provider says.
    """
    alive = _by_id(live)
    records = {
        name: record if before.caches.get(name) != record else _as_seen(record, alive)
        for name, record in state.caches.items()
    }
    return replace(
        state,
        caches=MappingProxyType({name: record for name, record in records.items() if record}),
        retiring=MappingProxyType(
            {
                id_: retiring
                for id_, retiring in state.retiring.items()
                if before.retiring.get(id_) != retiring or _is_alive(retiring, alive)
            }
        ),
    )


def _by_id(live: Iterable[LiveCache]) -> Alive:
    return {(cache.provider, cache.id): cache for cache in live}


def _as_seen(record: Recorded, alive: Alive) -> Recorded | None:
    if not isinstance(record, RecordedCache):
        return record
    own = alive.get((record.provider, record.id))
    if own is None:
        return None
    return replace(record, expires_at=min(own.expires_at, record.expires_at))


def _is_alive(retiring: RetiringCache, alive: Alive) -> bool:
    return (retiring.provider, retiring.id) in alive
