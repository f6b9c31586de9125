"""
What a run writes into the history of its stack.

It begins before the first save, so that a run which is killed is remembered as unfinished, and
so that what it replaces is kept first.  A history that cannot be written is a warning and
stops nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from msgspec.structs import replace

from provisioner.errors import StateError
from provisioner.state.history import (
    UNFINISHED,
    PastRun,
    history_bytes,
    parse_history,
    runs_name,
    trimmed,
    version_name,
)
from provisioner.state.state_store import serial_of
from provisioner.storage import Backend, StoredFile
from provisioner.storage.lock_owner import LockOwner
from provisioner.times import moment_text


class Chronicle:
    """The history of *stack*, as one run by *who* writes it."""

    def __init__(
        self, backend: Backend, *, stack: str, who: LockOwner, warn: Callable[[str], None]
    ) -> None:
        self._backend = backend
        self._stack = stack
        self._warn = warn
        self._is_off = backend.keeps_history
        self._version: str | None = None
        self._before: tuple[PastRun, ...] | None = None
        self._run = PastRun(
            run=who.id,
            who=who.who,
            operation=who.operation,
            at=moment_text(who.since),
            commit=who.commit,
            job=who.job,
            fingerprint=None,
            outcome=UNFINISHED,
            kept=None,
        )

    def begin(self, replaced: StoredFile | None) -> None:
        """Keep the state that is to be *replaced*, and remember that this run has begun."""
        self._try(lambda: self._begin(replaced))

    async def end(self, outcome: str, *, fingerprint: str | None = None) -> None:
        """Remember how it ended, also if it replaced nothing."""
        self._run = replace(self._run, outcome=outcome, fingerprint=fingerprint)
        await asyncio.to_thread(self._try, self._write)

    def _try(self, step: Callable[[], None]) -> None:
        if self._is_off:
            return
        try:
            step()
        except StateError as error:
            self._is_off = True
            self._warn(f"warning: the history of {self._stack} is not written: {error}")

    def _begin(self, replaced: StoredFile | None) -> None:
        serial = serial_of(replaced)
        if replaced and serial is not None:
            self._keep(version_name(self._stack, serial), replaced.content)
            self._run = replace(self._run, kept=serial)
        self._write()

    def _keep(self, name: str, content: bytes) -> None:
        there = self._backend.read(name)
        if there is None or there.content != content:
            self._backend.write(name, content, expected=there.version if there else None)

    def _write(self) -> None:
        if self._before is None:
            self._before = self._read()
        runs, stale = trimmed((*self._before, self._run))
        self._version = self._backend.write(
            runs_name(self._stack), history_bytes(self._stack, runs), expected=self._version
        )
        for serial in stale:
            self._drop(version_name(self._stack, serial))

    def _read(self) -> tuple[PastRun, ...]:
        name = runs_name(self._stack)
        found = self._backend.read(name)
        if found is None:
            return ()
        self._version = found.version
        return parse_history(found.content, where=self._backend.where(name))

    def _drop(self, name: str) -> None:
        with suppress(StateError):
            if found := self._backend.read(name):
                self._backend.delete(name, expected=found.version)
