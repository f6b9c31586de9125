"""A decision flips when the planner says so: of a plan, of one cache, and by the record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.attributes import Settings, Until
from provisioner.model.changes import Reason
from provisioner.model.facts import Disappearance
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, LiveCache, Recorded, RetiringCache
from provisioner.planner import plan
from provisioner.planner.brake import SECOND_LOOK
from provisioner.planner.transitions import (
    about,
    covered_until,
    flips,
    next_refresh,
    next_run,
    surviving,
    valid_until,
)
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


def test_two_that_retire() -> None:
    """Two caches that retire under one name end one after the other."""
    later = live(desired("a", "older"), "cachedContents/older", expires_at=NOW + 2 * HOUR)
    leaving = [retiring(A), retiring(A, later.id, expires_at=later.expires_at)]

    decide = partial(_plan, (), (), leaving, [OLD, later])
    whole = decide(NOW)

    assert [
        [(flip.at, flip.change and flip.change.record) for flip in flips(decide, whole, change)]
        for change in whole.changes
    ] == [[(cache.expires_at, cache)] for cache in leaving]


def test_one_of_several_names() -> None:
    """What stands before a cache in a plan turns by itself."""
    other = live(desired("b"), "cachedContents/2", expires_at=NOW + 4 * HOUR)
    records = [recorded(A), recorded(desired("b"), other.id, expires_at=other.expires_at)]

    assert turns([A, desired("b")], records, [live(A), other], name="b") == [
        [(3, "Refresh", "EXPIRING"), (4, "Create", "EXPIRED")]
    ]


def test_a_stray_that_is_to_be_deleted() -> None:
    """A stray to prune is followed by its id, though its name stands for another cache."""

    def decide(now: datetime) -> Plan:
        listed = surviving([STRAY, live(A)], since=NOW, at=now, ahead={})
        return plan([A], state(recorded(A)), listed, stack=STACK, now=now, prune=True)

    whole = decide(NOW)
    [delete] = [change for change in whole.changes if change.verb == "delete"]

    assert [(f.at, f.change) for f in flips(decide, whole, delete)] == [(NOW + 6 * HOUR, None)]


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


KEEP_ONCE = Settings(keep="once")
PROTECTED = Settings(refresh_before=HOUR, protect=True)
ENDING = Until(NOW + 3 * HOUR)


def planned(
    want: Sequence[Desired],
    records: Sequence[Recorded],
    seen: Sequence[LiveCache],
    now: datetime = NOW,
) -> Plan:
    return plan(want, state(*records), seen, stack=STACK, now=now)


def test_a_moment_that_is_now() -> None:
    """A plan is valid until a moment that is still to come, or for ever."""
    low = live(A, expires_at=NOW)
    later = live(B, "cachedContents/2")

    assert valid_until(planned([A], [recorded(A)], [low])) is None
    assert valid_until(planned([A, B], [recorded(A)], [low, later])) == later.expires_at


@pytest.mark.parametrize(
    ("record", "seen", "until"),
    [
        (recorded(A, settings=PROTECTED), live(A), NOW + 5 * HOUR),
        (recorded(A, settings=Settings(keep="once", protect=True)), live(A), NOW + 6 * HOUR),
        (recorded(A, settings=PROTECTED, life=ENDING), live(A), NOW + 6 * HOUR),
    ],
)
def test_what_is_protected(record: Recorded, seen: LiveCache, until: datetime) -> None:
    """A removal that is refused is so until its cache is refreshed, or expires."""
    whole = planned([], [record], [seen])

    assert [change.verb for change in whole.changes] == ["blocked"]
    assert valid_until(whole) == until


def test_an_annotation_in_place_of_a_cache() -> None:
    """An annotation that takes the place of a cache does so at any time."""
    whole = planned([annotation("a")], [recorded(A)], [live(A)])

    assert [change.verb for change in whole.changes] == ["annotate"]
    assert valid_until(whole) is None


@pytest.mark.parametrize(
    ("whole", "due"),
    [
        (planned([], [], []), None),
        (planned([A], [recorded(A)], [live(A)]), NOW + 5 * HOUR),
        (
            planned(
                [A, B],
                [recorded(A), recorded(B, "cachedContents/2", expires_at=NOW + 4 * HOUR)],
                [live(A), live(B, "cachedContents/2", expires_at=NOW + 4 * HOUR)],
            ),
            NOW + 3 * HOUR,
        ),
        (planned([A, B], [recorded(A)], [live(A)]), NOW + 5 * HOUR),
        (
            planned(
                [desired("a", settings=KEEP_ONCE)], [recorded(A, settings=KEEP_ONCE)], [live(A)]
            ),
            None,
        ),
        (
            planned(
                [desired("a", settings=KEEP_ONCE)],
                [recorded(A, settings=KEEP_ONCE)],
                [],
                now=NOW + 9 * HOUR,
            ),
            None,
        ),
        (planned([annotation("n")], [noted(annotation("n"))], []), None),
        (
            planned(
                [ONCE, B],
                [recorded(ONCE), recorded(B, "cachedContents/2")],
                [live(A), live(B, "cachedContents/2")],
            ),
            NOW + 5 * HOUR,
        ),
        (planned([A], [recorded(A, settings=PROTECTED)], [live(A)]), None),
    ],
)
def test_next_refresh(whole: Plan, due: datetime | None) -> None:
    """The next refresh is that of the first window to open among the caches that are kept."""
    assert next_refresh(whole) == due


OTHER = desired("b", "y")


def test_covered_until() -> None:
    """Cover ends with the first warm cache that dies without another run."""
    warm = recorded(A, expires_at=NOW + 5 * HOUR)
    once = recorded(OTHER, settings=Settings(keep="once"), expires_at=NOW + HOUR)

    assert covered_until(state(warm, once, noted(annotation("n"))), NOW) == NOW + 5 * HOUR
    assert covered_until(state(once), NOW) is None
    assert covered_until(state(warm), NOW + 6 * HOUR) is None
    assert covered_until(state(warm), NOW + 5 * HOUR) is None
    assert covered_until(state(recorded(A, life=Until(NOW + HOUR))), NOW) is None
    other = recorded(OTHER, "cachedContents/2", expires_at=NOW + 2 * HOUR)
    assert covered_until(state(warm, other), NOW) == NOW + 2 * HOUR


@pytest.mark.parametrize(
    ("note", "is_covered"),
    [
        (Disappearance(), True),
        (Disappearance(since=NOW), False),
        (Disappearance(since=NOW, failed=True), False),
        (Disappearance(since=NOW, remade=("cachedContents/1",)), True),
        (Disappearance(since=NOW, failed=True, remade=("cachedContents/1",)), False),
        (Disappearance(remade=("cachedContents/1",)), True),
        (Disappearance(failed=True), True),
    ],
)
def test_no_cover_while_a_project_is_held_back(note: Disappearance, *, is_covered: bool) -> None:
    """While a project that showed none of its caches is held back, no cover is promised."""
    known = state(recorded(A), disappeared={"gemini": note})

    assert (covered_until(known, NOW) is not None) == is_covered


@pytest.mark.parametrize(
    ("note", "now", "due"),
    [
        (Disappearance(since=NOW), NOW, NOW + SECOND_LOOK),
        (Disappearance(since=NOW), NOW + HOUR, NOW + HOUR),
        (Disappearance(since=NOW, failed=True), NOW, None),
        (Disappearance(since=NOW, remade=("cachedContents/1",)), NOW, None),
        (Disappearance(remade=("cachedContents/1",)), NOW, None),
        (Disappearance(), NOW, None),
    ],
)
def test_a_second_look_is_due(note: Disappearance, now: datetime, due: datetime | None) -> None:
    """A second look is due ten minutes after the first, unless a person has to decide."""
    assert next_run(state(disappeared={"gemini": note}), now) == due


def test_next_run() -> None:
    """The next run is due when the first window opens, and at once for what has run out."""
    warm = recorded(A, settings=Settings(refresh_before=HOUR))

    assert next_run(state(warm), NOW) == NOW + 5 * HOUR
    assert next_run(state(warm), NOW + 9 * HOUR) == NOW + 9 * HOUR
    assert next_run(state(recorded(A, life=Until(NOW + HOUR))), NOW) is None
    assert next_run(state(retiring=[retiring(expires_at=None)]), NOW) == NOW
    assert next_run(state(retiring=[retiring()]), NOW) is None
    assert next_run(state(recorded(A, settings=Settings(keep="once"))), NOW) is None
    assert next_run(state(noted(annotation("n")), warm), NOW) == NOW + 5 * HOUR
    later = recorded(OTHER, "cachedContents/2", expires_at=NOW + 12 * HOUR)
    assert next_run(state(warm, later), NOW) == NOW + 5 * HOUR
