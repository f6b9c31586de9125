"""What the operations of one run share: what is asked of all of them, ports and clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from provisioner.operations.ports import Ports

if TYPE_CHECKING:
    from provisioner.operations.clients import Clients


class StackOptions(Struct, frozen=True, kw_only=True):
    """Which stack is meant, of all that a folder may declare, and where its things are."""

    environment: str | None = None
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
