"""A machine whose wall clock is SKEW seconds off: put this folder on PYTHONPATH."""  # noqa: INP001

import os
import time
from datetime import timedelta

from msgspec.structs import replace

from provisioner import runtime

_SKEW = timedelta(seconds=float(os.environ.get("SKEW", "0")))
_NOW, _TIME = runtime.SYSTEM.now, time.time

runtime.SYSTEM = replace(runtime.SYSTEM, now=lambda: _NOW() + _SKEW)
time.time = lambda: _TIME() + _SKEW.total_seconds()
