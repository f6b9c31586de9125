"""
What a look at the providers teaches beside the plan.

They are believed about existence and time.  Where the record knows less than was seen, a fact
was never saved; where it promises more, applications must not rely on it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeAlias

from msgspec.structs import replace

from provisioner.model.attributes import TOLERANCE
from provisioner.model.facts import Noted, State
from provisioner.model.records import LiveCache, Recorded, RecordedCache, RetiringCache

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
        if own and own.expires_at - record.expires_at > TOLERANCE:
            yield Noted(replace(record, updated_at=own.updated_at, expires_at=own.expires_at))


def believable(state: State, before: State, live: Iterable[LiveCache]) -> State:
    """
    *state* as far as applications may rely on it.

    Of all that lives as it did *before*, when *live* was seen, what is gone is left out, and
    nothing lives longer than its provider says.
    """
    alive, unchanged = _by_id(live), {*_lives(before)}
    records = {
        name: _as_seen(record, alive) if _life(record) in unchanged else record
        for name, record in state.caches.items()
    }
    return replace(
        state,
        caches=MappingProxyType({name: record for name, record in records.items() if record}),
        retiring=MappingProxyType(
            {
                id_: retiring
                for id_, retiring in state.retiring.items()
                if _life(retiring) not in unchanged or _is_alive(retiring, alive)
            }
        ),
    )


def _by_id(live: Iterable[LiveCache]) -> Alive:
    return {(cache.provider, cache.id): cache for cache in live}


def _lives(state: State) -> Iterator[Hashable]:
    return map(_life, (*state.caches.values(), *state.retiring.values()))


def _life(record: Recorded | RetiringCache) -> Hashable:
    """Which cache it is and how long it lives, under any name; None of an annotation."""
    match record:
        case RecordedCache():
            return record.provider, record.id, record.updated_at, record.expires_at
        case RetiringCache():
            return record.provider, record.id, record.until, record.expires_at
        case _:
            return None


def _as_seen(record: Recorded, alive: Alive) -> Recorded | None:
    if not isinstance(record, RecordedCache):
        return record
    own = alive.get((record.provider, record.id))
    if own is None:
        return None
    return replace(record, expires_at=min(own.expires_at, record.expires_at))


def _is_alive(retiring: RetiringCache, alive: Alive) -> bool:
    return (retiring.provider, retiring.id) in alive
