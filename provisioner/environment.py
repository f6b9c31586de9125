"""
The process's environment, as everything of ours reads it: its variables, and the boot time.

A variable that is set to nothing counts as unset: CI sets those that a job does not have to the
empty text.  Git's own variables stay as they are, since to git an empty one is a choice.

The seconds since boot measure how long something takes.  Unlike the wall clock they never jump,
and unlike the monotonic clock of Linux they go on while the machine is suspended.  A run that
compares two clocks, or holds a lease, counts by them.  They say nothing about the time of day.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from types import MappingProxyType

_BOOT = getattr(time, "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None)
"""
Linux has a clock for it; on macOS this one counts suspension, which `time.monotonic` does not.

Elsewhere the monotonic clock is the nearest, and may rest in a suspend.
"""


def process_environment() -> Mapping[str, str]:
    """Read the variables that are set now, without those that are empty."""
    return MappingProxyType(set_in(os.environ))


def set_in(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what *environ* sets to more than nothing, and git's own variables."""
    return {key: text for key, text in environ.items() if text or key.startswith("GIT_")}


def boot_seconds() -> float:
    """Seconds since boot; only the difference of two is worth anything."""
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)
