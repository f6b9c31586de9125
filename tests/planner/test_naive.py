"""Two planners, written apart from each other, agree."""

from __future__ import annotations

import pytest

from provisioner.planner import edits, plan
from provisioner.planner.brake import brakes, held_back
from provisioner.planner.decision_table import ROWS
from tests.builders import STACK
from tests.planner.generated_cases import cases
from tests.planner.naive import Case, Naive, line_of


def compare(case: Case) -> set[tuple[str, str]]:
    """Hold both planners against each other; return the rows and verbs that were decided."""
    whole = plan(
        case.desired,
        case.state,
        case.live,
        stack=STACK,
        now=case.now,
        ahead=case.ahead,
        destroy=case.destroy,
        prune=case.prune,
        replace=case.replace,
        renames=case.renames,
        owners=case.owners,
    )
    held = brakes(whole, case.state, case.live, accepted=case.accepted)
    braked = held_back(whole, held, lambda _: "held")
    naive = Naive(case)

    assert [line_of(change) for change in braked.changes] == naive.lines()
    assert braked.edits == naive.edits() - naive.resting()
    assert braked.rested == naive.resting()
    if not case.renames:
        assert edits(case.desired, case.state) == naive.edits()
    for change in braked.changes:
        assert change.verb in change.row.verbs
        assert change.reason in change.row.reasons
    return {(change.row.id, change.verb) for change in braked.changes}


@pytest.mark.parametrize("seed", range(5))
def test_the_planners_agree(seed: int) -> None:
    """Over generated cases, a naive planner from the design's tables decides the same."""
    for case in cases(seed, 100):
        compare(case)


def test_the_cases_reach_every_row() -> None:
    """What the generator draws leads to each row of the table, and to each of its verbs."""
    decided = {pair for case in cases(99, 1_000) for pair in compare(case)}

    assert decided == {(row.id, verb) for row in ROWS for verb in row.verbs}
