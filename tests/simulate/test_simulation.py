"""No simulated world breaks a rule, and equal seeds make equal worlds."""

from __future__ import annotations

import pytest

from tests.simulate.campaign import digest_elsewhere, outcome_of, shrunk_story

SEEDS = 200
CHUNK = 10


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_no_seed_breaks_a_rule(first: int) -> None:
    """Real operations converge, make nothing needlessly and harm nothing, also under faults."""
    for seed in range(first, first + CHUNK):
        outcome = outcome_of(seed)
        assert not outcome.violations, "\n".join(shrunk_story(seed))


@pytest.mark.parametrize("seed", [0, 100])
def test_the_same_seed_elsewhere(seed: int) -> None:
    """The log is the same in another process, with another order of sets."""
    assert digest_elsewhere(seed) == outcome_of(seed).digest
