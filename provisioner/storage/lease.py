"""
A lock that a dead run cannot keep: a lease, by compare-and-swap on a small file.

`support-bot.json` is guarded by `support-bot.lock.json`, which says who holds it and until
when.  Its owner renews it three times a term.  It may be taken over

* if it was released, or never was taken; or
* if it did not change for a whole term while we watched, by our own boot-time clock.

No wall clock decides, neither ours nor the owner's, for either may be wrong: a lease past its
`until` is only a reason to watch it for a term, however short the caller wanted to wait.  A
owner that was renewed meanwhile is alive.  The owner, too, measures its term by boot time, in
which suspension counts, and renews before a call that cannot be undone.

A lease decides who goes first, and no more.  A run that is stopped for longer than a term and
then wakes up finds out before it retires or deletes; what protects the state is that every
write of it is conditional, and that who takes over rewrites it first.

To release is to overwrite the file with a document that says so, never to delete it: not every
store deletes on a condition, and a lock that another run owns by now must stay.  A lock that
was ended without its owner is free as well, and taking it is taking it over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import KW_ONLY, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from provisioner.documents import utf8
from provisioner.errors import BackendUnreachable, StateError, StateLocked, StateTaken
from provisioner.runtime import Runtime
from provisioner.storage import Files, Lock, OnWait, StoredFile
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes, parse_lock_owner
from provisioner.times import duration_text, moment_text

TERM = timedelta(seconds=60)
"""How long a lock lives without a renewal."""
_FRESH = 1 / 6
"""The part of a term for which a renewal need not be repeated before a call that deletes."""

_Answer = TypeVar("_Answer")


@dataclass(repr=False, eq=False)
class LeaseBackend:
    """Files that can keep conditions, made a backend by leases."""

    files: Files
    _: KW_ONLY
    runtime: Runtime
    term: timedelta = TERM
    keeps_history: ClassVar[bool] = False

    def where(self, name: str) -> str:
        return self.files.where(name)

    def read(self, name: str) -> StoredFile | None:
        return self.files.read(name)

    def confirm(self, name: str) -> None:
        self.files.confirm(name)

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        return self.files.write(name, content, expected=expected)

    def delete(self, name: str, *, expected: str) -> None:
        self.files.delete(name, expected=expected)

    def lock_owner(self, name: str) -> LockOwner | None:
        return self.locked(name)[1]

    def locked(self, name: str) -> tuple[StoredFile | None, LockOwner | None]:
        """The file that guards *name*, and whom it names."""
        file = self.files.read(lock_name(name))
        return file, parse_lock_owner(file.content) if file else None

    def unlock(self, name: str, lock_id: str) -> None:
        file, owner = self.locked(name)
        if file is None or owner is None or owner.id != lock_id:
            reason = f"{owner}, lock {owner.id}, holds it" if owner else "it is not locked"
            raise StateTaken(f"{self.where(name)} has no lock {lock_id}: {reason}.")
        self.free(name, lock_id, ended=True, expected=file.version)

    def free(self, name: str, lock_id: str, *, ended: bool, expected: str) -> None:
        """Overwrite the lock *lock_id* of *name* with the document that says it is free."""
        content = free_bytes(lock_id, self.runtime.now(), ended=ended)
        self.files.write(lock_name(name), content, expected=expected)

    @asynccontextmanager
    async def lock(
        self, name: str, who: LockOwner, *, timeout: timedelta, on_wait: OnWait
    ) -> AsyncIterator[Lock]:
        lease = Lease(self, name, who)
        try:
            await self._acquire(lease, timeout, on_wait)
            renewal = asyncio.create_task(lease.keep())
            try:
                yield lease
            finally:
                renewal.cancel()
                await asyncio.wait([renewal])
        finally:
            with suppress(StateError):  # what cannot be released runs out
                await to_its_end(self.runtime, lease.release)

    async def _acquire(self, lease: Lease, timeout: timedelta, on_wait: OnWait) -> None:
        deadline = self.runtime.boot_seconds() + timeout.total_seconds()
        watch = LeaseWatch(now=self.runtime.now, term=self.term)
        while True:
            file, owner = await to_its_end(self.runtime, partial(self.locked, lease.name))
            at = self.runtime.boot_seconds()
            if file is None or watch.may_take(file, at=at):
                with suppress(StateTaken):  # another run was faster
                    return await to_its_end(self.runtime, partial(lease.take, file))
                continue
            remaining = max(deadline - at, watch.remaining(owner, at=at))
            if remaining <= 0:
                raise StateLocked(self._refusal(lease.name, owner))
            on_wait(owner, timedelta(seconds=remaining))
            await self.runtime.sleep(min(self.term.total_seconds() / 30, remaining))

    def _refusal(self, name: str, owner: LockOwner | None) -> str:
        if owner is None:
            return (
                f"{self.where(name)} is locked, and its lock file cannot be read.  A run that "
                f"waits for {duration_text(self.term)} and sees no change takes it over: give "
                "--lock-timeout 5m.  If no run uses it, delete "
                f"{self.where(lock_name(name))}."
            )
        until = f" at {moment_text(owner.until.replace(microsecond=0))}" if owner.until else ""
        return (
            f"{self.where(name)} is locked: {owner} holds it.  Wait until that run is done, or "
            "give --lock-timeout 5m to wait for it here.  If that run is dead, its lock runs out"
            f"{until}, and a run after that takes it over once it has watched it unchanged for "
            f"{duration_text(self.term)}; `ctxprov unlock {owner.id}` ends it at once."
        )


@dataclass(kw_only=True)
class LeaseWatch:
    """Whether a lock that another run took may be taken from it; `at` is in boot seconds."""

    now: Callable[[], datetime]
    term: timedelta
    _version: str | None = None
    _since: float = 0.0
    _is_renewed: bool = False

    def may_take(self, file: StoredFile, *, at: float) -> bool:
        """Whether it is free, or has been seen unchanged for a term."""
        if file.version != self._version:
            self._is_renewed = self._version is not None
            self._version, self._since = file.version, at
        return is_free(file.content) or at - self._since >= self.term.total_seconds()

    def remaining(self, owner: LockOwner | None, *, at: float) -> float:
        """Seconds that a lock which looks dead, and was not renewed since, is to be watched."""
        if self._is_renewed or not (owner and owner.until and self.now() >= owner.until):
            return 0.0
        return self.term.total_seconds() - (at - self._since)


@dataclass(repr=False, eq=False)
class Lease(Lock):
    """A lock that one run holds, from its own point of view."""

    backend: LeaseBackend
    name: str
    who: LockOwner
    took_over: bool = False
    _version: str | None = None
    _sure_until: float = 0.0
    _is_taken: bool = False
    _owes_rewrite: bool = False
    _failure: StateError | None = None

    def __post_init__(self) -> None:
        self._renewing = self.backend.runtime.lock()
        self._term = self.backend.term.total_seconds()

    @property
    def is_lost(self) -> bool:
        return self._is_taken or self.backend.runtime.boot_seconds() >= self._sure_until

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        if self._is_taken:
            raise StateTaken(self._loss())
        if self.is_lost:
            raise BackendUnreachable(self._doubt())
        version = self.backend.write(name, content, expected=expected)
        if name == self.name:
            self._owes_rewrite = False
        return version

    def renew(self) -> bool:
        with self._renewing:
            remaining = self._sure_until - self.backend.runtime.boot_seconds()
            if not self._is_taken and remaining < self._term * (1 - _FRESH):
                self._try_to_extend()
            return not self.is_lost

    def take(self, file: StoredFile | None) -> None:
        """Take the lock whose file was *file*; StateTaken if that has changed by now."""
        self._extend(file.version if file else None)
        self.took_over = file is not None and not was_released(file.content)
        self._owes_rewrite = self.took_over

    async def keep(self) -> None:
        """Renew it until it is taken from us; soon again after a failure."""
        part = 3
        while not self._is_taken:
            await self.backend.runtime.sleep(self._term / part)
            part = 3 if await to_its_end(self.backend.runtime, self._renew) else 12

    def release(self) -> None:
        """Release it, if it is still ours; the next owner rewrites what this one owes."""
        with self._renewing:
            if self._version is not None and not self._is_taken:
                own = self._own_version()
                self.backend.free(self.name, self.who.id, ended=self._owes_rewrite, expected=own)

    def _renew(self) -> bool:
        with self._renewing:
            return self._try_to_extend()

    def _try_to_extend(self) -> bool:
        """Extend it, or note why not; False if that may be tried again soon."""
        try:
            self._extend(self._own_version())
        except StateTaken:
            self._is_taken = True
        except StateError as error:
            self._failure = error
            return False
        return True

    def _extend(self, expected: str | None) -> None:
        begun = self.backend.runtime.boot_seconds()
        until = self.backend.runtime.now() + self.backend.term
        content = lock_owner_bytes(replace(self.who, until=until))
        self._version = self.backend.write(lock_name(self.name), content, expected=expected)
        self._sure_until = begun + self._term
        self._failure = None

    def _own_version(self) -> str:
        """
        The version of our own record, which a renewal whose answer was lost has changed.

        Raises StateTaken if it is not ours any more.
        """
        file, owner = self.backend.locked(self.name)
        if file is None or owner is None or owner.id != self.who.id:
            raise StateTaken(self._loss())
        return file.version

    def _loss(self) -> str:
        return (
            f"the lock of {self.backend.where(self.name)} was lost: another run took it, or a "
            "person ended it.  Nothing was overwritten.  The next run finds by their labels the "
            "caches that this one made."
        )

    def _doubt(self) -> str:
        return (
            f"the lock of {self.backend.where(self.name)} could not be renewed for "
            f"{duration_text(self.backend.term)}, so another run may have it by now: "
            f"{self._failure or 'this run stood still meanwhile.'}  Nothing was overwritten."
        )


def lock_name(name: str) -> str:
    """The file that guards *name*."""
    return f"{name.removesuffix('.json')}.lock.json"


class FreeLockFile(Struct, frozen=True, kw_only=True):
    """The file of a lock that no run has."""

    free: bool = False
    """False in the file of a run that has it, which has no such key."""
    ended: bool = False
    """Whether a run may still believe that it has the lock."""
    id: str = ""
    since: str | None = None


_FREE = msgspec.json.Decoder(FreeLockFile)


def free_bytes(lock_id: str, moment: datetime, *, ended: bool) -> bytes:
    """The lock *lock_id* is held no longer; *ended* if a run may still believe that it is."""
    file = FreeLockFile(free=True, ended=ended, id=lock_id, since=moment_text(moment))
    return msgspec.json.encode(file) + b"\n"


def is_free(content: bytes) -> bool:
    return _free_lock(content).free


def was_released(content: bytes) -> bool:
    """Whether it is free by the word of its own owner."""
    lock = _free_lock(content)
    return lock.free and not lock.ended


def _free_lock(content: bytes) -> FreeLockFile:
    try:
        return _FREE.decode(utf8(content))
    except (ValueError, RecursionError):
        return FreeLockFile()


async def to_its_end(runtime: Runtime, call: Callable[[], _Answer]) -> _Answer:
    """Run what blocks in a thread, and wait for its end even if we are cancelled meanwhile."""
    work = asyncio.ensure_future(runtime.in_thread(call))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # retrieved and dropped: the cancellation is what counts
        raise
