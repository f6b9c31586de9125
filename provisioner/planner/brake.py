"""
When many caches disappear at once: hold back, look again, try with one.

Decides, for each project, whether what is missing may be made again.  A project that shows
none of its caches may have lost them, or may be another one, or blind for an hour; made
again in every run, the caches would be paid for as often.  So the first sight is noted, a
later look makes one cache as a probe, and where that does not show a person decides.  It
holds back creations whose reason is MISSING and nothing else.  Pure: it neither asks nor
notes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TypeGuard

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.attributes import TOLERANCE
from provisioner.model.changes import Blocked, Change, Create, Reason
from provisioner.model.facts import Disappearance, State
from provisioner.model.plan import Plan
from provisioner.model.records import LiveCache
from provisioner.planner.decision_table import DISAPPEARED
from provisioner.planner.live_index import Alive, by_id

SECOND_LOOK = timedelta(minutes=10)
"""So long after the first sight a run makes one cache as a probe."""
_FEW = 5
"""From so many recorded caches on, half of them missing is suspicious."""


class Sight(Enum):
    """Which sight of a project without its caches this is."""

    FIRST = auto()
    AGAIN = auto()
    """Too soon after the first."""
    PROBE = auto()
    """One cache is made, and the rest if that shows."""
    PERSON = auto()
    """A cache that was made again did not show: only a person may go on."""


class Brake(Struct, frozen=True, kw_only=True):
    """A project of whose recorded, unexpired caches suspiciously many are missing."""

    provider: str
    sight: Sight
    missing: int
    expected: int
    since: datetime
    """When a run first saw it, by the clock of the project; never later than this run."""
    names: frozenset[str]
    """What would be made again."""


def brakes(
    plan: Plan, state: State, live: Iterable[LiveCache], *, accepted: Collection[str]
) -> tuple[Brake, ...]:
    """
    What has to be held back of the whole *plan*, by project.

    In the projects that are *accepted* a person knows that the caches are gone.
    """
    alive = by_id(live)
    providers = sorted({record.provider for record in state.live_records})
    held = (_brake(provider, plan, state, alive) for provider in providers)
    return tuple(brake for brake in held if brake and brake.provider not in accepted)


def _brake(provider: str, plan: Plan, state: State, alive: Alive) -> Brake | None:
    now = plan.now_of(provider)
    expected = [
        record
        for record in state.live_records
        if record.provider == provider and record.expires_at - now > TOLERANCE
    ]
    missing = {record.id for record in expected if (provider, record.id) not in alive}
    if not _is_suspicious(len(missing), len(expected)):
        return None
    note = state.disappeared.get(provider)
    return Brake(
        provider=provider,
        sight=_sight(note, missing, now),
        missing=len(missing),
        expected=len(expected),
        since=min((note.since if note else None) or now, now),
        names=frozenset(
            change.want.name
            for change in plan.changes
            if _is_remade(change) and change.want.provider == provider
        ),
    )


def _is_suspicious(missing: int, expected: int) -> bool:
    return missing > 0 and (missing == expected or (expected >= _FEW and 2 * missing >= expected))


def _is_remade(change: Change) -> TypeGuard[Create]:
    return isinstance(change, Create) and change.reason is Reason.MISSING


def _sight(note: Disappearance | None, missing: Collection[str], now: datetime) -> Sight:
    if note and (note.failed or not set(note.remade).isdisjoint(missing)):
        return Sight.PERSON
    if note is None or note.since is None:
        return Sight.FIRST
    return Sight.PROBE if now - note.since >= SECOND_LOOK else Sight.AGAIN


def held_back(plan: Plan, held: Iterable[Brake], why: Callable[[Brake], str]) -> Plan:
    """*plan* without what the brakes hold back now; *why* is the sentence for people."""
    holding = {brake.provider: brake for brake in held if brake.sight is not Sight.PROBE}

    def braked(change: Change) -> Change:
        if not _is_remade(change) or change.provider not in holding:
            return change
        sentence = why(holding[change.provider])
        return Blocked(change.want, None, change.record, change.reason, sentence, DISAPPEARED)

    return replace(plan, changes=tuple(map(braked, plan.changes)))


def probing(held: Iterable[Brake]) -> frozenset[str]:
    """The names of which one is made as a probe in each project, and the rest if that shows."""
    names = (brake.names for brake in held if brake.sight is Sight.PROBE)
    return frozenset().union(*names)


def noted(state: State, held: Iterable[Brake]) -> Mapping[str, Disappearance]:
    """What to remember of the projects after this look: none where nothing is suspicious."""
    sights = {brake.provider: brake.since for brake in held}
    ids = {record.id for record in state.live_records}
    notes = {}
    for provider in {*sights, *state.disappeared}:
        before = state.disappeared.get(provider, Disappearance())
        since = sights.get(provider)
        remade = tuple(id_ for id_ in before.remade if id_ in ids)
        note = Disappearance(since=since, failed=before.failed and since is not None, remade=remade)
        if note != Disappearance():
            notes[provider] = note
    return notes
