"""The seconds since boot."""

from __future__ import annotations

import subprocess
import sys

from provisioner.boot_time import boot_seconds


def test_it_never_goes_back() -> None:
    """Each reading is as late as the one before, or later."""
    readings = [boot_seconds() for _ in range(1_000)]

    assert readings == sorted(readings)


def test_processes_agree() -> None:
    """Two processes of one machine count from the same moment."""
    program = "from provisioner.boot_time import boot_seconds; print(boot_seconds())"
    before = boot_seconds()
    there = float(subprocess.check_output([sys.executable, "-c", program]))

    assert before <= there <= boot_seconds()
