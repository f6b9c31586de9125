"""
A state, or what is desired, as it would be: applied, or without an edit.

A comparison of two revisions needs neither state nor provider: the older one stands for what
is recorded, and everything of it is alive.  And an edit that waits for review must not let a
running cache go cold: what is recorded stands in the place of what is desired.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

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
from provisioner.planner import moved
from provisioner.planner.decision_table import moved_names


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


def _recorded(want: Desired, now: datetime) -> Recorded:
    if isinstance(want, DesiredAnnotation):
        return RecordedAnnotation.of(want, now)
    times = {"created_at": now, "updated_at": now, "expires_at": want.life.end(now)}
    return made_of(RecordedCache, want, id=f"base/{want.name}", **times)


def _desired(stack: str, record: Recorded) -> Desired:
    if isinstance(record, RecordedCache):
        return DesiredCache.recorded(record, stack=stack)
    return made_of(DesiredAnnotation, record)
