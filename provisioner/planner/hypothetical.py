"""
A state, or what is desired, as it would be: renamed, applied, or without an edit.

A rename creates nothing: the record moves, and the live cache keeps the label of its old
name.  A comparison of two revisions needs neither state nor provider: the older one stands
for what is recorded, and everything of it is alive.  And an edit that waits for review must
not let a running cache go cold: what is recorded stands in the place of what is desired.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from msgspec.structs import replace

from provisioner.model.attributes import Label
from provisioner.model.facts import State
from provisioner.model.records import (
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    made_of,
)

_MARK = 16


def moved(state: State, pairs: Iterable[tuple[str, str]]) -> State:
    """
    *state* as if what it records under the first name of each pair had the second.

    A pair whose first name is not on record, or whose second one is, moves nothing.
    """
    names = moved_names(state, pairs)
    if not names:
        return state
    caches = {
        names.get(name, name): replace(record, name=names.get(name, name))
        for name, record in state.caches.items()
    }
    retiring = {
        id_: replace(cache, name=names.get(cache.name, cache.name))
        for id_, cache in state.retiring.items()
    }
    return replace(state, caches=MappingProxyType(caches), retiring=MappingProxyType(retiring))


def moved_names(state: State, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The new name of everything that moves, by its old one."""
    names: dict[str, str] = {}
    taken = set(state.caches)
    for old, new in pairs:
        if old in state.caches and old not in names and new not in taken:
            names[old] = new
            taken.add(new)
    return names


def former_names(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """The first names of *pairs*, by the second."""
    names: dict[str, list[str]] = {}
    for old, new in pairs:
        names.setdefault(new, []).append(old)
    return names


def as_if_applied(
    desired: Iterable[Desired], *, stack: str, now: datetime
) -> tuple[State, tuple[LiveCache, ...]]:
    """A state that records *desired*, and the caches that it would have made."""
    records = {want.name: _recorded(want, now) for want in desired}
    state = State(stack=stack, caches=records)
    return state, tuple(map(LiveCache.recorded, state.live_records))


def recorded_as_desired(state: State) -> tuple[Desired, ...]:
    """Every record with its recorded life and settings, in the order of names."""
    return tuple(_desired(state.stack, state.caches[name]) for name in sorted(state.caches))


def as_recorded(
    desired: Iterable[Desired],
    state: State,
    names: Collection[str],
    renames: Collection[tuple[str, str]],
) -> tuple[tuple[Desired, ...], tuple[tuple[str, str], ...]]:
    """
    *desired* and *renames* without the edits of *names*: as if they had not been made.

    What is on record stands in their place.  Names that a move joins go together.
    """
    undone = set(names)
    pairs = moved_names(state, renames).items()
    while more := {name for pair in pairs if undone.intersection(pair) for name in pair} - undone:
        undone |= more
    left = tuple(pair for pair in renames if not undone.intersection(pair))
    records = recorded_as_desired(moved(state, left))
    return (
        *(want for want in desired if want.name not in undone),
        *(want for want in records if want.name in undone),
    ), left


def recorded_want(stack: str, record: RecordedCache) -> DesiredCache:
    """What *record* would be the answer to."""
    label = Label(stack, record.name, record.digest[:_MARK])
    return made_of(DesiredCache, record, label=label)


def _recorded(want: Desired, now: datetime) -> Recorded:
    if isinstance(want, DesiredAnnotation):
        return RecordedAnnotation.of(want, now)
    times = {"created_at": now, "updated_at": now, "expires_at": want.life.end(now)}
    return made_of(RecordedCache, want, id=f"base/{want.name}", **times)


def _desired(stack: str, record: Recorded) -> Desired:
    if isinstance(record, RecordedCache):
        return recorded_want(stack, record)
    return made_of(DesiredAnnotation, record)
