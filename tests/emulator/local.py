"""An emulator to talk to: in this program, or on a socket of its own thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from provisioner.emulator import Emulator, Faults, serve

START = datetime(2026, 11, 22, 21, 0, tzinfo=UTC)
MODEL = "models/gemini-3.8-flash"
ENOUGH = "word " * 1000
"""1250 tokens."""


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "parts": [{"text": text}]}


def cache(**fields: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
    """A body that creates a cache."""
    return {"model": MODEL, "contents": [user(ENOUGH)], **fields}


def refused(answer: httpx.Response) -> tuple[int, str, str]:
    """Code, status and message of a refusal."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return error["code"], error["status"], error["message"]


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Api:
    """Calls of an emulator in this program, each answered before it returns."""

    emulator: Emulator
    clock: Clock
    headers: dict[str, str] = field(default_factory=lambda: {"x-goog-api-key": "any"})

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,  # noqa: ANN401  (JSON, or bytes that are none)
        *,
        version: str = "v1beta",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        content = {"content": body} if isinstance(body, bytes) else {"json": body}
        request = httpx.Request(
            method,
            f"http://emulator/{version}/{path}",
            headers=self.headers if headers is None else headers,
            **({} if body is None else content),
        )
        return asyncio.run(self._send(request))

    def create(self, **fields: Any) -> dict[str, Any]:  # noqa: ANN401  (JSON)
        answer = self("POST", "cachedContents", cache(**fields))
        assert answer.status_code == 200, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def names(self) -> list[str]:
        """Of all caches, as one page lists them."""
        listed = self("GET", "cachedContents?pageSize=1000").json()
        return [each["name"] for each in listed.get("cachedContents", [])]

    async def _send(self, request: httpx.Request) -> httpx.Response:
        transport = httpx.ASGITransport(self.emulator)
        response = await transport.handle_async_request(request)
        await response.aread()
        return response


@contextmanager
def emulated(
    store: str | Path = ":memory:",
    *,
    api_keys: tuple[str, ...] = (),
    min_tokens: int | None = None,
    faults: Faults | None = None,
) -> Iterator[Api]:
    clock = Clock()
    emulator = Emulator(store, clock=clock, api_keys=api_keys, min_tokens=min_tokens, faults=faults)
    with closing(emulator):
        yield Api(emulator, clock)


@contextmanager
def served(emulator: Emulator) -> Iterator[str]:
    """The URL of *emulator* on a free port of loopback, until the block ends."""
    ready, urls, stops = threading.Event(), list[str](), list[Any]()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        serving = asyncio.create_task(serve(emulator, port=0, on_ready=on_ready))
        await stop.wait()
        serving.cancel()
        await asyncio.wait([serving])

    def on_ready(url: str) -> None:
        urls.append(url)
        ready.set()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    try:
        yield urls[0]
    finally:
        stops[0]()
        thread.join()
