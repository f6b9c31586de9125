"""
A backend on this machine: a folder.

A version is the SHA-256 of the content.  A condition is looked at and acted upon under a lock
of the folder, so that of two writers one wins.  The lock that guards a name is an OS lock on a
file beside it: the system releases it when its process ends, however it ends, so a dead run
blocks no other.  The text in that file is for people only: nothing is decided by it, and a
text that cannot be read means an unknown owner.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from glob import escape
from hashlib import sha256
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from provisioner.errors import StateError, StateLocked, StateUnreadable
from provisioner.files import DRAFT, leads_out, read_whole, write_whole
from provisioner.runtime import Runtime
from provisioner.storage import Lock, OnWait, StoredFile, check_version

if TYPE_CHECKING:
    from provisioner.storage.lock_owner import LockOwner

_POLL = 0.25
_TEXT = 4096
_BEGINNING = b'{"id":'
"""Of every lock that a run has written into, be it half."""
_NOT_READ = "  It must be a plain file that you may read and write; nothing has been changed."
_NOT_WRITTEN = (
    "  The file is as it was before.  Correct that and run again: the next run recognises by their "
    "labels the caches that this one made, and takes them over."
)
_NOT_LOCKED = (
    "  Two runs must not change one state at a time, so nothing has been changed.  The state needs "
    "a folder that you may write to, on a file system that has locks."
)


def backend_at(
    address: str,
    *,
    root: Path,
    environ: Mapping[str, str],
    runtime: Runtime,
    top: Path | None,
) -> LocalBackend:
    """The folder *address*, relative to *root*; it need not be there yet.  *top* bounds it."""
    del environ
    return LocalBackend(root / address, runtime, top=top)


class LocalBackend(Struct, frozen=True):
    """A folder on this machine."""

    folder: Path
    runtime: Runtime
    top: Path | None = None
    """Nothing is written outside of this folder; None where the caller trusts the address."""
    keeps_history: ClassVar[bool] = False

    def where(self, name: str) -> str:
        return str(self.folder / name)

    def read(self, name: str) -> StoredFile | None:
        path = self.folder / name
        with _explained(path, "read", _NOT_READ), suppress(FileNotFoundError):
            content = read_whole(path)
            return StoredFile(content=content, version=_version(content))
        return None

    def confirm(self, name: str) -> None:
        """Look for a link on the way that leads nowhere, as to a disk that is not mounted."""
        for path in (self.folder / name, *(self.folder / name).parents):
            if os.path.exists(path):  # noqa: PTH110  # a folder that may not be searched counts
                return
            if path.is_symlink():
                raise StateUnreadable(
                    f"{self.where(name)} cannot be read: {path} is a link to {os.readlink(path)}, "  # noqa: PTH115  # a text is wanted
                    "which is not there. Mount or make that, or name another place for the state."
                )

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        path = self.folder / name
        with _explained(path, "written", _NOT_WRITTEN):
            self._check(path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.parent) as alone:
                self._expect(name, expected)
                write_whole(path, content, self.runtime, alone=alone)
        return _version(content)

    def delete(self, name: str, *, expected: str) -> None:
        path = self.folder / name
        with _explained(path, "deleted"), suppress(FileNotFoundError):
            self._check(path)
            with _alone(path.parent):
                if path.exists():
                    self._expect(name, expected)
                    path.unlink()

    def _check(self, path: Path) -> None:
        if self.top and (reason := leads_out(path, self.top)):
            raise PermissionError(errno.EPERM, f"it {reason}", str(path))

    def _expect(self, name: str, version: str | None) -> None:
        file = self.read(name)
        check_version(self.where(name), file.version if file else None, version)

    @asynccontextmanager
    async def lock(
        self, name: str, who: LockOwner, *, timeout: timedelta, on_wait: OnWait
    ) -> AsyncIterator[LocalLock]:
        lock = self._lock_of(name)
        deadline = self.runtime.monotonic() + timeout.total_seconds()
        while (file := self._try(lock, who)) is None:
            owner = _text(lock)
            remaining = deadline - self.runtime.monotonic()
            if remaining <= 0:
                raise StateLocked(_refusal(self.where(name), owner))
            on_wait(owner, timedelta(seconds=remaining))
            await self.runtime.sleep(min(_POLL, remaining))
        try:
            self._clear_drafts(lock.stem)
            yield LocalLock(self)
        finally:
            _release(file)

    def lock_owner(self, name: str) -> LockOwner | None:
        lock = self._lock_of(name)
        owner = _text(lock)
        return owner if owner and _is_held(lock) else None

    def unlock(self, name: str, lock_id: str) -> None:
        del lock_id
        raise StateError(
            f"the lock of {self.where(name)} ends with the run that holds it, however that ends, "
            "and cannot be ended otherwise.  If the run hangs, end its process."
        )

    def _clear_drafts(self, stem: str) -> None:
        """Remove what a killed run left beside the locked file and in the folders it names."""
        for folder in (self.folder, *self.folder.glob(f"{escape(stem)}.*/")):
            with suppress(OSError), _alone(folder) as alone:
                if alone:
                    (folder / DRAFT).unlink(missing_ok=True)

    def _try(self, lock: Path, who: LockOwner) -> FileIO | None:
        """Lock the file and write into it; None if another run has it."""
        from provisioner.storage.lock_owner import lock_owner_bytes  # noqa: PLC0415  # for a lock

        with _explained(lock, "locked", _NOT_LOCKED):
            self._check(lock)
            lock.parent.mkdir(parents=True, exist_ok=True)
            file = _open(lock)
            try:
                if _seize(file) and _is_at(file, lock):
                    _check_ours(file)
                    file.truncate(0)
                    file.write(lock_owner_bytes(who))
                    return file
            except BaseException:
                file.close()
                raise
            file.close()
            return None

    def _lock_of(self, name: str) -> Path:
        return (self.folder / name).with_suffix(".lock")


@dataclass(frozen=True)
class LocalLock(Lock):
    """A lock that the system keeps for as long as this process lives."""

    backend: LocalBackend

    def write(self, name: str, content: bytes, *, expected: str | None) -> str:
        return self.backend.write(name, content, expected=expected)


def _version(content: bytes) -> str:
    return sha256(content).hexdigest()


@contextmanager
def _alone(folder: Path) -> Iterator[bool]:
    """
    Keep other writers out of *folder*; False where the system cannot lock a folder.

    Some network mounts cannot; there the lock that guards the name must do.
    """
    if sys.platform == "win32":
        yield False
        return
    opened, is_alone = os.open(folder, os.O_RDONLY | os.O_DIRECTORY), False
    try:
        with suppress(OSError):
            is_alone = _seize(opened, wait=True)
        yield is_alone
    finally:
        os.close(opened)


@contextmanager
def _explained(path: Path, verb: str, remedy: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"{path} cannot be {verb}: {error.strerror}.{remedy}") from error


def _open(lock: Path) -> FileIO:
    # Never truncated here: until it is locked, the text in it belongs to another run.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    file = FileIO(os.open(lock, flags, 0o666), "r+")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def _seize(file: FileIO | int, *, wait: bool = False) -> bool:
    import portalocker  # noqa: PLC0415  # 30 ms that only a run which locks should pay

    flags = portalocker.LockFlags.EXCLUSIVE
    try:
        portalocker.lock(file, flags if wait else flags | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        raise OSError(errno.ENOLCK, str(error)) from error
    return True


def _is_at(file: FileIO, lock: Path) -> bool:
    """Whether the locked file is still the one that others would open."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(file.fileno()), lock.stat())
    return False


