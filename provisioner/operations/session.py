"""
What every operation takes: a session, and in it what it needs of the world, as values.

Time, chance, the environment, the person at the console and the wish to stop come in here and
nowhere else, so that an operation runs in a command, in a library and in a simulation alike.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from provisioner.errors import Problem
from provisioner.runtime import InThread, Runtime
from provisioner.storage import OnWait, OpenBackend, open_backend

if TYPE_CHECKING:
    from provisioner.operations.clients import Clients


Listen: TypeAlias = Callable[[Callable[[], None]], AbstractContextManager[Callable[[], bool]]]
"""While the block lasts: calls its argument at the first request to stop, yields if one came."""


class Misuse(Exception):
    """An operation was asked for in a way that means nothing; *option* is the one to blame."""

    def __init__(self, sentence: str, *, option: str | None = None) -> None:
        super().__init__(sentence)
        self.option = option


class Console(Struct, frozen=True, kw_only=True):
    """The person who runs an operation."""

    report: Callable[[str], None]
    """Write a line of results."""
    note: Callable[[str], None]
    """Write a sentence beside the results."""
    warn: Callable[[str], None]
    """Write a warning beside the results."""
    advise: Callable[[Sequence[Problem]], None]
    """Write what is worth a warning in a manifest, each with its place."""
    confirm: Callable[[str], Awaitable[bool]]
    """Ask a question whose answer is yes or no; no is the answer to silence."""
    is_interactive: Callable[[], bool]
    """Whether a question would reach a person."""
    waiting: Callable[[], OnWait]
    """What shows a wait for another run."""


class Ports(Runtime, frozen=True, kw_only=True):
    """The world around one run."""

    environ: Mapping[str, str]
    folder: Path
    """From which relative paths count."""
    read: InThread
    """
    Runs a call that blocks, changes nothing and may last: beside the event loop, or in this thread
    where no other work waits and a signal has to end it at once.
    """
    console: Console
    listen: Listen
    open_backend: OpenBackend = open_backend
    """Opens where states and handles are kept."""

    def locally(self, when: datetime | timedelta | None) -> datetime:
        """A moment, or a span from now, by the local clock: for what no provider is asked about."""
        match when:
            case None:
                return self.now()
            case timedelta():
                return self.now() + when
            case _:
                return when


class StackOptions(Struct, frozen=True, kw_only=True):
    """Which stack is meant, of all that a folder may declare, and where its things are."""

    environment: str | None = None
    loaded_as: str | None = None
    """STACK or STACK.ENVIRONMENT, which the manifest must still name, if it was read before."""
    emulator: bool = False
    address: str | None = None
    """Of the state, over what the manifest says."""
    models: Path | None = None
    """A file of models and prices, over those that ctxprov ships."""
    accept_scope: bool = False
    """Whether the key may belong to another project than the state."""
    accept_missing: bool = False
    """Whether caches are made again at once though much of a project is missing together."""


class Session(Struct, frozen=True, kw_only=True):
    """One run of an operation over its stacks."""

    options: StackOptions
    ports: Ports
    clients: Clients
