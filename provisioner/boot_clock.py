"""
Seconds since this machine was started, suspension included.

What measures a lease must go on while the machine sleeps: `time.monotonic` stands still then
on Linux and macOS, and a run that was suspended would take a dead lease for a live one.  It
tells no date, and cannot be set.
"""

from __future__ import annotations

import sys
import time


def boot_seconds() -> float:
    """Read the clock; comparable only with other readings in the life of this machine."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    if sys.platform == "darwin":  # where this one counts suspension, and time.monotonic does not
        return time.clock_gettime(time.CLOCK_MONOTONIC)
    return time.monotonic()