def _check_ours(file: FileIO) -> None:
    """Refuse what stands where the lock should be: the `uv.lock` of a project, perhaps."""
    text = os.pread(file.fileno(), _TEXT + 1, 0)
    is_ours = text.startswith(_BEGINNING) or not text.strip(b"\0")  # all zeros: a power cut
    if not is_ours or len(text) > _TEXT:
        raise OSError(errno.EEXIST, "it holds something that ctxprov did not write")


def _text(lock: Path) -> LockOwner | None:
    from provisioner.storage.lock_owner import parse_lock_owner  # noqa: PLC0415  # likewise

    with suppress(OSError):
        return parse_lock_owner(read_whole(lock, most=_TEXT))
    return None


def _is_held(lock: Path) -> bool:
    with suppress(OSError), _open(lock) as file:
        return not _seize(file)
    return False


def _release(file: FileIO) -> None:
    # The file stays: to delete it would let a third run lock a new one beside a waiting second.
    with file, suppress(OSError):
        file.truncate(0)


def _refusal(place: str, owner: LockOwner | None) -> str:
    held = f"{owner} holds it" if owner else "another run holds it"
    return (
        f"the state {place} is locked: {held}.  Wait until that run is done, or give "
        "--lock-timeout 5m to wait for it here.  The lock ends with the run; if it hangs, end it."
    )
