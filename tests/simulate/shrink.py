"""
Make a scenario that breaks a rule smaller: without the faults and steps that it does not need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from msgspec.structs import replace

from tests.simulate.scenario import Edit, Scenario

_MOST_TRIES = 300


def shrink(scenario: Scenario, breaks: Callable[[Scenario], bool]) -> Scenario:
    """The smallest scenario on the way down from *scenario* that still *breaks* the rule."""
    tries = 0
    while True:
        for smaller in _smaller(scenario):
            tries += 1
            if tries > _MOST_TRIES:
                return scenario
            if breaks(smaller):
                scenario = smaller
                break
        else:
            return scenario


def _smaller(scenario: Scenario) -> Iterator[Scenario]:
    """Each scenario that lacks one event, or many: the largest cuts first."""
    steps, faults = scenario.steps, scenario.faults
    if len(faults) > 1:
        yield replace(scenario, faults=())
        yield replace(scenario, faults=faults[: len(faults) // 2])
        yield replace(scenario, faults=faults[len(faults) // 2 :])
    if len(steps) > 3:  # an edit, a run, and another
        yield replace(scenario, steps=steps[: len(steps) // 2 + 1])
    for position in range(len(faults)):
        yield replace(scenario, faults=faults[:position] + faults[position + 1 :])
    begun: set[str] = set()
    for position, step in enumerate(steps):
        if isinstance(step, Edit) and step.checkout not in begun:
            begun.add(step.checkout)  # without it there is nothing to run on
        else:
            yield replace(scenario, steps=steps[:position] + steps[position + 1 :])
