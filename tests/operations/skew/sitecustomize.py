"""A machine whose wall clock is SKEW seconds off: put this folder on PYTHONPATH."""  # noqa: INP001

import os
import time
from datetime import timedelta

from provisioner.cli import clock

_SKEW = timedelta(seconds=float(os.environ.get("SKEW", "0")))
_NOW, _TIME = clock.now, time.time

clock.now = lambda: _NOW() + _SKEW
time.time = lambda: _TIME() + _SKEW.total_seconds()
