"""
Many seeds, on every core: what was played, what fell where, and which seeds break a rule.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from statistics import median

from msgspec import Struct, field

from tests.simulate import log
from tests.simulate.checker import Rule, Violation, check
from tests.simulate.scenario import CELLS, Edit, Scenario, scenario_of
from tests.simulate.shrink import shrink
from tests.simulate.simulation import play
from tests.simulate.story import story_of

FEWEST = 50
"""How often each cell comes up at least, in so many seeds or more:"""
ENOUGH_SEEDS = 2_000
LEAST_MEDIANS = {"runs": 5, "entries": 3, "runners": 2, "faults": 3}
"""What half of all seeds have, or more."""
AGAIN_EVERY = 100
"""Each so many seeds one is played again, in another process with another hash seed."""
_CHUNK = 10


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one seed."""

    seed: int
    digest: str
    violations: tuple[Violation, ...]
    cells: dict[str, int]
    """How often each fault took effect, by `KIND PHASE`."""
    runs: int
    entries: int
    runners: int
    faults: int
    requests: int
    seconds: float
    """Virtual."""


class Report(Struct, kw_only=True):
    """What came of many."""

    outcomes: list[Outcome] = field(default_factory=list)
    unequal: list[int] = field(default_factory=list)
    """Seeds whose logs differ from one process to another."""

    @property
    def failures(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.violations]

    @property
    def cells(self) -> Counter[str]:
        cells: Counter[str] = Counter({cell_name(kind, phase): 0 for kind, phase in CELLS})
        for outcome in self.outcomes:
            cells.update(outcome.cells)
        return cells

    def weaknesses(self) -> list[str]:
        """Where the seeds do not show what they promise."""
        rare = [f"{cell}: {n}" for cell, n in self.cells.items() if n < FEWEST]
        weak = [
            f"median seed: {value:g} {name}, and {LEAST_MEDIANS[name]} are promised"
            for name, value in self.medians().items()
            if value < LEAST_MEDIANS[name]
        ]
        if rare and len(self.outcomes) >= ENOUGH_SEEDS:
            weak.append(f"fewer than {FEWEST} times: {', '.join(rare)}")
        return weak + [f"seed {seed}: its log differs in another process" for seed in self.unequal]

    def medians(self) -> dict[str, float]:
        names = ("runs", "entries", "runners", "faults")
        return {name: median(getattr(one, name) for one in self.outcomes) for name in names}


def cell_name(kind: str, phase: str) -> str:
    return f"{kind} {phase}"


def outcome_of(seed: int) -> Outcome:
    """Play *seed* and check what came of it."""
    scenario = scenario_of(seed)
    world = play(scenario)
    events = world.log.events
    cells = Counter(
        cell_name(event.kind, event.phase)
        for event in events
        if isinstance(event, log.FaultHappened) and (event.kind, event.phase) in CELLS
    )
    edits = [step for step in scenario.steps if isinstance(step, Edit)]
    return Outcome(
        seed=seed,
        digest=world.log.digest(),
        violations=tuple(check(events)),
        cells=dict(cells),
        runs=sum(isinstance(event, log.RunBegun) for event in events),
        entries=max(len(edit.sheet.entries) for edit in edits),
        runners=len(scenario.runners),
        faults=sum(cells.values()),
        requests=world.calls,
        seconds=world.seconds,
    )


def campaign(seeds: Iterable[int], *, jobs: int) -> Iterator[Outcome]:
    """The outcomes of *seeds*, in their order."""
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        yield from pool.map(outcome_of, seeds, chunksize=_CHUNK)


def report_of(seeds: range, *, jobs: int) -> Report:
    """Play *seeds*, and some of them twice."""
    report = Report(outcomes=list(campaign(seeds, jobs=jobs)))
    again = [outcome for outcome in report.outcomes if outcome.seed % AGAIN_EVERY == 0]
    report.unequal = [one.seed for one in again if digest_elsewhere(one.seed) != one.digest]
    return report


def digest_elsewhere(seed: int) -> str:
    """The digest of the log of *seed* in another process, where sets have another order."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulate", "--digest", str(seed)],
        env={**os.environ, "PYTHONHASHSEED": str(seed + 1)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()


def shrunk_story(seed: int) -> Iterator[str]:
    """The smallest world of *seed* that breaks the same rule, in words."""
    scenario = scenario_of(seed)
    rules = {violation.rule for violation in check(play(scenario).log.events)}
    small = shrink(scenario, partial(_breaks, rules))
    world = play(small)
    yield from story_of(small, world.log.events)
    for violation in check(world.log.events):
        yield f"{violation.rule}: {violation.sentence}"


def _breaks(rules: set[Rule], scenario: Scenario) -> bool:
    world = play(scenario)
    return any(violation.rule in rules for violation in check(world.log.events))
