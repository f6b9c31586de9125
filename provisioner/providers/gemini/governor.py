"""
The one governor of rate and patience, shared by all clients of a project and key.

Decides who waits for whom: a refused create holds back creates alone, any other refusal
holds back everything of that project.  Gives up by the time without a success, never by a
number of tries.  How fast a verb may go is the arithmetic of `pace`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from math import inf
from typing import Final

from provisioner.errors import CacheError
from provisioner.providers.gemini.pace import Pace

Sleep = Callable[[float], Awaitable[None]]

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
        match self:
            case ApiVerb.CREATE | ApiVerb.COUNT:
                return "POST"
            case ApiVerb.LIST:
                return "GET"
            case _:
                return self.upper()


class Stopped(Exception):
    """The run is ending: what waited is not sent."""


class QuotaTimeout(Exception):
    """There was no success for as long as the caller is patient."""

    def __init__(self, refusal: CacheError, *, retry_after: timedelta | None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        """The last one."""
        self.retry_after = retry_after


@dataclass(slots=True)
class Permit:
    """One request that may go out now.  At most one of its methods is called, `begin` aside."""

    governor: Governor
    verb: ApiVerb
    ticket: int
    is_open: bool = True

    def begin(self) -> None:
        """The request goes out only now, because something had to be looked at before."""
        self._pace.restart(self.ticket, self.governor.now())

    def succeed(self) -> None:
        self._pace.succeed(self._close(), self.governor.now())
        self.governor.note_success()

    def fail(self) -> None:
        self._pace.fail(self._close())

    def unused(self) -> None:
        """Nothing was sent."""
        self._pace.unused(self._close())

    def refuse(self, refusal: CacheError) -> None:
        """A 429 that waiting may cure."""
        self.governor.note_refusal(self.verb, self._close(), refusal)

    def _close(self) -> int:
        self.is_open = False
        return self.ticket

    @property
    def _pace(self) -> Pace:
        return self.governor.paces[self.verb]


@dataclass(slots=True, eq=False, weakref_slot=True)
class Governor:
    """Belongs to one event loop, whose clock it reads."""

    sleep: Sleep
    paces: dict[ApiVerb, Pace] = field(default_factory=lambda: {verb: Pace() for verb in ApiVerb})
    _turns: dict[ApiVerb, asyncio.Lock] = field(
        default_factory=lambda: {verb: asyncio.Lock() for verb in ApiVerb}
    )
    _slept: float = 0.0
    """Seconds that `sleep` says have passed and the loop's clock does not."""
    _held_until: float = -inf
    _patient_since: float = -inf
    """The last success, or when demand began."""
    _refusal: CacheError | None = None
    """The last one since the last success."""
    _demand: int = 0
    _idle_since: float = -inf
    _waiters: set[asyncio.Future[None]] = field(default_factory=set)
    _is_stopped: bool = False

    def now(self) -> float:
        """Seconds by the loop's clock, and by what `sleep` says has passed."""
        return asyncio.get_running_loop().time() + self._slept

    @asynccontextmanager
    async def permit(self, verb: ApiVerb, *, patience: timedelta) -> AsyncIterator[Permit]:
        """
        Wait until a request of this *verb* may go out; its outcome is noted on the permit.

        Raises QuotaTimeout after *patience* without a success, and Stopped.
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
        """Wait that long.  Raises Stopped."""
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
                await (self._rest(wait) if is_quota else self._room(wait))
            self._check(now, 0, patience)
            return Permit(self, verb, pace.start(now))

    def _check(self, now: float, wait: float, patience: timedelta) -> None:
        if self._is_stopped:
            raise Stopped
        end = self._patient_since + patience.total_seconds()
        if self._refusal and wait != inf and now + wait > end:
            raise QuotaTimeout(self._refusal, retry_after=timedelta(seconds=wait) if wait else None)

    async def _rest(self, seconds: float) -> None:
        """Wait until something changes, and not longer than *seconds*."""
        if self._is_stopped:
            raise Stopped
        changed = asyncio.get_running_loop().create_future()
        self._waiters.add(changed)
        sleeping = None if seconds == inf else asyncio.ensure_future(self._sleep(seconds))
        try:
            await asyncio.wait(
                {changed, sleeping} if sleeping else {changed},
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            self._waiters.discard(changed)
            if sleeping:
                sleeping.cancel()

    async def _room(self, seconds: float) -> None:
        """The same, for a moment, because enough is under way: no task is worth that."""
        if self._is_stopped:
            raise Stopped
        loop = asyncio.get_running_loop()
        changed = loop.create_future()
        self._waiters.add(changed)
        timer = None if seconds == inf else loop.call_later(seconds, _done, changed)
        try:
            await changed
        finally:
            self._waiters.discard(changed)
            if timer:
                timer.cancel()

    async def _sleep(self, seconds: float) -> None:
        end = self.now() + seconds
        await self.sleep(seconds)
        self._slept += max(0.0, end - self.now())

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


_GOVERNORS: Final[dict[asyncio.AbstractEventLoop, dict[tuple[str, str], Governor]]] = {}


def governor_of(endpoint: str, key: str, sleep: Sleep) -> Governor:
    """The governor of the running loop for *endpoint* and the *key* of that fingerprint."""
    for loop in [loop for loop in _GOVERNORS if loop.is_closed()]:
        del _GOVERNORS[loop]
    ours = _GOVERNORS.setdefault(asyncio.get_running_loop(), {})
    return ours.setdefault((endpoint, key), Governor(sleep))
