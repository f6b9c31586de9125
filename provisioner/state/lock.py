"""
One run at a time: an OS lock on a file beside the state.

The system lets go of the lock when its process ends, however it ends, so a dead run blocks
nobody.  What stands in the file is for people only: nothing is decided by it, and a text
that makes no sense means an unknown holder.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path

from provisioner.errors import StateError, StateLocked
from provisioner.homes.holder import Holder, holder_bytes, parse_holder
from provisioner.homes.home import OnWait

_POLL = 0.25
_TEXT = 4096


@asynccontextmanager
async def lock_state(
    path: Path,
    *,
    who: Holder,
    timeout: timedelta,
    on_wait: OnWait,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[None]:
    """
    Hold the lock of the state at *path*, waiting up to *timeout* for whoever has it.

    Raises StateLocked when the time is up, and StateError if there can be no lock here.
    """
    lock = path.with_suffix(".lock")
    deadline = monotonic() + timeout.total_seconds()
    while (opened := _try(lock, who)) is None:
        holder = _holder(lock)
        remaining = deadline - monotonic()
        if remaining <= 0:
            raise StateLocked(_refusal(path, holder))
        on_wait(holder, timedelta(seconds=remaining))
        await sleep(min(_POLL, remaining))
    try:
        yield
    finally:
        _release(opened)


def _try(lock: Path, who: Holder) -> int | None:
    """Lock the file and write into it; None if somebody else has it."""
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        opened = _open(lock)
        try:
            if _seize(opened) and _is_at(opened, lock):
                return _sign(opened, who)
        except BaseException:
            os.close(opened)
            raise
        os.close(opened)
    except OSError as error:
        raise StateError(
            f"{lock} cannot be locked: {error.strerror}.  Two runs must not change one state at "
            "a time, so nothing has been changed.  The state needs a folder that you may write "
            "to, on a file system that has locks."
        ) from error
    return None


def _open(lock: Path) -> int:
    # Never truncated here: until it is locked, the text in it is somebody else's.
    opened = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise OSError(errno.EINVAL, "it is no regular file")
    return opened


def _seize(opened: int) -> bool:
    import portalocker  # noqa: PLC0415  # 30 ms that only a run which locks should pay

    flags = portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING
    try:
        portalocker.lock(opened, flags)
    except portalocker.AlreadyLocked:
        return False
    except portalocker.LockException as error:
        raise OSError(errno.ENOLCK, str(error)) from error
    return True


def _is_at(opened: int, lock: Path) -> bool:
    """Whether the locked file is still the one that others would open."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(opened), lock.stat())
    return False


def _sign(opened: int, who: Holder) -> int:
    os.ftruncate(opened, 0)
    os.write(opened, holder_bytes(who))
    return opened


def _holder(lock: Path) -> Holder | None:
    with suppress(OSError), lock.open("rb") as file:
        return parse_holder(file.read(_TEXT))
    return None


def _release(opened: int) -> None:
    # The file stays: to delete it would let a third run lock a new one beside a waiting second.
    with suppress(OSError):
        os.ftruncate(opened, 0)
    os.close(opened)


def _refusal(path: Path, holder: Holder | None) -> str:
    held = f"{holder} holds it" if holder else "another run holds it"
    return (
        f"the state {path} is locked: {held}.  Wait until that run is done, or give "
        "--lock-timeout 5m to wait for it here.  The lock ends with the run; if it hangs, end it."
    )
