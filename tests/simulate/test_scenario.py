"""Scenarios are data: equal for equal seeds, valid, and rich enough."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from statistics import median

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tests.simulate.fate import Verb, WorldCall
from tests.simulate.scenario import CELLS, Edit, Kind, Phase, Scenario, dealt, phase_of, scenario_of

seeds = st.integers(0, 10_000)


@given(seeds)
def test_equal_seeds(seed: int) -> None:
    """A seed has one scenario, which survives being written down."""
    scenario = scenario_of(seed)

    assert scenario_of(seed) == scenario
    assert msgspec.json.decode(msgspec.json.encode(scenario), type=Scenario) == scenario


@given(seeds)
def test_sheets(seed: int) -> None:
    """What a checkout declares is valid: a name that moved leads to an entry, and is none."""
    for step in scenario_of(seed).steps:
        if isinstance(step, Edit):
            names = step.sheet.entries.keys()
            assert names
            assert all(new in names or new in dict(step.sheet.moved) for _, new in step.sheet.moved)
            assert not {old for old, _ in step.sheet.moved} & names


@given(seeds)
def test_order(seed: int) -> None:
    """Steps come in the order of time, and no two runs have one number."""
    scenario = scenario_of(seed)
    times = [step.at for step in scenario.steps]
    numbers = [run.number for run in scenario.runs]

    assert times == sorted(times)
    assert len(set(numbers)) == len(numbers)


def test_the_deck() -> None:
    """Over many seeds each cell is dealt, the rare ones more often than the others."""
    cells = Counter(cell for seed in range(400) for cell in dealt(seed))

    assert cells.keys() == set(CELLS)
    assert min(cells.values()) >= 8


def test_runs_that_compete() -> None:
    """In a share of the seeds a second machine begins on a stack while the first loses its lock."""
    lost = {Kind.SUSPEND_BEFORE, Kind.SUSPEND_AFTER, Kind.LOCK_ENDED}
    pairs = [
        (first, second)
        for scenario in map(scenario_of, range(200))
        for first, second in pairwise(scenario.runs)
        if scenario.faults[0].kind in lost and scenario.faults[0].run == first.number
        if second.at - first.at <= 3 and first.runner != second.runner
    ]

    assert len(pairs) > 30


def test_the_median_seed() -> None:
    """Half of all seeds have five runs, three entries, two runners and three faults, or more."""
    scenarios = [scenario_of(seed) for seed in range(200)]
    edits = [[step for step in each.steps if isinstance(step, Edit)] for each in scenarios]

    assert median(len(scenario.runs) for scenario in scenarios) >= 5
    assert median(max(len(edit.sheet.entries) for edit in each) for each in edits) >= 3
    assert median(len(scenario.runners) for scenario in scenarios) >= 2
    assert median(len(scenario.faults) for scenario in scenarios) >= 3


def test_phases() -> None:
    """Each verb belongs to a phase; a lease is the lock's, and handles are published."""
    calls = {
        verb: WorldCall(runner="ci", run=1, number=1, verb=verb, where="", target="bot.json")
        for verb in Verb
    }

    assert {phase_of(call) for call in calls.values()} == set(Phase) - {
        Phase.BETWEEN,
        Phase.PUBLISH,
    }
    write = calls[Verb.WRITE]
    assert phase_of(msgspec.structs.replace(write, target="bot.lock.json")) is Phase.LOCK
    assert phase_of(msgspec.structs.replace(write, target="handles.json")) is Phase.PUBLISH
