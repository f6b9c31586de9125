"""
Time, waits, chance, tokens, threads and the name of a program, as one value that is passed on.

Decides how this machine measures and draws them, in `SYSTEM`; a program or a simulation that
measures them otherwise passes another `Runtime`.  Knows nothing of what they are used for.

The seconds since boot measure how long something takes.  Unlike the wall clock they never jump,
and unlike the monotonic clock of Linux they go on while the machine is suspended.  A run that
compares two clocks, or holds a lease, counts by them.  They do not tell the time of day.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from string import ascii_lowercase
from types import TracebackType
from typing import Protocol, TypeVar

from msgspec import Struct

_ThreadResult = TypeVar("_ThreadResult")

_BOOT = getattr(time, "CLOCK_MONOTONIC" if sys.platform == "darwin" else "CLOCK_BOOTTIME", None)
"""
Linux has a clock for it; on macOS this one counts suspension, which `time.monotonic` does not.

Elsewhere the monotonic clock is the nearest, and may rest in a suspend.
"""


class InThread(Protocol):
    """Runs a call that blocks beside the event loop."""

    def __call__(self, call: Callable[[], _ThreadResult], /) -> Awaitable[_ThreadResult]: ...


class Mutex(Protocol):
    """Lets one thread in at a time."""

    def acquire(self, blocking: bool = True) -> bool: ...  # noqa: FBT001, FBT002  # a thread's lock
    def release(self) -> None: ...
    def locked(self) -> bool: ...
    def __enter__(self) -> bool: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...


class Runtime(Struct, frozen=True, kw_only=True):
    """How one program measures time, waits, draws numbers, starts threads and names itself."""

    now: Callable[[], datetime]
    """This moment by the local clock, aware UTC."""
    monotonic: Callable[[], float]
    """Seconds that never jump; only the difference of two is worth anything."""
    boot_seconds: Callable[[], float]
    """Seconds since boot, which go on in a suspend and never jump."""
    sleep: Callable[[float], Awaitable[None]]
    """Let seconds pass in the event loop."""
    pause: Callable[[float], None]
    """Block this thread for seconds."""
    random: Random
    """For jitter and samples; no secret comes from it."""
    token: Callable[[int], str]
    """So many bytes that no other run has, in hexadecimal digits."""
    in_thread: InThread
    lock: Callable[[], Mutex]
    user: Callable[[], str]
    """Who runs this program and where, `user@host`: for people."""
    pid: Callable[[], int]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"  # that of functions tells nothing, an environment may

    def letters(self) -> str:
        """Four letters that no other run has, for the label of a new cache."""
        number = int(self.token(8), 16)
        return "".join(ascii_lowercase[number // 26**place % 26] for place in range(4))


def _now() -> datetime:
    return datetime.now(UTC)


def _boot_seconds() -> float:
    return time.monotonic() if _BOOT is None else time.clock_gettime(_BOOT)


def _sleep(seconds: float) -> Awaitable[None]:
    from asyncio import sleep  # noqa: PLC0415  # a command that awaits nothing does without

    return sleep(seconds)


def _in_thread(call: Callable[[], _ThreadResult], /) -> Awaitable[_ThreadResult]:
    from asyncio import to_thread  # noqa: PLC0415  # likewise

    return to_thread(call)


def _user() -> str:
    import getpass  # noqa: PLC0415  # for a lock
    import platform  # noqa: PLC0415  # likewise

    try:
        name = getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container may run as a number without a name
        name = "unknown"
    return f"{name}@{platform.node() or 'localhost'}"


SYSTEM = Runtime(
    now=_now,
    monotonic=time.monotonic,
    boot_seconds=_boot_seconds,
    sleep=_sleep,
    pause=time.sleep,
    random=Random(),  # noqa: S311  # for jitter and samples
    token=secrets.token_hex,
    in_thread=_in_thread,
    lock=threading.Lock,
    user=_user,
    pid=os.getpid,
)
"""This machine's."""
