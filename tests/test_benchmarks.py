"""The benchmarks run: a small stack lives through every step."""

import subprocess
import sys

from benchmarks.steps import Step


def test_every_step_is_measured() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--sizes", "10", "--runs", "1"],
        capture_output=True,
        text=True,
        check=True,
    )
    rows = [[cell.strip() for cell in line.split("|")] for line in ran.stdout.splitlines()]
    measured = {row[2]: row for row in rows if row[1:2] == ["10"]}
    assert measured.keys() == {step.value for step in Step}
    assert all(float(figure) > 0 for row in measured.values() for figure in row[3:6])
    assert measured[Step.APPLY_ALL.value][6] == "bare httpx loop"
