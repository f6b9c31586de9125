"""Upkeep: what is recorded is kept alive, and nothing else is done."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model import (
    Cause,
    Create,
    Disappearance,
    Keep,
    Reason,
    Refresh,
    Retire,
    Settings,
    Until,
)
from provisioner.planner import (
    covered_until,
    next_run,
    plan,
    recorded_as_desired,
    without_content,
)
from provisioner.planner.brake import SECOND_LOOK
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

A, B = desired("a"), desired("b", "y")


def test_all_is_well() -> None:
    """What lives as recorded is kept, annotations included."""
    known = state(recorded(A), noted(annotation("n")))
    told = plan(recorded_as_desired(known), known, [live(A)], stack=STACK, now=NOW)

    assert [type(change) for change in told.changes] == [Keep, Keep]
    assert told.edits == frozenset()


def test_refreshes_with_the_recorded_settings() -> None:
    """The window that opens is the recorded one."""
    known = state(recorded(A, settings=Settings(refresh_before=3 * HOUR)))
    told = plan(recorded_as_desired(known), known, [live(A)], stack=STACK, now=NOW + 3 * HOUR)

    assert [type(change) for change in told.changes] == [Refresh]


def test_the_dead_are_made_again_if_their_content_is_there() -> None:
    """A cache whose recorded content is gone leaves a gap, and the others are made."""
    known = state(recorded(A), recorded(B, "cachedContents/2"))
    told = plan(recorded_as_desired(known), known, [], stack=STACK, now=NOW + 9 * HOUR)

    rest, gaps = without_content(told, {A.digest})

    assert [change.want.name for change in rest.changes if isinstance(change, Create)] == ["a"]
    assert [gap.want.name for gap in gaps] == ["b"]
    assert {gap.reason for gap in gaps} == {Reason.EXPIRED}


def test_what_lives_needs_no_content() -> None:
    """What lives is refreshed, also where the working tree lacks its content."""
    known = state(recorded(A))
    told = plan(recorded_as_desired(known), known, [live(A)], stack=STACK, now=NOW + 5 * HOUR)

    assert without_content(told, ()) == (told, ())
    assert [type(change) for change in told.changes] == [Refresh]


def test_finishes_retirements() -> None:
    """A retirement that was begun is carried to its end."""
    leaving = retiring(A, expires_at=None)
    known = state(retiring=[leaving])
    told = plan(
        recorded_as_desired(known),
        known,
        [live(A, leaving.id, expires_at=NOW + 5 * HOUR)],
        stack=STACK,
        now=NOW,
    )

    assert [type(change) for change in told.pending] == [Retire]


@given(
    hours=st.integers(0, 48),
    alive=st.sets(st.sampled_from("ab")),
)
def test_never_an_edit(hours: int, alive: set[str]) -> None:
    """Whatever happened to the live side, upkeep does nothing whose cause is an edit."""
    known = state(recorded(A, "cachedContents/a"), recorded(B, "cachedContents/b"))
    seen = [live(want, f"cachedContents/{want.name}") for want in (A, B) if want.name in alive]
    told = plan(recorded_as_desired(known), known, seen, stack=STACK, now=NOW + hours * HOUR)

    assert Cause.EDIT not in {change.reason.cause for change in told.changes}


def test_covered_until() -> None:
    """Cover ends with the first warm cache that dies without another run."""
    warm = recorded(A, expires_at=NOW + 5 * HOUR)
    once = recorded(B, settings=Settings(keep="once"), expires_at=NOW + HOUR)

    assert covered_until(state(warm, once, noted(annotation("n"))), NOW) == NOW + 5 * HOUR
    assert covered_until(state(once), NOW) is None
    assert covered_until(state(warm), NOW + 6 * HOUR) is None
    assert covered_until(state(warm), NOW + 5 * HOUR) is None
    assert covered_until(state(recorded(A, life=Until(NOW + HOUR))), NOW) is None
    other = recorded(B, "cachedContents/2", expires_at=NOW + 2 * HOUR)
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
    later = recorded(B, "cachedContents/2", expires_at=NOW + 12 * HOUR)
    assert next_run(state(warm, later), NOW) == NOW + 5 * HOUR
