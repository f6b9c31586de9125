"""
A wire that breaks where a test says: a proxy on loopback between a client and an emulator.

It works on bytes.  Each exchange (one request, one answer) is passed through, or cut after a
number of bytes of the request or of the answer, by an orderly end or by a reset; or it is held
back until the client has given up.  What it passes on it does not change.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum, auto
from typing import TypeAlias

from msgspec import Struct

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END = b"\r\n\r\n"


class Side(StrEnum):
    """Which of the two messages is cut."""

    REQUEST = auto()
    ANSWER = auto()


class Cut(Struct, frozen=True, kw_only=True):
    """End the connection after *at* bytes of one message."""

    side: Side
    at: int
    reset: bool = False
    """By RST instead of FIN."""


class Late(Struct, frozen=True, kw_only=True):
    """Pass the request on only when the client has left."""


Fault: TypeAlias = Cut | Late
Choose: TypeAlias = Callable[[bytes], Fault | None]
"""What happens to a request, given its bytes."""


class Wire:
    """The proxy's own state: what to do, and the sizes of what went through."""

    def __init__(self, upstream: tuple[str, int]) -> None:
        self.choose: Choose = lambda _: None
        self.sizes: list[tuple[int, int]] = []
        """Bytes of each request and its answer, for exchanges that were not cut."""
        self.late: set[asyncio.Task[None]] = set()
        self._upstream = upstream

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while await self._exchange(reader, writer):
                pass
        with suppress(OSError, asyncio.CancelledError):
            writer.close()
            await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False if the connection has ended."""
        request = await _message(reader)
        match self.choose(request):
            case None:
                answer = await self._ask(request)
                self.sizes.append((len(request), len(answer)))
                writer.write(answer)
                await writer.drain()
                return True
            case Late():
                task = asyncio.create_task(self._ask_when_left(reader, request))
                self.late.add(task)
                await task
                return False
            case Cut(side=Side.REQUEST, at=at) as cut:
                await self._offer(request[:at])
                await _end(writer, reset=cut.reset)
                return False
            case Cut(at=at) as cut:
                answer = await self._ask(request)
                writer.write(answer[:at])
                with suppress(OSError):
                    await writer.drain()
                await _end(writer, reset=cut.reset)
                return False

    async def _ask(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(*self._upstream)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        finally:
            writer.close()

    async def _offer(self, part: bytes) -> None:
        """Send the server a part of a request, and leave."""
        _, writer = await asyncio.open_connection(*self._upstream)
        writer.write(part)
        await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _ask_when_left(self, reader: asyncio.StreamReader, request: bytes) -> None:
        await reader.read()
        await self._ask(request)


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Head and body of one message, which says how long it is."""
    head = await reader.readuntil(_HEAD_END)
    length = _LENGTH.search(head)
    return head + (await reader.readexactly(int(length.group(1))) if length else b"")


async def _end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        raw = writer.get_extra_info("socket")
        # Lingering for no time ends a connection by RST.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@contextmanager
def broken(upstream: str) -> Iterator[tuple[str, Wire]]:
    """A wire to the server at *upstream*, as a URL of its own."""
    host, _, port = upstream.removeprefix("http://").rpartition(":")
    wire = Wire((host, int(port)))
    ready, urls, stops = threading.Event(), list[str](), list[Callable[[], object]]()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(wire.serve, "127.0.0.1", 0, limit=2**24)
        urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))
        ready.set()
        async with server:
            await stop.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()))
    thread.start()
    assert ready.wait(10)
    try:
        yield urls[0], wire
    finally:
        stops[0]()
        thread.join()
