"""A report says what seeds promise and do not show."""

from __future__ import annotations

from msgspec.structs import replace

from tests.simulate.campaign import ENOUGH_SEEDS, FEWEST, Outcome, Report, cell_name
from tests.simulate.checker import Rule, Violation
from tests.simulate.scenario import CELLS

RICH = Outcome(
    seed=1,
    digest="",
    violations=(),
    cells={cell_name(*cell): FEWEST for cell in CELLS},
    runs=5,
    entries=3,
    runners=2,
    faults=3,
    requests=9,
    seconds=1.0,
)


def test_nothing_to_say() -> None:
    """Seeds that show what they promise have no weakness."""
    assert Report(outcomes=[RICH]).weaknesses() == []


def test_a_rare_cell() -> None:
    """Of many seeds, a cell that came up too rarely is named; of a few it is not."""
    rare = cell_name(*CELLS[0])
    poor = replace(RICH, cells={**RICH.cells, rare: 0})
    fewer = replace(RICH, cells={})

    assert Report(outcomes=[poor]).weaknesses() == []
    (weakness,) = Report(outcomes=[poor, *[fewer] * ENOUGH_SEEDS]).weaknesses()
    assert weakness == f"fewer than {FEWEST} times: {rare}: 0"


def test_a_poor_median() -> None:
    """A median below what is promised is named."""
    assert Report(outcomes=[replace(RICH, runs=4)]).weaknesses() == [
        "median seed: 4 runs, and 5 are promised"
    ]


def test_unequal_logs() -> None:
    """So is a seed whose log differs from one process to another."""
    report = Report(outcomes=[RICH], unequal=[1])

    assert report.weaknesses() == ["seed 1: its log differs in another process"]


def test_failures() -> None:
    """Seeds that break a rule are listed."""
    violation = Violation(Rule.LOCK_LEFT, 1.0, "a lock")
    broken = replace(RICH, seed=2, violations=(violation,))

    assert Report(outcomes=[RICH, broken]).failures == [broken]
