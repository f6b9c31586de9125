"""
Play seeds, and say what came of them: `python -m tests.simulate --seeds 200`.

Exits with 1 if a rule is broken, if the log of a seed differs from one process to another, or if
a cell of fault and phase comes up too rarely in many seeds.  The first seed that breaks a rule is
made smaller, and its story is printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from tests.simulate.campaign import Report, report_of, shrunk_story
from tests.simulate.checker import check
from tests.simulate.scenario import CELLS, scenario_of
from tests.simulate.simulation import play
from tests.simulate.story import story_of

_MOST_FAILURES = 20


def main() -> int:
    asked = _arguments()
    if asked.digest is not None:
        print(play(scenario_of(asked.digest)).log.digest())
        return 0
    if asked.seed is not None:
        return _tell(asked.seed)
    began = time.monotonic()
    seeds = range(asked.first, asked.first + asked.seeds)
    report = report_of(seeds, jobs=asked.jobs)
    print("\n".join(_lines(report, seconds=time.monotonic() - began)))
    for outcome in report.failures[:_MOST_FAILURES]:
        for violation in outcome.violations:
            print(f"seed {outcome.seed}: {violation.rule}: {violation.sentence}")
    for weakness in report.weaknesses():
        print(weakness)
    if report.failures:
        print("\n".join(["", *shrunk_story(report.failures[0].seed)]))
    return 1 if report.failures or report.weaknesses() else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--seed", type=int, help="tell the story of one")
    parser.add_argument("--digest", type=int, help="print the digest of the log of one")
    return parser.parse_args()


def _tell(seed: int) -> int:
    scenario = scenario_of(seed)
    world = play(scenario)
    print("\n".join(story_of(scenario, world.log.events)))
    violations = check(world.log.events)
    for violation in violations:
        print(f"{violation.rule}: {violation.sentence}")
    return 1 if violations else 0


def _lines(report: Report, *, seconds: float) -> list[str]:
    outcomes, cells = report.outcomes, report.cells
    hours = sum(outcome.seconds for outcome in outcomes) / 3600
    medians = ", ".join(f"{value:g} {name}" for name, value in report.medians().items())
    width = max(len(kind) for kind, _ in CELLS)
    phases = list(dict.fromkeys(phase for _, phase in CELLS))
    table = [f"{'':{width}}" + "".join(f"{phase:>9}" for phase in phases)]
    for kind in dict.fromkeys(kind for kind, _ in CELLS):
        counts = ((cells[f"{kind} {phase}"] if (kind, phase) in CELLS else "") for phase in phases)
        table.append(f"{kind:{width}}" + "".join(f"{count:>9}" for count in counts))
    calls = sum(outcome.requests for outcome in outcomes)
    faults = sum(outcome.faults for outcome in outcomes)
    return [
        *table,
        "",
        f"{len(outcomes)} seeds in {seconds:.0f} s, {hours:,.0f} virtual hours,",
        f"{calls:,} world calls, {faults:,} faults",
        f"median seed: {medians}",
        f"seeds that break a rule: {len(report.failures)}",
    ]


if __name__ == "__main__":
    sys.exit(main())
