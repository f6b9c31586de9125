"""
What is recorded, as if it were desired: the plan of a schedule that nobody watches.

An edit that waits for review must not let a running cache go cold.  So upkeep compares the
record with what is live and never looks at the repository; whoever makes a cache anew
needs its content all the same, and has to have exactly the recorded one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from msgspec.structs import replace

from provisioner.model import (
    Create,
    Desired,
    DesiredAnnotation,
    DesiredCache,
    Label,
    Plan,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    State,
    Ttl,
    Until,
)
from provisioner.planner.brake import SECOND_LOOK
from provisioner.planner.moves import moved, moves

_MARK = 16


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
    pairs = [(move.record.name, move.name) for move in moves(state, renames)]
    while more := {name for pair in pairs if undone.intersection(pair) for name in pair} - undone:
        undone |= more
    left = tuple(pair for pair in renames if not undone.intersection(pair))
    known = recorded_as_desired(moved(state, left))
    return (
        *(want for want in desired if want.name not in undone),
        *(want for want in known if want.name in undone),
    ), left


def without_content(plan: Plan, at_hand: Collection[str]) -> tuple[Plan, tuple[Create, ...]]:
    """
    Take from *plan* the caches that cannot be made, because their content is not *at_hand*.

    *at_hand* are the digests that the working tree has.
    """
    gaps = tuple(
        change
        for change in plan.changes
        if isinstance(change, Create) and change.want.digest not in at_hand
    )
    rest = tuple(change for change in plan.changes if change not in gaps) if gaps else plan.changes
    return replace(plan, changes=rest), gaps


def covered_until(state: State, now: datetime) -> datetime | None:
    """
    When the first of the caches that are kept warm dies without another run.

    None if none is, and while a project that showed none of its caches is held back.
    """
    if any(note.since and (note.failed or not note.remade) for note in state.disappeared.values()):
        return None
    ends = (
        record.expires_at
        for record in state.caches.values()
        if isinstance(record, RecordedCache)
        and record.settings.keep == "warm"
        and isinstance(record.life, Ttl)
        and record.expires_at > now
    )
    return min(ends, default=None)


def next_run(state: State, now: datetime) -> datetime | None:
    """
    When a run has something to do, by the record alone; None if time brings nothing.

    A warm cache wants a run when its window opens, one that has run out wants it *now*, and a
    project that showed none of its caches wants a second look.
    """
    dues = (
        _due(record, now) for record in state.caches.values() if isinstance(record, RecordedCache)
    )
    retire = (now for retiring in state.retiring.values() if retiring.expires_at is None)
    looks = (
        max(note.since + SECOND_LOOK, now)
        for note in state.disappeared.values()
        if note.since and not (note.failed or note.remade)
    )
    return min((at for at in (*dues, *retire, *looks) if at is not None), default=None)


def _due(record: RecordedCache, now: datetime) -> datetime | None:
    if record.settings.keep == "once" or isinstance(record.life, Until):
        return None
    window = record.settings.window(record.expires_at - record.updated_at)
    return max(record.expires_at - window, now)


def recorded_want(stack: str, record: RecordedCache) -> DesiredCache:
    """What *record* would be the answer to."""
    return DesiredCache(
        name=record.name,
        provider=record.provider,
        model=record.model,
        digest=record.digest,
        life=record.life,
        settings=record.settings,
        label=Label(stack, record.name, record.digest[:_MARK]),
        measure=record.measure,
    )


def _desired(stack: str, record: Recorded) -> Desired:
    match record:
        case RecordedCache():
            return recorded_want(stack, record)
        case RecordedAnnotation():
            return DesiredAnnotation(
                name=record.name,
                provider=record.provider,
                model=record.model,
                digest=record.digest,
                life=record.life,
                handle=record.handle,
                measure=record.measure,
            )
