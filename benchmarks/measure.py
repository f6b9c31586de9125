"""
What a command costs, as a whole process: wall and CPU seconds, and the most memory it held.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

_KIB_PER_UNIT = 1 if sys.platform != "darwin" else 1 / 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one run, or the medians of several."""

    wall: float
    cpu: float
    peak: float
    """MiB; no less than what this process holds when it starts another."""


def run(command: Sequence[str], environ: Mapping[str, str] | None = None) -> Cost:
    """Run *command* and throw away what it prints; a failure ends the measurement."""
    begun = time.perf_counter()
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr  # noqa: S101  # it is a pipe
        errors = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begun
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{errors.decode()[-2000:]}")
    return Cost(
        wall=wall,
        cpu=used.ru_utime + used.ru_stime,
        peak=used.ru_maxrss * _KIB_PER_UNIT / 1024,
    )


def median(costs: Iterable[Cost]) -> Cost:
    costs = list(costs)
    return Cost(
        wall=statistics.median(cost.wall for cost in costs),
        cpu=statistics.median(cost.cpu for cost in costs),
        peak=statistics.median(cost.peak for cost in costs),
    )
