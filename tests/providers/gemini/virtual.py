"""
Hours in milliseconds: an event loop whose clock jumps to the next event, and a quota.
"""

from __future__ import annotations

import asyncio
import selectors
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
import orjson

from provisioner.cache import CachedContext
from provisioner.providers.gemini import GeminiContextCache
from tests.providers.gemini.world import HOST, KEY

T = TypeVar("T")

MOMENT = "2026-11-22T21:00:00Z"


class _Jump(selectors.SelectSelector):
    """Never waits: it lets the clock jump over the time that it was to wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("nothing will ever happen again")
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jump = _Jump()
        super().__init__(self._jump)

    def time(self) -> float:
        return self._jump.now


def in_virtual_time(story: Callable[[], Awaitable[T]]) -> tuple[T, float]:
    """What comes of *story*, and the seconds that it takes."""

    async def timed() -> tuple[T, float]:
        loop = asyncio.get_running_loop()
        began = loop.time()
        return await story(), loop.time() - began

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(timed())


@dataclass
class Quota(httpx.AsyncBaseTransport):
    """A project that allows so many creates in any sixty seconds, by the time of arrival."""

    a_minute: int | None = None
    takes: float = 2.4
    """Seconds for a create; any other request takes a tenth."""
    way: float = 0.005
    """Seconds for a request to arrive, and for a refusal to come back."""
    hint: Callable[[float], float | None] = lambda _: None
    """What Retry-After says, from the seconds that it would take."""
    arrivals: deque[float] = field(default_factory=deque)
    accepted: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    others: list[tuple[float, str]] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(self.way)
        now = asyncio.get_running_loop().time()
        if request.method != "POST":
            self.others.append((now, request.method))
            await asyncio.sleep(self.takes / 10)
            return httpx.Response(200, json={} if request.method != "PATCH" else _cache(request))
        if (free := self._free_in(now)) > 0:
            self.refused.append(now)
            hint = self.hint(free)
            headers = {} if hint is None else {"retry-after": f"{hint:.0f}"}
            return httpx.Response(429, json={"error": {"message": "slow down"}}, headers=headers)
        self.accepted.append(now)
        self.arrivals.append(now)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.takes)
        self.under_way -= 1
        return httpx.Response(200, json=_cache(request, f"n{len(self.accepted)}{now}"))

    def _free_in(self, now: float) -> float:
        while self.arrivals and self.arrivals[0] <= now - 60:
            self.arrivals.popleft()
        if self.a_minute is None or len(self.arrivals) < self.a_minute:
            return 0
        return self.arrivals[0] + 60 - now

    def client(self) -> GeminiContextCache:
        return GeminiContextCache(KEY, HOST, transport=self)


def _cache(request: httpx.Request, name: str = "") -> object:
    label = orjson.loads(request.content).get("displayName", "")
    path = f"cachedContents/{name.replace('.', '-')}" if name else request.url.path[8:]
    return {
        "name": path,
        "model": "models/m",
        "displayName": label,
        "createTime": MOMENT,
        "expireTime": MOMENT,
    }


def creates(quota: Quota, number: int, *, at_once: int = 64) -> float:
    """Seconds that *number* creates take, so many of them asked for at a time."""

    async def story() -> list[CachedContext]:
        client = quota.client()
        queue = iter(range(number))
        made: list[CachedContext] = []

        async def work() -> None:
            for one in queue:
                made.append(await client.create("x", label=f"n{one}"))  # noqa: PERF401  # one queue

        await asyncio.gather(*(work() for _ in range(at_once)))
        return made

    made, seconds = in_virtual_time(story)
    assert len(made) == number
    return seconds


def demanded(number: int, a_minute: int, takes: float = 2.4) -> float:
    """Seconds that a sliding window of a minute demands at least."""
    return (number - 1) // a_minute * 60 + takes
