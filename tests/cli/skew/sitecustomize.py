"""A machine whose wall clock is SKEW seconds off: put this folder on PYTHONPATH."""  # noqa: INP001

import datetime as dt
import os
import time

_SKEW = float(os.environ.get("SKEW", "0"))
_TIME = time.time


class _Datetime(dt.datetime):
    @classmethod
    def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]
        return dt.datetime.fromtimestamp(_TIME() + _SKEW, tz)


time.time = lambda: _TIME() + _SKEW
dt.datetime = _Datetime  # type: ignore[misc]
