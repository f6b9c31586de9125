"""
What is recorded under one name, under another.

A rename creates nothing: the record moves, and the live cache keeps the label of its old
name.  Where there is nothing to move, or no room for it, everything stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from provisioner.model import Move, Reason, State
from provisioner.planner.decision_table import MOVED


def moved(state: State, pairs: Iterable[tuple[str, str]]) -> State:
    """
    *state* as if what it records under the first name of each pair had the second.

    A pair whose first name is not on record, or whose second one is, moves nothing.
    """
    names = _names(state, pairs)
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


def moves(state: State, pairs: Iterable[tuple[str, str]]) -> Iterator[Move]:
    """What `moved` does to *state*, as changes."""
    for old, new in _names(state, pairs).items():
        yield Move(new, state.caches[old], Reason.MOVED, MOVED)


def former_names(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """The first names of *pairs*, by the second."""
    found: dict[str, list[str]] = {}
    for old, new in pairs:
        found.setdefault(new, []).append(old)
    return found


def _names(state: State, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The new name of everything that moves, by its old one."""
    names: dict[str, str] = {}
    taken = set(state.caches)
    for old, new in pairs:
        if old in state.caches and old not in names and new not in taken:
            names[old] = new
            taken.add(new)
    return names
