"""
Exit statuses: the first of these that applies.

* 129, 130, 143  interrupted by SIGHUP (the terminal hung up), SIGINT, SIGTERM
* 64        wrong usage
* 4         the state is locked by another run
* 1         something failed; or nothing is on record although labels are alive, or in a folder
            under `CI` (keepalive, next)
* 3         something was refused: blocked, an edit that is not approved, beyond a limit, an older
            commit, nothing declared, another project, a stack that was renamed, declined
* 2         changes are pending (`plan --detailed-exitcode` only), or `drift` found some
* 0         all is well
"""

from __future__ import annotations

import signal
import sys
from enum import IntEnum


class Status(IntEnum):
    """The status that the shell gets."""

    OK = 0
    FAILED = 1
    PENDING = 2
    REFUSED = 3
    LOCKED = 4
    USAGE = 64
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


_ORDER = (
    Status.HUNG_UP,
    Status.INTERRUPTED,
    Status.TERMINATED,
    Status.USAGE,
    Status.LOCKED,
    Status.FAILED,
    Status.REFUSED,
    Status.PENDING,
    Status.OK,
)


SIGNALLED = frozenset({Status.HUNG_UP, Status.INTERRUPTED, Status.TERMINATED})
"""What a signal leaves."""


def endings() -> dict[signal.Signals, Status]:
    """
    The signals, besides SIGINT, that ask the program to end.

    SIGHUP is none where the program was started to outlive its terminal, as by nohup.
    """
    statuses = {signal.SIGTERM: Status.TERMINATED}
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        statuses[signal.SIGHUP] = Status.HUNG_UP
    return statuses


def first_of(*statuses: Status) -> Status:
    """The most telling of several statuses."""
    return min(statuses, key=_ORDER.index, default=Status.OK)
