"""A scenario gets smaller for as long as it breaks the rule."""

from __future__ import annotations

from tests.simulate.scenario import Edit, Scenario, scenario_of
from tests.simulate.shrink import shrink


def test_smallest() -> None:
    """What the rule does not need goes; what each checkout declares first stays."""
    scenario = scenario_of(7)
    needed = scenario.runs[2]

    small = shrink(scenario, lambda smaller: needed in smaller.steps)

    assert small.runs == (needed,)
    assert small.faults == ()
    edits = [step.checkout for step in small.steps if isinstance(step, Edit)]
    assert sorted(edits) == sorted(scenario.checkouts)


def test_all_is_needed() -> None:
    """A rule that only the whole breaks leaves the whole."""
    scenario = scenario_of(7)

    def breaks(smaller: Scenario) -> bool:
        return smaller == scenario

    assert shrink(scenario, breaks) == scenario
