"""Edits that were approved, could not be done, and are open no longer."""

from __future__ import annotations

from provisioner.model.attributes import Settings, Until
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.model.records import Desired
from provisioner.planner import plan
from provisioner.planner.reasons import rested_by
from tests.builders import HOUR, NOW, STACK, desired, live, recorded, state

GUARDED = desired("a", settings=Settings(protect=True))
LATE = desired("late", life=Until(NOW - HOUR))


def planned(*want: Desired, memory: State, replace: tuple[str, ...] = ()) -> Plan:
    return plan(want, memory, [live(GUARDED)], stack=STACK, now=NOW, replace=replace)


def after(fresh: Plan, memory: State) -> State:
    """What is on record once *fresh* was performed."""
    return State(stack=STACK, caches=memory.caches, rested=dict(rested_by(fresh, memory.rested)))


def test_what_cannot_be_done_rests() -> None:
    """A removal of what is protected and an entry whose time has passed are open only once."""
    memory = state(recorded(GUARDED))
    first = planned(LATE, memory=memory)
    assert {edit.name for edit in first.edits} == {"a", "late"}
    assert len(first.refused) == 1

    second = planned(LATE, memory=after(first, memory))

    assert second.edits == frozenset()
    assert {edit.name for edit in second.rested} == {"a", "late"}
    assert second.refused == ()
    assert second.fingerprint == planned(GUARDED, memory=memory).fingerprint


def test_another_edit_takes_it_up_again() -> None:
    """What the entry asks for now is another edit, and the one that rested is forgotten."""
    memory = state(recorded(GUARDED))
    resting = after(planned(LATE, memory=memory), memory)
    later = desired("late", "y", life=Until(NOW + HOUR))
    fresh = planned(GUARDED, later, memory=resting)

    assert {edit.name for edit in fresh.edits} == {"late"}
    assert rested_by(fresh, resting.rested) == {}


def test_a_request_takes_it_up_again() -> None:
    """A name that is to be replaced is an edit again."""
    memory = after(planned(LATE, memory=state(recorded(GUARDED))), state(recorded(GUARDED)))
    fresh = planned(LATE, memory=memory, replace=("late",))

    assert {edit.name for edit in fresh.edits} == {"late"}


def test_what_is_not_in_the_plan_rests_on() -> None:
    """A part of a plan, selected by name, forgets nothing about the rest."""
    nothing = Plan(stack=STACK, at=NOW, changes=(), edits=frozenset())

    assert rested_by(nothing, {"late": "0" * 64}) == {"late": "0" * 64}
