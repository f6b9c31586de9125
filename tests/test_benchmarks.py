"""The benchmarks run: a small stack lives through every step."""

import os
import subprocess
import sys
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest

from benchmarks.pace import pace
from benchmarks.steps import Step

ROOT = Path(__file__).parent.parent


@pytest.mark.heavy
def test_every_step_is_measured(tmp_path: Path) -> None:
    """From a checkout that nothing has compiled yet, as packages that pip installs are."""
    for folder in ("benchmarks", "provisioner", "schemas"):
        copytree(ROOT / folder, tmp_path / folder, ignore=ignore_patterns("__pycache__"))
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--sizes", "10", "--runs", "1"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [[cell.strip() for cell in line.split("|")] for line in ran.stdout.splitlines()]
    measured = {row[2]: row for row in rows if row[1:2] == ["10"]}
    assert measured.keys() == {step.value for step in Step}
    assert all(float(figure) > 0 for row in measured.values() for figure in row[3:6])
    assert measured[Step.APPLY_ALL.value][6] == "bare httpx loop"
    assert [*tmp_path.glob("provisioner/planner/__pycache__/*.pyc")], "ours was not compiled"


@pytest.mark.heavy
def test_pace_is_measured() -> None:
    """An apply against a slow project is measured by what arrived there."""
    took = pace(ROOT, 4, quota=0, takes=0.05)

    assert (took.accepted, took.refused, took.status) == (4, 0, 0)
    assert 0.05 <= took.seconds < took.wall
