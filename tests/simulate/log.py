"""
What happened in a simulated world, in order.

The checker believes nothing else.  Provider and stores write what happened *there*, with the bytes
that arrived; runners write what they were asked to do and how that ended.  A run is a number that
no other run of the world has; `run=0` is no run: another program, a person, or the world itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias

import msgspec
from msgspec import Struct

EPOCH = datetime(2027, 1, 20, 12, tzinfo=UTC)
"""
Virtual second 0, in the times that a provider writes: `expireTime` is that and `expires_at`.

For 100 days from then no Gemini model of the shipped catalogue changes its price or retires.
"""


class Event(Struct, frozen=True, kw_only=True, tag_field="event", omit_defaults=True):
    """*at* is in virtual seconds since the world began."""

    at: float


# --- the scenario's own words ------------------------------------------------------------------


class TextsChanged(Event, frozen=True, kw_only=True, tag="texts"):
    """A checkout declares these entries from now on, each with its content, spelled out."""

    checkout: str
    stack: str
    """`STACK` or `STACK.ENV`, as labels and states spell it."""
    entries: dict[str, DeclaredEntry]
    moved: dict[str, str] = {}
    """New names of entries by their old ones, as `moved` of the manifest says."""
    publishes: str = ""
    """How the file's name begins that handles are published to; empty where it never changes."""


class DeclaredEntry(Struct, frozen=True, kw_only=True):
    content: str
    model: str
    ttl: float
    """Seconds."""
    is_warm: bool = True
    provider: str = "gemini"
    """Name of the project that it lives in."""
    retire_after: float = 3600.0
    is_protected: bool = False
    adopts: str | None = None
    """The cache that `adopt` names."""


class RunBegun(Event, frozen=True, kw_only=True, tag="run"):
    """A runner starts an operation."""

    run: int
    runner: str
    operation: str
    """apply, keepalive, destroy, plan, drift, …"""
    checkout: str
    stack: str
    approves: bool = False
    """Whether the edits that the checkout declares now are approved (in whole)."""
    approved: dict[str, str | None] = {}
    """Where only some are: the approved content by entry, None for a removal."""
    replaces: tuple[str, ...] = ()
    """Entries that the caller asks to make again."""
    prunes: bool = False
    is_scheduled: bool = False
    """Whether the schedule that keeps caches warm started it."""
    clean: int = 0
    """1, 2, 3 for the runs after the last fault."""


class RunEnded(Event, frozen=True, kw_only=True, tag="end"):
    run: int
    outcome: str
    """`done`, `failed`, `refused`, `killed`, `error` (a documented one), or an exception's name."""
    detail: str = ""


class FaultHappened(Event, frozen=True, kw_only=True, tag="fault"):
    """A fault that took effect, in the phase of the run that it met."""

    kind: str
    phase: str
    run: int = 0
    detail: str = ""


class FaultsEnded(Event, frozen=True, kw_only=True, tag="calm"):
    """From here on the world is well: only clean runs follow."""


# --- the provider ------------------------------------------------------------------------------


class CacheCreated(Event, frozen=True, kw_only=True, tag="created"):
    request: int
    run: int
    project: str
    cache: str
    """`cachedContents/…`; no other cache of the world has that name, in any project."""
    label: str
    """Its displayName."""
    model: str
    content: str
    """The text that was posted, all parts and the system instruction, spelled out."""
    expires_at: float


class CachePatched(Event, frozen=True, kw_only=True, tag="patched"):
    request: int
    run: int
    project: str
    cache: str
    expires_at: float
    asked: float | None = None
    """The expiry that was asked for, where the provider granted another."""


class CacheDeleted(Event, frozen=True, kw_only=True, tag="deleted"):
    request: int
    run: int
    project: str
    cache: str


class CacheExpired(Event, frozen=True, kw_only=True, tag="expired"):
    project: str
    cache: str


class CachesListed(Event, frozen=True, kw_only=True, tag="listed"):
    """
    A page of a LIST, and all that was alive, the newest first.

    A LIST lags or lies where no page shows it.
    """

    request: int
    run: int
    project: str
    shown: tuple[str, ...]
    alive: tuple[str, ...]


class RequestAnswered(Event, frozen=True, kw_only=True, tag="answered"):
    """How a request to the provider or a server of states ended for its sender, and when."""

    request: int
    run: int
    method: str
    path: str
    status: int
    """0 if it never reached the server."""
    is_delivered: bool

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


# --- stores ------------------------------------------------------------------------------------


class FileRead(Event, frozen=True, kw_only=True, tag="read"):
    run: int
    store: str
    file: str
    version: str | None
    """None if there was none."""


class FileWritten(Event, frozen=True, kw_only=True, tag="written"):
    """An accepted write; with `run=0` no run made it: the file was lost, rolled back or torn."""

    run: int
    store: str
    file: str
    replaced: str | None
    """The version before; None if there was none."""
    version: str
    content: bytes


class FileDeleted(Event, frozen=True, kw_only=True, tag="removed"):
    run: int
    store: str
    file: str
    version: str


class WriteRefused(Event, frozen=True, kw_only=True, tag="conflict"):
    run: int
    store: str
    file: str
    expected: str | None
    version: str | None


class LockChanged(Event, frozen=True, kw_only=True, tag="lock"):
    """A lock of a server of states; leases are files."""

    run: int
    store: str
    file: str
    owner: str | None
    """The id of the lock; None once it is free."""


WorldEvent: TypeAlias = (
    TextsChanged
    | RunBegun
    | RunEnded
    | FaultHappened
    | FaultsEnded
    | CacheCreated
    | CachePatched
    | CacheDeleted
    | CacheExpired
    | CachesListed
    | RequestAnswered
    | FileRead
    | FileWritten
    | FileDeleted
    | WriteRefused
    | LockChanged
)


class Log:
    """The events of one world, as they happen."""

    def __init__(self) -> None:
        self.events: list[WorldEvent] = []
        self._sources: list[Callable[[float], list[WorldEvent]]] = []

    def follow(self, source: Callable[[float], list[WorldEvent]]) -> None:
        """Ask *source*, before each event, for what time alone has brought about until then."""
        self._sources.append(source)

    def add(self, event: WorldEvent) -> None:
        self.catch_up(event.at)
        self.events.append(event)

    def catch_up(self, until: float) -> None:
        """Write what time has brought about; at the end of a world as well."""
        events = [event for source in self._sources for event in source(until)]
        self.events += sorted(events, key=lambda event: event.at)

    def digest(self) -> str:
        """Equal for equal worlds, in any process."""
        return sha256(msgspec.json.encode(self.events)).hexdigest()
