"""When many caches of a project disappear at once: what is held back, and what lifts it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from provisioner.model.changes import Blocked, Create, Reason
from provisioner.model.facts import Disappearance, State
from provisioner.model.plan import Plan
from provisioner.model.records import LiveCache
from provisioner.planner import plan
from provisioner.planner.brake import (
    Sight,
    brakes,
    held_back,
    noted,
    probing,
)
from provisioner.planner.transitions import valid_until
from tests.builders import HOUR, NOW, STACK, desired, live, recorded

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
WANTS = [desired(name) for name in "abcdefgh"]


def world(
    expected: int, missing: int, **notes: Disappearance
) -> tuple[Plan, State, list[LiveCache]]:
    """A plan for so many recorded caches, of which the first ones are missing."""
    wants = WANTS[:expected]
    caches = [live(want, f"cachedContents/{want.name}") for want in wants]
    records = {w.name: recorded(w, c.id) for w, c in zip(wants, caches, strict=True)}
    state = State(stack=STACK, caches=records, disappeared=notes)
    shown = caches[missing:]
    return plan(wants, state, shown, stack=STACK, now=NOW), state, shown


@pytest.mark.parametrize(
    ("expected", "missing", "suspicious"),
    [
        (1, 1, True),
        (1, 0, False),
        (2, 1, False),
        (2, 2, True),
        (4, 3, False),
        (4, 4, True),
        (5, 2, False),
        (5, 3, True),
        (6, 3, True),
        (8, 3, False),
    ],
)
def test_what_is_suspicious(expected: int, missing: int, *, suspicious: bool) -> None:
    """All recorded caches of a project missing, or half of five or more, is held back."""
    whole, state, shown = world(expected, missing)

    held = brakes(whole, state, shown, accepted=())
    rest = held_back(whole, held, lambda brake: f"{brake.missing} of {brake.expected}")

    assert bool(held) is suspicious
    blocked = [change for change in rest.changes if isinstance(change, Blocked)]
    assert len(blocked) == (missing if suspicious else 0)
    assert {change.why for change in blocked} <= {f"{missing} of {expected}"}
    assert brakes(whole, state, shown, accepted={"gemini"}) == ()


def test_missing_alone() -> None:
    """What is edited, requested or has run out is made; only what is MISSING is held back."""
    wants = [desired("a"), desired("b", "edited"), desired("c"), desired("d")]
    records = {
        name: recorded(desired(name), f"cachedContents/{name}", expires_at=NOW + hours * HOUR)
        for name, hours in (("a", 6), ("b", 6), ("c", 0), ("d", 6))
    }
    state = State(stack=STACK, caches=records)
    whole = plan(wants, state, [], stack=STACK, now=NOW, replace={"d"})

    rest = held_back(whole, brakes(whole, state, [], accepted=()), lambda _: "held")

    assert [(type(change), change.reason) for change in rest.changes] == [
        (Blocked, Reason.MISSING),
        (Create, Reason.CONTENT),
        (Create, Reason.EXPIRED),
        (Create, Reason.REQUESTED),
    ]
    assert rest.edits == whole.edits
    assert valid_until(rest) == records["a"].expires_at - timedelta(seconds=2)


def test_each_project() -> None:
    """A project that shows all of its caches is not held back for another."""
    here, there = desired("a"), desired("b", provider="gemini-b")
    records = {want.name: recorded(want, f"cachedContents/{want.name}") for want in (here, there)}
    state = State(stack=STACK, caches=records)
    shown = [live(here, "cachedContents/a")]
    whole = plan([here, there], state, shown, stack=STACK, now=NOW)

    (brake,) = brakes(whole, state, shown, accepted=())

    assert (brake.provider, *brake.names) == ("gemini-b", "b")


def test_what_counts_as_expected() -> None:
    """A project is expected to show what it has on record and what has not run out."""
    here = [desired(name) for name in "abc"]
    there = desired("d", provider="gemini-b")
    ends = {"a": NOW + 2 * SECOND, "b": NOW + 3 * SECOND, "c": NOW + HOUR, "d": NOW + HOUR}
    records = {
        want.name: recorded(want, f"cachedContents/{want.name}", expires_at=ends[want.name])
        for want in (*here, there)
    }
    state = State(stack=STACK, caches=records)
    whole = plan([*here, there], state, [], stack=STACK, now=NOW)

    held = brakes(whole, state, [], accepted=())

    assert [(brake.provider, brake.missing, brake.expected) for brake in held] == [
        ("gemini", 2, 2),
        ("gemini-b", 1, 1),
    ]


def test_nothing_is_expected_of_the_dead() -> None:
    """Where all that is on record has run out, nothing is suspicious."""
    want = desired("a")
    state = State(stack=STACK, caches={"a": recorded(want, expires_at=NOW)})
    whole = plan([want], state, [], stack=STACK, now=NOW)

    assert brakes(whole, state, [], accepted=()) == ()


@pytest.mark.parametrize(
    ("note", "look"),
    [
        (None, Sight.FIRST),
        (Disappearance(), Sight.FIRST),
        (Disappearance(since=NOW - 9 * MINUTE), Sight.AGAIN),
        (Disappearance(since=NOW + HOUR), Sight.AGAIN),
        (Disappearance(since=NOW - 10 * MINUTE), Sight.PROBE),
        (Disappearance(since=NOW - HOUR, failed=True), Sight.PERSON),
        (Disappearance(remade=("cachedContents/a",)), Sight.PERSON),
        (Disappearance(since=NOW - HOUR, remade=("cachedContents/old",)), Sight.PROBE),
    ],
)
def test_looks(note: Disappearance | None, look: Sight) -> None:
    """A second look ten minutes later tries one; one that was tried and is gone ends that."""
    whole, state, shown = world(3, 3, **({"gemini": note} if note else {}))

    held = brakes(whole, state, shown, accepted=())

    assert [brake.sight for brake in held] == [look]
    assert probing(held) == ({"a", "b", "c"} if look is Sight.PROBE else set())
    blocked = [c for c in held_back(whole, held, lambda _: "").changes if isinstance(c, Blocked)]
    assert len(blocked) == (0 if look is Sight.PROBE else 3)


def test_notes() -> None:
    """The first sight is kept until the caches show; what was made again, while on record."""
    whole, state, shown = world(3, 3)
    first = noted(state, brakes(whole, state, shown, accepted=()))
    assert first == {"gemini": Disappearance(since=NOW)}

    since = Disappearance(since=NOW - HOUR, failed=True, remade=("cachedContents/a", "gone"))
    whole, state, shown = world(3, 3, gemini=since)
    again = noted(state, brakes(whole, state, shown, accepted=()))
    assert again == {
        "gemini": Disappearance(since=NOW - HOUR, failed=True, remade=("cachedContents/a",))
    }

    whole, state, shown = world(3, 3, gemini=Disappearance(since=NOW + HOUR))
    wrong = noted(state, brakes(whole, state, shown, accepted=()))
    assert wrong == first, "a sight of the future, by a wrong clock, delays no second look"

    whole, state, shown = world(3, 0, gemini=since)
    calm = noted(state, brakes(whole, state, shown, accepted=()))
    assert calm == {"gemini": Disappearance(remade=("cachedContents/a",))}

    whole, state, shown = world(3, 0, gemini=Disappearance(since=NOW))
    assert noted(state, ()) == {}
