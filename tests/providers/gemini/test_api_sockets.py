"""The one HTTP path, on real sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import re
import warnings
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from provisioner.errors import CacheError, NetworkError, ParseError
from provisioner.providers.gemini import GeminiContextCache
from tests.providers.gemini.world import gemini, listening, within

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.abort()


def _saying(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return talk


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.transport.abort()


async def _plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 this is not TLS\r\n")
    await writer.drain()


_ZIPPED = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n{}{}"
_HALF = b'HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{"na'


@pytest.mark.parametrize(
    ("talk", "kind"),
    [
        (_hang_up, NetworkError),
        (_silence, NetworkError),
        (_saying(b""), NetworkError),
        (_saying(b"SMTP? 220 hello\r\n\r\n"), NetworkError),
        (_saying(_HALF), NetworkError),
        (_saying(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), NetworkError),
        (_saying(b"HTTP/1.1 200 OK\r\ncontent-length: nine\r\n\r\n"), NetworkError),
        (_saying(_ZIPPED), ParseError),
        (_saying(b"HTTP/1.1 502 \xff\r\ncontent-length: 0\r\n\r\n"), NetworkError),
    ],
    ids=["reset", "silent", "closed", "not http", "half", "chunks", "length", "gzip", "latin"],
)
@pytest.mark.parametrize("label", ["", "mine"])
def test_real_sockets(talk: Talk, kind: type[CacheError], label: str) -> None:
    """A server that breaks the protocol costs an error of ours, never a second create."""
    posts: list[bytes] = []

    async def overheard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readline()
        posts.extend([line] if line.startswith(b"POST") else [])
        await talk(reader, writer)

    async def story() -> None:
        async with (
            listening(overheard) as address,
            gemini(
                None, host=f"http://{address}", attempts=2, read_timeout=0.05, create_timeout=0.05
            ) as cache,
        ):
            with pytest.raises(kind):
                await cache.list()
            with pytest.raises(NetworkError, match="unknown whether"):
                await cache.create("x", label=label)

    asyncio.run(story())
    assert len(posts) == 1


def test_bad_tls() -> None:
    """A server that does not speak TLS where it should is a NetworkError."""

    async def story() -> None:
        async with (
            listening(_plain) as address,
            gemini(None, host=f"https://{address}", attempts=1) as cache,
        ):
            with pytest.raises(NetworkError, match="cannot be reached"):
                await cache.list()

    asyncio.run(story())


def test_a_refused_connection() -> None:
    """The error of a refused connection names the address."""
    with pytest.raises(NetworkError, match=r"127\.0\.0\.1:1/v1beta cannot be reached"):
        within(gemini(None, host="http://127.0.0.1:1", attempts=2), lambda cache: cache.list())


def _conversation(answer: bytes) -> Talk:
    """Answer requests without a body on one connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(answer)
            await writer.drain()

    return talk


_EMPTY = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


def test_one_client_in_two_event_loops() -> None:
    """A client that is used again in another event loop opens new connections."""
    clients: list[GeminiContextCache] = []

    async def story() -> list[Any]:
        async with listening(_conversation(_EMPTY)) as address:
            clients.append(gemini(None, host=f"http://{address}", attempts=1))
            first = await clients[0].list()
            await clients[0].aclose()
            return [first, await clients[0].list()]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # nobody can close the first connections
        assert asyncio.run(story()) == [[], []]
        with pytest.raises(NetworkError, match="cannot be reached"):
            asyncio.run(clients[0].list())
        gc.collect()


def test_closing_in_another_event_loop() -> None:
    """The client drops connections of an event loop that has ended without an error."""
    clients: list[GeminiContextCache] = []

    async def story() -> None:
        async with listening(_conversation(_EMPTY)) as address:
            clients.append(gemini(None, host=f"http://{address}", attempts=1))
            await clients[0].list()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # nobody can close the first connections
        asyncio.run(story())
        asyncio.run(clients[0].aclose())
        gc.collect()


async def _dripping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Never silent for long, and never done."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


def test_a_request_has_a_deadline_as_a_whole() -> None:
    """A server that drips a byte now and then ends a request no later than a silent one."""

    async def story() -> float:
        async with (
            listening(_dripping) as address,
            gemini(
                None, host=f"http://{address}", attempts=1, connect_timeout=0.1, read_timeout=0.1
            ) as cache,
        ):
            began = asyncio.get_running_loop().time()
            with pytest.raises(NetworkError, match=r"no whole answer within 0\.1 s"):
                await cache.list()
            return asyncio.get_running_loop().time() - began

    assert 0.15 < asyncio.run(story()) < 5


def test_connections_follow_the_governor() -> None:
    """Calls that are answered at once go over a few connections, however many there are."""
    opened = 0

    async def overheard(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await _conversation(_EMPTY)(reader, writer)

    async def story() -> None:
        async with (
            listening(overheard) as address,
            gemini(None, host=f"http://{address}") as cache,
        ):
            await asyncio.gather(*(cache.list() for _ in range(40)))

    asyncio.run(story())
    assert 1 <= opened <= 16


def test_requests_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A request is one line with method, path, status and time; no query, no key."""
    caplog.set_level(logging.INFO, "provisioner.http")

    async def story() -> None:
        async with (
            listening(_conversation(_EMPTY)) as address,
            gemini(None, host=f"http://{address}") as cache,
        ):
            await cache.list()

    asyncio.run(story())

    [line] = [one.getMessage() for one in caplog.records if one.name == "provisioner.http"]
    assert re.fullmatch(r"GET /cachedContents 200 \d+ ms", line)


def test_nothing_is_logged_unless_asked_for(capfd: pytest.CaptureFixture[str]) -> None:
    """A program that set up no logging sees nothing of ours."""
    within(gemini(None, host="http://127.0.0.1:1", attempts=1), _unheard)

    assert capfd.readouterr() == ("", "")


async def _unheard(cache: GeminiContextCache) -> None:
    with suppress(CacheError):
        await cache.list()
