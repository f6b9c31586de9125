"""
Connections of one event loop: requests in HTTP/1.1 to servers that need no proxy.

Decides when a connection opens, is used again and closes, and how far a request came that has no
reply.  The protocol's grammar is h11's.  Knows no proxy, follows no redirect, and keeps no cookie.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

import h11
from msgspec import Struct

_MOST_IDLE = 64
_IDLE = 5.0
"""Seconds that a connection waits for its next request: servers close theirs after more."""
_LARGEST_HEAD = 100 * 1024
"""Bytes of a reply's head."""
_NEXT_ADDRESS = 0.25
"""Seconds before a second address of a host is tried beside the first (RFC 8305)."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_PATH = "/:@!$&'()*+,;=~%"
"""What a path holds as it is, beside letters and digits."""
_GZIP = 16 + zlib.MAX_WBITS


class HttpFault(Enum):
    """Why there is no reply."""

    UNUSABLE = auto()
    """No request can be made: of this address, or in this environment."""
    UNREACHED = auto()
    """No connection: nothing was sent."""
    UNTRUSTED = auto()
    """The server's certificate is not trusted: nothing was sent."""
    PROXY = auto()
    """The proxy refuses: nothing was sent."""
    SILENT = auto()
    """No byte for as long as the caller waits."""
    LATE = auto()
    """No whole reply by the deadline."""
    GARBLED = auto()
    """A reply in an encoding that was not asked for, or that is broken."""
    OVERSIZE = auto()
    """A reply beyond the limit."""
    BROKEN = auto()
    """The connection broke, or the server does not speak HTTP."""


class HttpError(Exception):
    """There is no reply; the text says why, without secrets.  Its cause is the library's error."""

    def __init__(self, fault: HttpFault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault


class HttpReply(Struct, frozen=True, kw_only=True):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    """By names in lower case."""
    body: bytes

    @property
    def is_success(self) -> bool:
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


class ConnectionPool:
    """Connections that wait for their next request, to be closed in the loop that opened them."""

    def __init__(
        self, headers: Mapping[str, str], connect_timeout: float, *, trust: ssl.SSLContext
    ) -> None:
        self._headers = [
            ("accept", "*/*"),
            ("accept-encoding", "gzip"),
            ("connection", "keep-alive"),
            *headers.items(),
        ]
        self._connect_timeout = connect_timeout
        self._trust = trust
        self._idle: dict[_Origin, list[_Connection]] = {}
        self._all: set[_Connection] = set()

    async def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> HttpReply:
        """Send one request; *timeout* is in seconds without a byte.  Raises HttpError."""
        origin, target = _split(url, query)
        length = [("content-length", str(len(body or b"")))] if body or method in _WITH_BODY else []
        head = h11.Request(
            method=method, target=target, headers=[("host", origin.host), *self._headers, *length]
        )
        connection = await self._take(origin) or await self._open(origin)
        try:
            reply = await connection.exchange(head, body, timeout)
        except (OSError, h11.ProtocolError) as error:
            connection.abort()
            reason = str(error) or type(error).__name__
            raise HttpError(HttpFault.BROKEN, reason) from error
        except BaseException:
            connection.abort()
            raise
        self._give_back(origin, connection)
        return reply

    async def close(self) -> None:
        """Close every connection, and wait until that is done."""
        connections = [*self._all]
        self._idle.clear()
        for connection in connections:
            connection.abort()
        await asyncio.gather(*(connection.is_lost.wait() for connection in connections))

    async def _take(self, origin: _Origin) -> _Connection | None:
        """A connection that waits and that the server has not closed."""
        idle = self._idle.get(origin, ())
        while idle:
            connection = idle.pop()
            # The loop looks at its sockets in one turn, and reads what it saw in the next.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if connection.is_fresh:
                return connection
            connection.abort()
        return None

    def _give_back(self, origin: _Origin, connection: _Connection) -> None:
        if connection.rest() and len(self._all) <= _MOST_IDLE:
            self._idle.setdefault(origin, []).append(connection)
        else:
            connection.abort()

    async def _open(self, origin: _Origin) -> _Connection:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._connect_timeout):
                _, connection = await loop.create_connection(
                    lambda: _Connection(self._all),
                    origin.name,
                    origin.port,
                    ssl=self._trust if origin.is_secure else None,
                    happy_eyeballs_delay=_NEXT_ADDRESS,
                )
        except TimeoutError as error:
            reason = f"no connection within {self._connect_timeout:g} s"
            raise HttpError(HttpFault.UNREACHED, reason) from error
        except ssl.SSLCertVerificationError as error:
            raise HttpError(HttpFault.UNTRUSTED, str(error)) from error
        except (OSError, UnicodeError) as error:  # a name of host may be none
            raise HttpError(HttpFault.UNREACHED, str(error)) from error
        return connection


