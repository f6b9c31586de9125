"""Which part of a plan is asked for, and names that it does not have."""

from __future__ import annotations

import pytest

from provisioner.operations.plan import check_names, choose
from provisioner.operations.session import Misuse
from provisioner.planner import plan
from tests.builders import NOW, STACK, desired, state

PLAN = plan([desired("a"), desired("b")], state(), (), stack=STACK, now=NOW)


def test_names() -> None:
    """A name to replace that no entry has is wrong usage."""
    check_names(["a"], [desired("a"), desired("b")])
    with pytest.raises(Misuse, match="no such cache in this stack: x, y"):
        check_names(["y", "a", "x"], [desired("a")])


def test_a_part_of_a_plan() -> None:
    """Without a pattern the plan is whole; a pattern that matches nothing is wrong usage."""
    assert choose(PLAN, [], []) is PLAN
    assert [change.name for change in choose(PLAN, ["a*"], []).changes] == ["a"]
    assert [change.name for change in choose(PLAN, [], ["a*"]).changes] == ["b"]
    with pytest.raises(Misuse, match=r"nothing in the plan matches x\*"):
        choose(PLAN, ["a", "x*"], [])
