"""
What becomes of one world call: of a request, or of a read or write of a file.

The scheduler asks `Fates.of` for each one before it is sent.
"""

from __future__ import annotations

from enum import StrEnum, auto
from typing import Protocol

from msgspec import Struct


class Verb(StrEnum):
    """Kinds of world calls."""

    CREATE = auto()
    PATCH = auto()
    DELETE = auto()
    LIST = auto()
    GET = auto()
    COUNT = auto()
    READ = auto()
    """Of a file; of a state server, GET."""
    WRITE = auto()
    REMOVE = auto()
    LOCK = auto()
    """Of a state server alone."""
    UNLOCK = auto()


class WorldCall(Struct, frozen=True, kw_only=True):
    """A call that leaves a process."""

    runner: str
    run: int
    number: int
    """Counts the world calls of the run, from 1."""
    verb: Verb
    where: str
    """Name of the project or the store."""
    target: str
    """The file, the cache, or nothing."""


class Moment(StrEnum):
    """Where something falls, between the moments of one world call."""

    BEFORE_EFFECT = auto()
    AFTER_EFFECT = auto()


class Fate(Struct, frozen=True, kw_only=True):
    """What happens to one world call; by default nothing but time."""

    out: float = 0.0
    """Seconds until it has its effect, beside the usual."""
    back: float = 0.0
    """Seconds until its answer arrives, beside the usual."""
    is_dropped: bool = False
    """It never has an effect, and no answer comes: for HTTP, the connection breaks."""
    is_lost: bool = False
    """It has its effect, and the answer is lost: for HTTP, the connection breaks."""
    overrun: float = 0.0
    """Where the answer is lost: it has its effect so many seconds after the connection broke."""
    is_doubled: bool = False
    """It has its effect twice, as if a proxy sent it again; the second answer arrives."""
    status: int | None = None
    """An answer of this status without an effect (429, 500, 503 …), if any."""
    kill: Moment | None = None
    suspend: tuple[Moment, float] | None = None
    """For so many seconds the machine of the run stands still."""
    signal: Moment | None = None
    """A request to stop, as SIGTERM is."""


USUAL = Fate()


class Fates(Protocol):
    """Decides what becomes of world calls; holds the faults of a scenario."""

    def of(self, call: WorldCall) -> Fate: ...
