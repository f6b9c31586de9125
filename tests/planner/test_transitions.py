"""A cache is found by name or id, and its decision turns when the planner says so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model import (
    Desired,
    LiveCache,
    Plan,
    Reason,
    Recorded,
    RetiringCache,
    Settings,
    Until,
)
from provisioner.planner import about, flips, plan, surviving
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

A = desired("a")
ONCE = desired("a", settings=Settings(keep="once"))
FIXED = desired("a", life=Until(NOW + 6 * HOUR))
OLD = live(desired("a", "old"), "cachedContents/old", expires_at=NOW + HOUR)
STRAY = live(desired("a", "stray"), "cachedContents/stray")

Turns = list[tuple[float, str, str]]


def turns(
    want: Sequence[Desired],
    known: Sequence[Recorded],
    seen: Sequence[LiveCache],
    name: str = "a",
    *,
    leaving: Sequence[RetiringCache] = (),
) -> list[Turns]:
    """Hours from now, action and reason of each turn, for everything that *name* is about."""
    decide = partial(_plan, want, known, leaving, seen)
    told = decide(NOW)
    return [
        [
            (
                (flip.at - NOW) / HOUR,
                type(flip.change).__name__ if flip.change else "gone",
                flip.change.reason.name if flip.change else "",
            )
            for flip in islice(flips(decide, told, change), 5)
        ]
        for change in about(told, name)
    ]


def _plan(
    want: Sequence[Desired],
    known: Sequence[Recorded],
    leaving: Sequence[RetiringCache],
    seen: Sequence[LiveCache],
    now: datetime,
) -> Plan:
    listed = surviving(seen, since=NOW, at=now, ahead={})
    return plan(want, state(*known, retiring=leaving), listed, stack=STACK, now=now)


@pytest.mark.parametrize(
    ("want", "known", "seen", "expected"),
    [
        ([A], [recorded(A)], [live(A)], [(5, "Refresh", "EXPIRING"), (6, "Create", "EXPIRED")]),
        ([ONCE], [recorded(ONCE)], [live(ONCE)], [(6, "Keep", "ENDED")]),
        ([FIXED], [recorded(FIXED)], [live(FIXED)], [(6, "Keep", "ENDED")]),
        ([FIXED], [], [], [(6, "Keep", "ENDED")]),
        ([desired("a", "y")], [recorded(A)], [live(A)], [(6, "Create", "CONTENT")]),
        ([A], [], [], []),
        ([A], [recorded(A)], [], []),
        ([], [recorded(A)], [live(A)], [(6, "Forget", "UNDECLARED")]),
        ([annotation("a")], [noted(annotation("a"))], [], []),
        (
            [A],
            [recorded(A)],
            [live(A, expires_at=NOW + 5 * HOUR)],
            [(5, "Create", "MISSING")],
        ),
        ([ONCE], [recorded(ONCE)], [], [(6 - 2 / 3600, "Keep", "ENDED")]),
    ],
)
def test_turns(
    want: list[Desired], known: list[Recorded], seen: list[LiveCache], expected: Turns
) -> None:
    """Each turn is a moment at which the planner itself decides otherwise."""
    assert turns(want, known, seen) == [expected]


def test_what_dies_by_itself() -> None:
    """A retiring cache is forgotten at its end; a stray leaves nothing to decide."""
    told = turns([], [], [OLD, STRAY], leaving=[retiring(A)])

    assert told == [[(1, "Forget", "RETIRED")], [(6, "gone", "")]]


def test_several_of_one_name() -> None:
    """What a name stands for, what retires and what strays under it turn each by itself."""
    whole = turns([A], [recorded(A)], [live(A), OLD, STRAY], leaving=[retiring(A)])

    assert whole == [
        [(5, "Refresh", "EXPIRING"), (6, "Create", "EXPIRED")],
        [(1, "Forget", "RETIRED")],
        [(6, "gone", "")],
    ]


def test_turns_by_the_clock_of_a_provider() -> None:
    """A turn is a moment by its provider's clock, and decided at that of the plan."""
    ahead = {"gemini": 2 * HOUR}

    def decide(now: datetime) -> Plan:
        listed = surviving([live(A)], since=NOW, at=now, ahead=ahead)
        return plan([A], state(recorded(A)), listed, stack=STACK, now=now, ahead=ahead)

    whole = decide(NOW)
    [change] = whole.changes
    found = [(flip.at, flip.change and flip.change.verb) for flip in flips(decide, whole, change)]

    assert found == [(NOW + 5 * HOUR, "refresh"), (NOW + 6 * HOUR, "create")]


@pytest.mark.parametrize(
    ("hours", "is_listed"),
    [(0, True), (3.9, True), (4, False), (9, False)],
)
def test_what_survives(hours: float, *, is_listed: bool) -> None:
    """A list shows a cache until its end by its provider's clock, and what is dead by then."""
    dead = live(A, "cachedContents/2", expires_at=NOW + 2 * HOUR)
    listed = surviving(
        [live(A), dead], since=NOW, at=NOW + hours * HOUR, ahead={"gemini": 2 * HOUR}
    )

    assert listed == ((live(A), dead) if is_listed else (dead,))


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("a", [Reason.CURRENT, Reason.RETIRING, Reason.STRAY]),
        ("cachedContents/1", [Reason.CURRENT]),
        ("cachedContents/old", [Reason.RETIRING]),
        ("cachedContents/stray", [Reason.STRAY]),
        ("b", [Reason.UNDECLARED]),
        ("c", []),
        ("cachedContents/none", []),
    ],
)
def test_about(name: str, reasons: list[Reason]) -> None:
    """A name means all that bears it, an id the one cache that has it."""
    told = plan(
        [A],
        state(recorded(A), noted(annotation("b")), retiring=[retiring(A)]),
        [live(A), OLD, STRAY],
        stack=STACK,
        now=NOW,
    )

    assert [change.reason for change in about(told, name)] == reasons


@given(
    end=st.integers(1, 20),
    recorded_end=st.integers(1, 20),
    window=st.integers(1, 5),
    edited=st.booleans(),
    keep=st.sampled_from(["warm", "once"]),
)
def test_nothing_turns_between_turns(
    end: int, recorded_end: int, window: int, *, edited: bool, keep: str
) -> None:
    """From one turn to the next the planner holds to its decision."""
    settings = Settings(refresh_before=window * HOUR, keep="once" if keep == "once" else "warm")
    kept = desired("a", settings=settings)
    want = desired("a", "y" if edited else "x", settings=settings)
    known = recorded(kept, expires_at=NOW + recorded_end * HOUR)
    decide = partial(_plan, [want], [known], (), [live(kept, expires_at=NOW + end * HOUR)])
    told = decide(NOW)
    (change,) = told.changes
    found = [*flips(decide, told, change)]
    ends = [*(flip.at for flip in found), NOW + 30 * HOUR]

    for now, until in zip([change, *(flip.change for flip in found)], ends, strict=True):
        (then,) = decide(until - timedelta(seconds=3)).changes
        assert now
        assert (type(then), then.name) == (type(now), "a")
