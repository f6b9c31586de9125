"""
A Gemini to talk to: the emulator, a clock to turn, and a wire that remembers and fails.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import httpx
from starlette.responses import Response

from provisioner.emulator import Call, CarryOut, Emulator, Operation
from provisioner.providers.gemini import GeminiContextCache

T = TypeVar("T")

START = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)
KEY = "AIza-not-a-real-key-0123456789"
HOST = "http://gemini.invalid"
HOUR = timedelta(hours=1)


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


class Wire(httpx.AsyncBaseTransport):
    """A transport whose far end is a function; it remembers what was sent."""

    def __init__(self, answer: Callable[[httpx.Request], httpx.Response]) -> None:
        self.sent: list[httpx.Request] = []
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return self._answer(request)


def broken(error: Exception) -> Wire:
    def breaks(_: httpx.Request) -> httpx.Response:
        raise error

    return Wire(breaks)


def answering(*answers: httpx.Response) -> Wire:
    """A server that gives these answers in order, and the last of them forever."""
    left = list(answers)
    return Wire(lambda _: left.pop(0) if len(left) > 1 else left[0])


class Tap(httpx.AsyncBaseTransport):
    """A transport that remembers what another one carries."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.sent: list[httpx.Request] = []
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return await self._inner.handle_async_request(request)


@dataclass
class World:
    """The emulator behind a wire; `troubles` befall the calls of an operation in order."""

    clock: Clock
    troubles: dict[Operation, deque[Callable[[CarryOut], Awaitable[Response]]]]
    emulator: Emulator
    wire: Tap
    waits: list[float] = field(default_factory=list)

    def cache(self, **settings: Any) -> GeminiContextCache:  # noqa: ANN401 - what a test is about
        return gemini(self.wire, clock=self.clock, waits=self.waits, **settings)

    def run(
        self,
        story: Callable[[GeminiContextCache], Awaitable[T]],
        **settings: Any,  # noqa: ANN401 - what a test is about
    ) -> T:
        """Tell *story* to a client of its own."""
        return within(self.cache(**settings), story)

    def befall(
        self, operation: Operation, *troubles: Callable[[CarryOut], Awaitable[Response]]
    ) -> None:
        self.troubles.setdefault(operation, deque()).extend(troubles)

    def labels(self) -> list[str]:
        """Of every live cache, asked on another line."""
        transport = httpx.ASGITransport(self.emulator)
        caches = within(gemini(transport, clock=self.clock), lambda cache: cache.list())
        return [cache.display_name for cache in caches]


@contextmanager
def emulated(**settings: Any) -> Iterator[World]:  # noqa: ANN401 - the emulator's own
    troubles: dict[Operation, deque[Callable[[CarryOut], Awaitable[Response]]]] = {}

    async def faults(call: Call, carry_out: CarryOut) -> Response:
        waiting = troubles.get(call.operation)
        return await (waiting.popleft()(carry_out) if waiting else carry_out())

    clock = Clock()
    settings = {"min_tokens": 0, **settings}
    with closing(Emulator(clock=clock, faults=faults, **settings)) as emulator:
        yield World(clock, troubles, emulator, Tap(httpx.ASGITransport(emulator)))


def gemini(
    transport: httpx.AsyncBaseTransport | None,
    *,
    clock: Clock | None = None,
    waits: list[float] | None = None,
    key: str = KEY,
    host: str = HOST,
    **settings: Any,  # noqa: ANN401 - what a test is about
) -> GeminiContextCache:
    """A client that writes its waits down instead of waiting."""

    async def sleep(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    clock = clock or Clock()
    return GeminiContextCache(key, host, transport=transport, clock=clock, sleep=sleep, **settings)


def within(cache: GeminiContextCache, story: Callable[[GeminiContextCache], Awaitable[T]]) -> T:
    async def telling() -> T:
        async with cache:
            return await story(cache)

    return asyncio.run(telling())


@asynccontextmanager
async def listening(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[str]:
    """The address of a bare socket on loopback, where *talk* is all that is said."""

    talks: set[asyncio.Task[None]] = set()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking = asyncio.ensure_future(talk(reader, writer))
        talks.add(talking)
        with closing(writer), suppress(OSError, EOFError, asyncio.CancelledError):
            await talking

    server = await asyncio.start_server(once, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        yield f"127.0.0.1:{port}"
        for talking in talks:
            talking.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        await asyncio.sleep(0)  # those who waited for them close their ends
