"""
The state of a run: takes facts in, and saves them in groups.

One write is in flight at a time.  A fact waits two seconds for others to join it, longer
only where saving would otherwise take more than a twentieth of the run; so recording costs
what the facts cost, not their square.  Whatever was not saved when the run died is
recovered from the labels of live caches, hence there is no journal.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from provisioner.errors import StateError
from provisioner.homes.holder import Holder
from provisioner.homes.home import OnWait
from provisioner.model import Fact, Scope, State
from provisioner.state.codec import state_bytes
from provisioner.state.draft import Draft
from provisioner.state.lock import lock_state
from provisioner.state.store import StateFile, Store, read_state

LINGER = 2.0
"""Seconds that a fact waits for others."""
SHARE = 1 / 20
"""How much of a run may go into saving."""


def next_save(*, stirred: float, opened: float, spent: float, cost: float) -> float:
    """
    When to save facts of which the first came at *stirred*.

    All are seconds of one monotonic clock: the run began at *opened*, *spent* went into
    saving since, and the next save is expected to take *cost*.
    """
    return max(stirred + LINGER, opened + (spent + cost) / SHARE)


@asynccontextmanager
async def open_ledger(
    path: Path, *, stack: str, who: Holder, timeout: timedelta, on_wait: OnWait
) -> AsyncIterator[Ledger]:
    """
    Hold the state of *stack* at *path*, locked from before it is read until it is saved.

    Raises StateLocked if another run has it and keeps it for *timeout*, and StateError if
    it cannot be trusted, or, at the end, if it cannot be written.
    """
    async with (
        lock_state(path, who=who, timeout=timeout, on_wait=on_wait),
        Ledger(read_state(path, stack=stack), StateFile(path)) as ledger,
    ):
        yield ledger


class Ledger:
    """
    What is remembered, and the promise that it will be written.

    Opened by `async with`, it saves on its own, and always at the end, whatever ends it.
    """

    def __init__(
        self,
        state: State,
        store: Store,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._draft = Draft(state)
        self._store = store
        self._monotonic = monotonic
        self._sleep = sleep
        self._opened = monotonic()
        self._spent = self._cost = 0.0
        self._serial = state.serial
        self._news = self._saved = 0
        self._unsaved = asyncio.Event()
        self._writing = Lock()

    @property
    def state(self) -> State:
        """What is remembered by now: a copy, which costs as much as the state is large."""
        return replace(self._draft.state(), serial=self._serial)

    def record(self, fact: Fact) -> None:
        """Take *fact* in; it will be saved soon."""
        self._stir(news=self._draft.fold(fact))

    def note_scope(self, provider: str, scope: Scope) -> None:
        """Remember where the caches of *provider* live."""
        self._stir(news=self._draft.note_scope(provider, scope))

    def _stir(self, *, news: bool) -> None:
        if news:
            self._news += 1
            self._unsaved.set()

    async def save(self) -> None:
        """
        Save what is not saved yet; it is on disk when this returns.

        Raises StateError if it cannot be written; the next save tries again.
        """
        self._unsaved.clear()
        try:
            await asyncio.to_thread(self._write, self.state, self._news)
        except StateError:
            self._unsaved.set()
            raise

    def save_now(self) -> None:
        """Save without giving way to anybody: for the end of a run, which may be cut short."""
        self._write(self.state, self._news)

    def _write(self, state: State, news: int) -> None:
        with self._writing:
            if news <= self._saved:
                return
            begun = self._monotonic()
            try:
                self._store.write(state_bytes(replace(state, serial=self._serial + 1)))
            finally:
                self._cost = self._monotonic() - begun
                self._spent += self._cost
            self._serial += 1
            self._saved = news

    async def __aenter__(self) -> Self:
        self._saver = asyncio.create_task(self._keep_saving())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._saver.cancel()
        self.save_now()
        await asyncio.wait([self._saver])

    async def _keep_saving(self) -> None:
        while True:
            await self._unsaved.wait()
            now = self._monotonic()
            due = next_save(stirred=now, opened=self._opened, spent=self._spent, cost=self._cost)
            await self._sleep(due - now)
            with suppress(StateError):  # the save at the end tries again, and says so
                await self.save()