class _Origin(NamedTuple):
    """Whom a connection leads to."""

    is_secure: bool
    host: str
    """As the header has it."""
    name: str
    port: int


def _split(url: str, query: Mapping[str, str]) -> tuple[_Origin, str]:
    """The server and the target of a request.  Raises HttpError."""
    try:
        parts = urlsplit(url)
        name, port = parts.hostname, parts.port
    except ValueError as error:
        raise HttpError(HttpFault.UNUSABLE, str(error)) from error
    if parts.scheme not in {"http", "https"} or not name:
        raise HttpError(HttpFault.UNUSABLE, "the address has to start with https:// and a host")
    is_secure = parts.scheme == "https"
    target = quote(parts.path, safe=_PATH) or "/"
    if query:
        target += f"?{urlencode(query)}"
    host = parts.netloc.rpartition("@")[2]
    return _Origin(is_secure, host, name, port or (443 if is_secure else 80)), target


class _Connection(asyncio.Protocol):
    """One request at a time; what arrives is kept for whom it is for until he asks."""

    def __init__(self, connections: set[_Connection]) -> None:
        self.is_lost = asyncio.Event()
        self._connections = connections
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
        self._news = asyncio.Event()
        """Set when bytes arrived, or the end."""
        self._is_writable = asyncio.Event()
        self._is_writable.set()
        self._has_ended = False
        self._error: Exception | None = None
        self._rests_until = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # it is a connection's
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._http.receive_data(data)
        self._news.set()

    def eof_received(self) -> None:
        self._has_ended = True
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._has_ended = True
        self._error = exc
        self._connections.discard(self)
        for event in (self._news, self._is_writable, self.is_lost):
            event.set()

    def pause_writing(self) -> None:
        self._is_writable.clear()

    def resume_writing(self) -> None:
        self._is_writable.set()

    @property
    def is_fresh(self) -> bool:
        """Whether the next request may go this way."""
        is_early = asyncio.get_running_loop().time() < self._rests_until
        return is_early and not (self._has_ended or self._http.trailing_data[0])

    def rest(self) -> bool:
        """Get ready for the next request; False if the connection cannot carry another."""
        if (self._http.our_state, self._http.their_state) != (h11.DONE, h11.DONE):
            return False
        self._http.start_next_cycle()
        self._rests_until = asyncio.get_running_loop().time() + _IDLE
        return True

    def abort(self) -> None:
        self._transport.abort()

    async def exchange(self, head: h11.Request, body: bytes | None, timeout: float) -> HttpReply:
        """Send a request, and read its reply."""
        await self._send(head, body, timeout)
        while not isinstance(response := await self._event(timeout), h11.Response):
            pass  # such as 103, which a reply follows
        received = bytearray()
        while isinstance(event := await self._event(timeout), h11.Data):
            received += event.data
        headers = _headers(response.headers)
        return HttpReply(
            status=response.status_code,
            headers=headers,
            body=_unpacked(bytes(received), headers.get("content-encoding", "")),
        )

    async def _send(self, head: h11.Request, body: bytes | None, timeout: float) -> None:
        """Write a request; a server that closes before the end may have replied all the same."""
        events = [head, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
        self._transport.writelines([self._http.send(event) or b"" for event in events])
        if not self._is_writable.is_set():
            await _within(timeout, self._is_writable)

    async def _event(self, timeout: float) -> Any:  # noqa: ANN401  # of h11: a class for each
        while (event := self._http.next_event()) is h11.NEED_DATA:
            if self._error:
                raise self._error
            if self._has_ended and self._http.their_state is h11.SEND_RESPONSE:
                raise ConnectionError("Server disconnected without sending a response.")
            if self._has_ended:
                self._http.receive_data(b"")
                continue
            self._news.clear()
            await _within(timeout, self._news)
        return event


async def _within(timeout: float, event: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(timeout):
            await event.wait()
    except TimeoutError as error:
        raise HttpError(HttpFault.SILENT, f"nothing for {timeout:g} s") from error


def _headers(pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    headers: dict[str, str] = {}
    for key, text in pairs:
        name, spelled = key.decode("latin-1"), text.decode("latin-1")
        headers[name] = f"{headers[name]}, {spelled}" if name in headers else spelled
    return headers


def _unpacked(body: bytes, encoding: str) -> bytes:
    if not body or encoding in {"", "identity"}:
        return body
    if encoding.lower() not in {"gzip", "x-gzip"}:
        raise HttpError(HttpFault.GARBLED, "the reply has an encoding that was not asked for")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        unpacked = unpacker.decompress(body)
    except zlib.error as error:
        raise HttpError(HttpFault.GARBLED, str(error)) from error
    if not unpacker.eof:
        raise HttpError(HttpFault.GARBLED, "the reply is cut short")
    return unpacked
