"""
The one governor of rate and patience, shared by all clients of a project and key.

Decides who waits for whom: a refused create holds back creates alone, any other refusal
holds back everything of that project.  Gives up by the time without a success, never by a
number of tries.  How fast a verb may go is the arithmetic of `pace`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from enum import StrEnum
from math import inf
from random import Random
from typing import Final

from msgspec import Struct, field

from provisioner.errors import CacheError, Interrupted, NetworkError
from provisioner.providers.gemini.account import Account
from provisioner.providers.gemini.pace import Pace
from provisioner.runtime import Runtime
from provisioner.times import duration_text

_ENDING: Final = "the run is ending; this was not sent"
_IDLE: Final = 5.0
"""Seconds without any demand after which patience begins again."""


class ApiVerb(StrEnum):
    CREATE = "create"
    PATCH = "patch"
    DELETE = "delete"
    LIST = "list"
    GET = "get"
    COUNT = "count"

    @property
    def method(self) -> str:
        """The HTTP method that asks for it."""
        return _METHODS.get(self) or self.upper()


_METHODS: Final = {ApiVerb.CREATE: "POST", ApiVerb.COUNT: "POST", ApiVerb.LIST: "GET"}


class Permit(Struct):
    """One request that may go out now.  At most one of its methods is called, `begin` aside."""

    _governor: Governor
    _verb: ApiVerb
    _pace: Pace
    _ticket: int
    is_open: bool = True

    def begin(self) -> None:
        """The request goes out only now, because something had to be looked at before."""
        self._pace.restart(self._ticket, self._governor.now())

    def succeed(self) -> None:
        self._pace.succeed(self._close(), self._governor.now())
        self._governor.note_success()

    def fail(self) -> None:
        self._pace.fail(self._close())

    def unused(self) -> None:
        """Nothing was sent."""
        self._pace.unused(self._close())

    def refuse(self, refusal: CacheError) -> None:
        """A 429 that waiting may cure."""
        self._governor.note_refusal(self._verb, self._close(), refusal)

    def _close(self) -> int:
        self.is_open = False
        return self._ticket


class Governor(Struct, eq=False, weakref=True):
    """Belongs to one event loop, whose clock it reads."""

    runtime: Runtime
    paces: dict[ApiVerb, Pace] = field(default_factory=lambda: {verb: Pace() for verb in ApiVerb})
    _turns: dict[ApiVerb, asyncio.Lock] = field(
        default_factory=lambda: {verb: asyncio.Lock() for verb in ApiVerb}
    )
    _slept: float = 0.0
    """Seconds that passed by the runtime's sleep and not by the loop's clock."""
    _held_until: float = -inf
    _patient_since: float = -inf
    """The last success, or when demand began."""
    _refusal: CacheError | None = None
    """The last one since the last success."""
    _demand: int = 0
    _idle_since: float = -inf
    _waiters: dict[asyncio.Future[None], None] = field(default_factory=dict)
    """In the order of their coming: a set would wake them by their addresses in memory."""
    _is_stopped: bool = False

    def now(self) -> float:
        """Seconds by the loop's clock, and those that passed by the runtime's sleep alone."""
        return asyncio.get_running_loop().time() + self._slept

    @asynccontextmanager
    async def permit(self, verb: ApiVerb, *, patience: timedelta) -> AsyncIterator[Permit]:
        """
        Wait until a request of this *verb* may go out; its outcome is noted on the permit.

        Raises NetworkError after *patience* without a success, and Interrupted.
        """
        with self._demanding():
            permit = await self._granted(verb, patience)
            try:
                yield permit
            finally:
                if permit.is_open:
                    permit.fail()
                self._wake()

    async def pause(self, seconds: float) -> None:
        """Wait that long.  Raises Interrupted."""
        with self._demanding():
            end = self.now() + seconds
            while (rest := end - self.now()) > 0:
                await self._rest(rest)

    def stop(self) -> None:
        """End every wait, now and later; requests under way go on to their end."""
        self._is_stopped = True
        self._wake()

    def note_success(self) -> None:
        self._patient_since, self._refusal = self.now(), None

    def note_refusal(self, verb: ApiVerb, ticket: int, refusal: CacheError) -> None:
        now, pace, hint = self.now(), self.paces[verb], refusal.retry_after
        pace.refuse(ticket, now, None if hint is None else hint.total_seconds())
        self._refusal = refusal
        if verb is not ApiVerb.CREATE:
            self._held_until = max(self._held_until, now + pace.quota_wait(now))

    async def _granted(self, verb: ApiVerb, patience: timedelta) -> Permit:
        pace = self.paces[verb]
        async with self._turns[verb]:
            while (wait := max(pace.wait(now := self.now()), self._held_until - now)) > 0:
                self._check(now, wait, patience)
                is_quota = max(pace.quota_wait(now), self._held_until - now) > 0
                await self._rest(wait, is_quota=is_quota)
            self._check(now, 0, patience)
            return Permit(self, verb, pace, pace.start(now))

    def _check(self, now: float, wait: float, patience: timedelta) -> None:
        if self._is_stopped:
            raise Interrupted(_ENDING)
        refusal, end = self._refusal, self._patient_since + patience.total_seconds()
        if refusal and wait != inf and now + wait > end:
            raise NetworkError(
                f"nothing got through for {duration_text(patience)}: {refusal}",
                status=refusal.status,
                words=refusal.words,
                retryable=True,
                retry_after=timedelta(seconds=wait) if wait else refusal.retry_after,
            )

    async def _rest(self, seconds: float, *, is_quota: bool = True) -> None:
        """
        Wait until something changes, and not longer than *seconds*.

        A moment's wait, because enough is under way, needs neither a task nor the runtime's sleep.
        """
        if self._is_stopped:
            raise Interrupted(_ENDING)
        loop = asyncio.get_running_loop()
        changed = loop.create_future()
        self._waiters[changed] = None
        timer: asyncio.TimerHandle | asyncio.Task[None] | None = None
        if seconds != inf:
            timer = (
                loop.create_task(self._sleep(seconds, changed))
                if is_quota
                else loop.call_later(seconds, _done, changed)
            )
        try:
            await changed
        finally:
            del self._waiters[changed]
            if timer:
                timer.cancel()

    async def _sleep(self, seconds: float, changed: asyncio.Future[None]) -> None:
        end = self.now() + seconds
        try:
            await self.runtime.sleep(seconds)
            self._slept += max(0.0, end - self.now())
        finally:
            _done(changed)

    @contextmanager
    def _demanding(self) -> Iterator[None]:
        """For as long as the block lasts, there is a caller who wants something."""
        now = self.now()
        if not self._demand and now - self._idle_since >= _IDLE:
            self._patient_since, self._refusal = now, None
        self._demand += 1
        try:
            yield
        finally:
            self._demand -= 1
            self._idle_since = self.now()

    def _wake(self) -> None:
        for waiter in self._waiters:
            _done(waiter)


def _done(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


_GOVERNORS: Final[dict[tuple[asyncio.AbstractEventLoop, Random, Account], Governor]] = {}


def governor_of(account: Account, runtime: Runtime) -> Governor:
    """
    The governor of *account* in the running loop.

    Clients that draw from one Random are of one program, and share it also if their clocks differ.
    """
    key = asyncio.get_running_loop(), runtime.random, account
    if key not in _GOVERNORS:
        for old in [old for old in _GOVERNORS if old[0].is_closed()]:
            del _GOVERNORS[old]
        _GOVERNORS[key] = Governor(runtime)
    return _GOVERNORS[key]
