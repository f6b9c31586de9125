"""
The seconds since this machine booted, for every measure of how long something takes.

Unlike the wall clock it never jumps, and unlike the monotonic clock of Linux it goes on
while the machine is suspended.  A run that compares two clocks, or holds a lease, counts by
it.  It says nothing about the time of day.
"""

from __future__ import annotations

import sys
import time

_BOOT = getattr(time, "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None)
"""
Linux has a clock for it; on macOS this one counts suspension, which `time.monotonic` does not.

Elsewhere the monotonic clock is the nearest, and may rest in a suspend.
"""


def boot_seconds() -> float:
    """Seconds since boot; only the difference of two is worth anything."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)
