"""Edits, those that rest, fingerprints, validity and windows: what surrounds the tables."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction

import pytest

from provisioner.model.attributes import Settings, Ttl, Until
from provisioner.model.changes import Create, Keep, Reason
from provisioner.model.facts import State
from provisioner.model.plan import Edit, Plan
from provisioner.model.records import (
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
)
from provisioner.planner import decision_table as table
from provisioner.planner import edits, plan, rested_by
from provisioner.planner.transitions import surviving, valid_until
from tests.builders import (
    HOUR,
    NOW,
    STACK,
    annotation,
    desired,
    live,
    noted,
    recorded,
    retiring,
    state,
)

A, B = desired("a"), desired("b")
EDITED = desired("a", "y")


def planned(
    want: list[Desired],
    known: list[Recorded],
    seen: list[LiveCache],
    now: datetime = NOW,
) -> Plan:
    return plan(want, state(*known), seen, stack=STACK, now=now)


def test_edits() -> None:
    """Edits are what differs from the record and what is no longer declared, and no more."""
    known = state(recorded(A), recorded(B))

    assert edits([A, B], known) == frozenset()
    assert edits([EDITED], known) == {Edit("a", EDITED.after), Edit("b", None)}


@pytest.mark.parametrize(
    "want",
    [
        desired("a", "y"),
        desired("a", model="gemini-2.5-pro"),
        desired("a", life=Ttl(HOUR)),
        desired("a", life=Until(NOW)),
        desired("a", settings=Settings(protect=True)),
        desired("a", provider="gemini-b"),
        annotation("a"),
    ],
)
def test_every_edit_has_its_fingerprint(want: Desired) -> None:
    """Every edit changes the fingerprint."""
    known: list[Recorded] = [recorded(A)]

    assert planned([want], known, []).fingerprint != planned([A], known, []).fingerprint


def test_fingerprint_is_blind_to_time_and_life() -> None:
    """Neither the clock nor the live side moves a fingerprint."""
    known: list[Recorded] = [recorded(A), recorded(B)]
    warm = planned([EDITED, B], known, [live(A), live(B, "cachedContents/2")])
    cold = planned([EDITED, B], known, [], now=NOW + 24 * HOUR)

    assert warm.fingerprint == cold.fingerprint
    assert warm.changes != cold.changes


def test_no_edits() -> None:
    """A plan without edits has the same fingerprint in every stack."""
    quiet = planned([A], [recorded(A)], [live(A)])

    assert quiet.edits == frozenset()
    assert quiet.fingerprint == planned([], [], []).fingerprint


FOUND = planned([A], [], [live(A)])
VALIDITY = [
    ("keep", planned([A], [recorded(A)], [live(A)]), NOW + 5 * HOUR),
    (
        "once",
        planned(
            [desired("a", settings=Settings(keep="once"))],
            [recorded(A, settings=Settings(keep="once"))],
            [live(A)],
        ),
        NOW + 6 * HOUR,
    ),
    (
        "until",
        planned(
            [desired("a", life=Until(NOW + 3 * HOUR))],
            [recorded(A, life=Until(NOW + 3 * HOUR), expires_at=NOW + 3 * HOUR)],
            [live(A, expires_at=NOW + 3 * HOUR)],
        ),
        NOW + 3 * HOUR,
    ),
    (
        "note",
        planned([desired("a", settings=Settings())], [recorded(A)], [live(A)]),
        NOW + 4 * HOUR,
    ),
    ("replace", planned([EDITED], [recorded(A)], [live(A)]), NOW + 6 * HOUR),
    ("adopt", FOUND, NOW + 6 * HOUR),
    ("retire", planned([], [recorded(A)], [live(A)]), NOW + 6 * HOUR),
    ("stray", planned([], [], [live(A)]), NOW + 6 * HOUR),
    ("create", planned([A], [], []), None),
    ("create-until", planned([desired("a", life=Until(NOW + HOUR))], [], []), NOW + HOUR),
    ("annotation", planned([annotation("a")], [noted(annotation("a"))], []), None),
    (
        "earliest",
        planned([A, B], [recorded(A)], [live(A), live(B, "cachedContents/2")]),
        NOW + 5 * HOUR,
    ),
]


@pytest.mark.parametrize(
    ("told", "until"), [pytest.param(told, until, id=name) for name, told, until in VALIDITY]
)
def test_valid_until(told: Plan, until: datetime | None) -> None:
    """A plan is valid until the first of its changes would be of another type."""
    assert valid_until(told) == until


@pytest.mark.parametrize(
    ("told", "until"),
    [pytest.param(t, u, id=n) for n, t, u in VALIDITY if u is not None and n != "create-until"],
)
def test_types_flip_then_and_not_before(told: Plan, until: datetime) -> None:
    """Just before that moment the same world gives the same changes, and at it others."""
    assert shape(again(told, until - timedelta(seconds=1))) == shape(told)
    assert shape(again(told, until)) != shape(told)


def shape(told: Plan) -> list[tuple[type, bool]]:
    """The type of every change; what is kept alive is another thing than what has ended."""
    return [(type(change), change.live is None) for change in told.changes]


def again(told: Plan, now: datetime) -> Plan:
    """Plan the same world at another moment."""
    fields = ("want", "record", "old", "live")
    nouns = [getattr(change, field, None) for change in told.changes for field in fields]
    wants = [noun for noun in nouns if isinstance(noun, DesiredCache | DesiredAnnotation)]
    records = [noun for noun in nouns if isinstance(noun, RecordedCache | RecordedAnnotation)]
    seen = [noun for noun in nouns if isinstance(noun, LiveCache)]
    listed = surviving(seen, since=told.at, at=now, ahead={})
    return plan(wants, state(*records), listed, stack=STACK, now=now)


@pytest.mark.parametrize(
    ("asked", "granted", "window"),
    [
        (4 * HOUR, 12 * HOUR, 4 * HOUR),
        (4 * HOUR, 2 * HOUR, HOUR),
        (Fraction(1, 3), 12 * HOUR, 4 * HOUR),
        (Fraction(9, 10), 12 * HOUR, 6 * HOUR),
    ],
)
def test_window(asked: timedelta | Fraction, granted: timedelta, window: timedelta) -> None:
    """The window is what was asked for, but never more than half of what was granted."""
    assert Settings(refresh_before=asked).window(granted) == window


def test_housekeeping_is_not_pending() -> None:
    """Forgetting a cache that has finished retiring is no change anybody waits for."""
    told = plan([], state(retiring=[retiring()]), [], stack=STACK, now=NOW)

    assert len(told.changes) == 1
    assert told.pending == ()


def test_equal_content_in_two_entries() -> None:
    """Two entries of equal content have a cache each."""
    told = planned([A, B], [], [])

    assert told.changes == (
        Create(A, None, Reason.NEW, table.NOTHING_ALIVE),
        Create(B, None, Reason.NEW, table.NOTHING_ALIVE),
    )


def test_patched_about_eleven_times() -> None:
    """Half-hourly runs over four days patch a 12h cache about eleven times, not at every run."""
    want = desired("a", life=Ttl(12 * HOUR), settings=Settings())
    assert refreshes(want, granted=12 * HOUR) == 11


def test_no_loop_when_granted_less() -> None:
    """A server that grants a shorter life than asked is refreshed at half of what it grants."""
    want = desired("a", life=Ttl(12 * HOUR), settings=Settings(refresh_before=4 * HOUR))

    assert refreshes(want, granted=2 * HOUR) == 95


def refreshes(want: DesiredCache, granted: timedelta) -> int:
    """How often four days of half-hourly runs refresh *want*."""
    count, updated = 0, NOW
    for step in range(4 * 48):
        now = NOW + step * HOUR / 2
        seen = live(updated_at=updated, expires_at=updated + granted)
        known = recorded(want, expires_at=seen.expires_at)
        (change,) = planned([want], [known], [seen], now).changes
        if not isinstance(change, Keep):
            count, updated = count + 1, now
    return count


GUARDED = desired("a", settings=Settings(protect=True))
LATE = desired("late", life=Until(NOW - HOUR))


def plan_beside_guarded(*want: Desired, memory: State, replace: tuple[str, ...] = ()) -> Plan:
    return plan(want, memory, [live(GUARDED)], stack=STACK, now=NOW, replace=replace)


def performed(fresh: Plan, memory: State) -> State:
    """What is on record once *fresh* was performed."""
    return State(stack=STACK, caches=memory.caches, rested=dict(rested_by(fresh, memory.rested)))


def test_what_cannot_be_done_rests() -> None:
    """A removal of what is protected and an entry whose time has passed are open only once."""
    memory = state(recorded(GUARDED))
    first = plan_beside_guarded(LATE, memory=memory)
    assert {edit.name for edit in first.edits} == {"a", "late"}
    assert len(first.refused) == 1

    second = plan_beside_guarded(LATE, memory=performed(first, memory))

    assert second.edits == frozenset()
    assert {edit.name for edit in second.rested} == {"a", "late"}
    assert second.refused == ()
    assert second.fingerprint == plan_beside_guarded(GUARDED, memory=memory).fingerprint


def test_another_edit_is_open() -> None:
    """What the entry asks for now is another edit, and the one that rested is forgotten."""
    memory = state(recorded(GUARDED))
    resting = performed(plan_beside_guarded(LATE, memory=memory), memory)
    later = desired("late", "y", life=Until(NOW + HOUR))
    fresh = plan_beside_guarded(GUARDED, later, memory=resting)

    assert {edit.name for edit in fresh.edits} == {"late"}
    assert rested_by(fresh, resting.rested) == {}


def test_a_request_is_open() -> None:
    """A name that is to be replaced is an edit again."""
    memory = performed(
        plan_beside_guarded(LATE, memory=state(recorded(GUARDED))), state(recorded(GUARDED))
    )
    fresh = plan_beside_guarded(LATE, memory=memory, replace=("late",))

    assert {edit.name for edit in fresh.edits} == {"late"}


def test_what_is_not_in_the_plan_rests_on() -> None:
    """A part of a plan, selected by name, forgets nothing about the rest."""
    nothing = Plan(stack=STACK, at=NOW, changes=(), edits=frozenset())

    assert rested_by(nothing, {"late": "0" * 64}) == {"late": "0" * 64}
