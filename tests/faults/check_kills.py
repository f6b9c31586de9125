"""A sample of the campaign in `kills.py`: a minute of killed runs on every backend."""

from __future__ import annotations

import sys

import pytest

from tests.faults.kills import BACKENDS, campaign

KILLS = 90

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the library is preloaded")


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_clean_run_is_enough(backend: str) -> None:
    """However a run is killed, the next one converges: nothing twice, nothing lost, no draft."""
    lines = [*campaign(KILLS // len(BACKENDS), seed=KILLS, backends=(backend,))]

    assert sum(int(line.split("|")[4]) for line in lines) > KILLS // len(BACKENDS) // 2
