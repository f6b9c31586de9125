"""The two planners over a hundred thousand cases, for `make check-all`."""

from __future__ import annotations

import pytest

from tests.planner.generated_cases import cases
from tests.planner.test_naive import compare


@pytest.mark.parametrize("seed", range(1_000, 1_020))
def test_the_planners_agree(seed: int) -> None:
    """Over 5,000 cases of each seed both planners decide the same."""
    for case in cases(seed, 5_000):
        compare(case)
