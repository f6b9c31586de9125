"""
A state that is held: locked, read, changed and saved, its history written.

Where the last save fails, what the run knows is left on this machine rather than lost.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from provisioner.errors import StateError, Unsaved
from provisioner.model.facts import State
from provisioner.operations.session import Ports
from provisioner.state.group_commit import Ledger, open_ledger
from provisioner.state.history import HistoryWriter
from provisioner.storage import Backend, StoredFile
from provisioner.storage.lock_owner import lock_owner_here


class LockedState(Struct, frozen=True):
    """What is remembered of a stack, and what is written of the run that changes it."""

    ledger: Ledger
    history: HistoryWriter

    async def end(self, outcome: str, *, fingerprint: str | None = None) -> None:
        """Save, then add the end to the history.  Raises StateError if it cannot be saved."""
        await self.ledger.save()
        await self.history.end(outcome, fingerprint=fingerprint)


@asynccontextmanager
async def locked_state(
    ports: Ports,
    backend: Backend,
    *,
    stack: str,
    operation: str,
    timeout: timedelta,
    commit: str | None = None,
    read: Callable[[StoredFile | None], State] | None = None,
) -> AsyncIterator[LockedState]:
    """
    Hold the state of *stack* for as long as the block lasts; *read* is as in `open_ledger`.

    The history names *commit*, else the one that CI names.

    Raises StateLocked, or StateError, which names the file that holds what could not be saved.
    """
    who = lock_owner_here(operation, environ=ports.environ, runtime=ports)
    who = replace(who, commit=commit or who.commit)
    history = HistoryWriter(backend, stack=stack, who=who, warn=ports.console.note, runtime=ports)
    try:
        async with open_ledger(
            backend,
            stack=stack,
            who=who,
            runtime=ports,
            timeout=timeout,
            on_wait=ports.console.waiting(),
            before_save=history.begin,
            read=read,
        ) as ledger:
            yield LockedState(ledger, history)
    except Unsaved as error:
        raise StateError(f"{error}  {_rescued(error.content, ports.folder, stack)}") from error


def _rescued(content: bytes, folder: Path, stack: str) -> str:
    try:
        path = _put_aside(content, folder, stack)
    except OSError:
        return (
            "This run could not write what it knows here either; the next run finds by label "
            "what this run created."
        )
    return (
        f"What this run knows is in {path}: once the cause is fixed, ctxprov state push {path} "
        "puts it in its place.  Without it the next run finds by label what this run created."
    )


def _put_aside(content: bytes, folder: Path, stack: str) -> Path:
    """Write *content* into a new file of *folder*."""
    for number in count(1):
        path = folder / f"{stack}.unsaved{f'-{number}' if number > 1 else ''}.json"
        try:
            with path.open("xb") as file:
                file.write(content)
        except FileExistsError:
            continue
        return path
    raise AssertionError  # one of countless names is free
