"""
The state of a run: takes facts in, and saves them in groups.

One write is in flight at a time.  A fact waits two seconds for others to join it, longer
only where saving would otherwise take more than a twentieth of the run; so recording costs
what the facts cost, not their square.  What was not saved when the run died is
recovered from the labels of live caches, hence there is no journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from hashlib import sha256
from types import TracebackType
from typing import Protocol, Self, Unpack

from msgspec.structs import replace

from provisioner.errors import StateError, StateTaken, Unsaved
from provisioner.model.facts import Fact, Scope, State
from provisioner.runtime import Runtime
from provisioner.state import state_name, state_of
from provisioner.state.draft import Draft, StateNotes
from provisioner.state.state_file import state_bytes
from provisioner.storage import Backend, Lock, OnWait, StoredFile
from provisioner.storage.lock_owner import LockOwner

LINGER = 2.0
"""Seconds that a fact waits for others."""
SHARE = 1 / 20
"""How much of a run may go into saving."""

_LOST = (
    "another run has taken the state meanwhile: this one waited too long, or a person ended its "
    "lock.  It begins nothing more and retires nothing; what it made and could not save, the next "
    "run recognises by its label and takes over.  Run again."
)


def next_save(*, stirred: float, opened: float, spent: float, cost: float) -> float:
    """
    When to save facts of which the first came at *stirred*.

    All are seconds of one monotonic clock: the run began at *opened*, *spent* went into
    saving since, and the next save is expected to take *cost*.
    """
    return max(stirred + LINGER, opened + (spent + cost) / SHARE)


@asynccontextmanager
async def open_ledger(
    backend: Backend,
    *,
    stack: str,
    who: LockOwner,
    runtime: Runtime,
    timeout: timedelta,
    on_wait: OnWait,
    before_save: Callable[[StoredFile | None], None],
    read: Callable[[StoredFile | None], State] | None = None,
) -> AsyncIterator[Ledger]:
    """
    Hold the state of *stack*, locked from before it is read until it is saved.

    *before_save* gets what the first save will replace, in the thread that saves.  A lock
    that was taken over is followed by a save, so that nothing its loser still writes is taken.
    *read* makes a state of the stored file, in place of `state_of`.

    Raises StateLocked if another run has it and keeps it for *timeout*, StateError if it
    cannot be trusted, and, at the end, Unsaved if it cannot be written.
    """
    name = state_name(stack)
    async with backend.lock(name, who, timeout=timeout, on_wait=on_wait) as lock:
        file = await runtime.in_thread(partial(backend.read, name))
        state = read(file) if read else state_of(file, where=backend.where(name), stack=stack)
        store = LockedFile(backend, lock, name, file, before_save)
        async with Ledger(state, store, run=who.id, runtime=runtime) as ledger:
            if lock.took_over:
                await ledger.claim()
            yield ledger


class Store(Protocol):
    """Where the bytes of one state go.  Its only error is StateError."""

    @property
    def is_lost(self) -> bool:
        """Whether another run may write there by now."""
        ...

    def renew(self) -> bool:
        """Renew the lock, unless that was done a moment ago, and say whether it is still held."""
        ...

    def write(self, content: bytes) -> None:
        """
        Replace what is there by *content* in one step, or leave it as it was.

        Raises StateTaken if another run has certainly written there.
        """
        ...


@dataclass(repr=False, eq=False)
class LockedFile:
    """
    A file under a lock, written only while it is what we last read or wrote.

    A write whose answer was lost may have been done: what it has written is ours as well.
    """

    backend: Backend
    lock: Lock
    name: str
    file: StoredFile | None
    """What the first write will replace, for as long as that is to come."""
    before: Callable[[StoredFile | None], None] | None
    """What gets it."""
    _unanswered: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._version = self.file.version if self.file else None

    @property
    def is_lost(self) -> bool:
        return self.lock.is_lost

    def renew(self) -> bool:
        return self.lock.renew()

    def write(self, content: bytes) -> None:
        if self.before and not self.lock.is_lost:
            self.before(self.file)
            self.before = self.file = None
        try:
            self._version = self._write(content)
        except StateTaken:
            raise
        except StateError:
            self._unanswered.add(_digest(content))
            raise
        self._unanswered.clear()

    def _write(self, content: bytes) -> str:
        try:
            return self.lock.write(self.name, content, expected=self._version)
        except StateTaken:
            file = self._ours()
            if file is None:
                raise
        if file.content == content:
            return file.version
        return self.lock.write(self.name, content, expected=file.version)

    def _ours(self) -> StoredFile | None:
        """The file as a write of ours that was not answered has left it."""
        if self.lock.is_lost or not self._unanswered:
            return None
        file = self.backend.read(self.name)
        return file if file and _digest(file.content) in self._unanswered else None


def _digest(content: bytes) -> bytes:
    return sha256(content).digest()


class Ledger:
    """
    What is remembered, and the promise that it will be written.

    Opened by `async with`, it saves on its own, and always at its end, also when an error ends it.
    """

    def __init__(self, state: State, store: Store, *, run: str, runtime: Runtime) -> None:
        self._draft = Draft(state)
        self._store = store
        self._run = run
        self._runtime = runtime
        self._opened = runtime.monotonic()
        self._spent = self._cost = 0.0
        self._serial = state.serial
        self._news = self._saved = 0
        self._unsaved = asyncio.Event()
        self._writing = runtime.lock()
        self._is_taken = False

    @property
    def state(self) -> State:
        """What is remembered by now: a copy, which costs as much as the state is large."""
        return replace(self._draft.state(), serial=self._serial)

    @property
    def is_lost(self) -> bool:
        """Whether the state is not ours to change any more."""
        return self._is_taken or self._store.is_lost

    async def renew_lock(self) -> bool:
        """
        Renew the lock, unless that was done a moment ago, and say whether it is still held.

        To be asked immediately before a cache is retired or deleted: a run that was suspended,
        or whose lock a person ended, finds out before it harms what its successor published.
        """
        is_held = await self._runtime.in_thread(self.renew_lock_now)
        return is_held and not self.is_lost  # the answer may be as old as a suspension is long

    def renew_lock_now(self) -> bool:
        """The same in this thread, which it may block."""
        return not self._is_taken and self._store.renew() and not self.is_lost

    @property
    def has_news(self) -> bool:
        """Whether anything is remembered that was not when it was opened."""
        return self._news > 0

    async def claim(self) -> None:
        """
        Write what is there once more, as ours; raises what `save` raises.

        Its serial stays, for nothing new is remembered: what the loser could not save and left
        in a file is still the next.
        """
        self._serial -= 1
        self._stir(news=True)
        await self.save()

    def put(self, state: State) -> None:
        """Remember *state* instead; it is saved with a serial no lower than its own."""
        self._draft = Draft(state)
        self._serial = max(self._serial, state.serial - 1)
        self._stir(news=True)

    def record(self, fact: Fact) -> None:
        """Take *fact* in; it will be saved soon."""
        self._stir(news=self._draft.fold(fact))

    def note_scope(self, provider: str, scope: Scope) -> None:
        """Remember where the caches of *provider* live."""
        self._stir(news=self._draft.note_scope(provider, scope))

    def note(self, **notes: Unpack[StateNotes]) -> None:
        """Remember what no fact is about."""
        self._stir(news=self._draft.note(**notes))

    def _stir(self, *, news: bool) -> None:
        if news:
            self._news += 1
            self._unsaved.set()

    async def save(self) -> None:
        """
        Save what is not saved yet; it is in its backend when this returns.

        Raises StateError if it cannot be written; the next save tries again.  Raises it with
        or without news if the state is not ours any more, or that is uncertain: StateTaken if
        another run has certainly taken it.
        """
        if self._is_taken:
            raise StateTaken(_LOST)
        self._unsaved.clear()
        try:
            write = partial(self._write, self.state, self._news, anyway=self._store.is_lost)
            await self._runtime.in_thread(write)
        except StateError:
            self._unsaved.set()
            raise

    def save_now(self) -> None:
        """Save without a thread: for the end of a run, which may be cut short."""
        self._write(self.state, self._news)

    def _write(self, state: State, news: int, *, anyway: bool = False) -> None:
        """Write *state* if it has news, or *anyway*: a store that is lost says why it is."""
        with self._writing:
            if news <= self._saved and not anyway:
                return
            begun = self._runtime.monotonic()
            try:
                self._store.write(self._next(state))
            except StateTaken as error:
                self._is_taken = True
                raise StateTaken(_LOST) from error
            finally:
                self._cost = self._runtime.monotonic() - begun
                self._spent += self._cost
            self._serial += 1
            self._saved = news

    def _next(self, state: State) -> bytes:
        return state_bytes(replace(state, serial=self._serial + 1, run=self._run))

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
        try:
            self.save_now()
        except StateTaken:
            raise
        except StateError as failure:
            raise Unsaved(str(failure), content=self._next(self.state)) from failure
        finally:
            await asyncio.wait([self._saver])

    async def _keep_saving(self) -> None:
        while True:
            await self._unsaved.wait()
            now = self._runtime.monotonic()
            due = next_save(stirred=now, opened=self._opened, spent=self._spent, cost=self._cost)
            await self._runtime.sleep(due - now)
            with suppress(StateError):  # the save at the end tries again, and says so
                await self.save()
