"""
Exit statuses: the first of these that applies.

* 130, 143  interrupted by SIGINT, SIGTERM
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

from enum import IntEnum


class Status(IntEnum):
    """What the shell is told."""

    OK = 0
    FAILED = 1
    PENDING = 2
    REFUSED = 3
    LOCKED = 4
    USAGE = 64
    INTERRUPTED = 130
    TERMINATED = 143


_ORDER = (
    Status.INTERRUPTED,
    Status.TERMINATED,
    Status.USAGE,
    Status.LOCKED,
    Status.FAILED,
    Status.REFUSED,
    Status.PENDING,
    Status.OK,
)


def first_of(*statuses: Status) -> Status:
    """The most telling of several statuses."""
    return min(statuses, key=_ORDER.index, default=Status.OK)
