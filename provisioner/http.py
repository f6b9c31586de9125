"""
The one HTTP client: a request goes out, and a reply or an `HttpError` comes back.

Decides how long a server may take, how much of a reply is read, what a broken connection
means and what of it may be shown: no header, no query, no body and no secret ever is.  No
redirect is followed.  Every exception of the HTTP library ends here, and no other module knows
which library that is, the public parameter `transport=` aside; it is imported with the first
connection.

Proxies and certificates come from the environment.  A variable that names what is gone (an
image's, a nix shell's) would fail every request, so it is named before the first one, with its
value, without a password, and with what to do.

What a status means, and whether a request may be sent again, is the caller's decision.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import ssl
import sys
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum, auto
from functools import lru_cache
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias
from urllib.parse import SplitResult, quote, urlsplit

from msgspec import Struct, field

import provisioner
from provisioner.environment import process_environment

if TYPE_CHECKING:
    import httpx

Transport: TypeAlias = "httpx.BaseTransport"
"""Answers requests in place of connections that block."""
AsyncTransport: TypeAlias = "httpx.AsyncBaseTransport"
"""Answers requests in place of connections of an event loop."""

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
_LONGEST_CERTIFICATES = 4 * 1024 * 1024
"""Bytes of a file of certificates in which the first must stand."""
_SHORTEST_SECRET = 4
"""A secret of fewer characters hides nothing, and cutting it out would garble every sentence."""


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


class Secret:
    """A key or a password, which no text may hold."""

    def __init__(self, secret: str, mark: str) -> None:
        self._secret = secret
        self._mark = mark

    def redact(self, text: str) -> str:
        """Put the mark where *text* holds the secret, spelled as it is or as a URL spells it."""
        if len(self._secret) < _SHORTEST_SECRET:
            return text
        return text.replace(self._secret, self._mark).replace(
            quote(self._secret, safe=""), self._mark
        )


NO_SECRET = Secret("", "")


class HttpClient(Struct, kw_only=True, weakref=True):
    """Connections that block, for any number of threads; they close with their last user."""

    timeout: float
    """Seconds without a byte."""
    connect_timeout: float
    """Seconds for a connection."""
    largest: int
    """Bytes of a reply's body."""
    headers: Mapping[str, str] = {}
    """Of every request."""
    login: tuple[str, str] | None = None
    """User and password of basic authentication."""
    secret: Secret = NO_SECRET
    transport: Transport | None = None
    """In place of connections."""
    _client: httpx.Client | None = None

    __repr__ = object.__repr__  # which shows no secret

    def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> HttpReply:
        """Send one request.  Raises HttpError."""
        try:
            with self._connected().stream(
                method, url, params=query or None, content=body, headers=headers
            ) as response:
                return _reply(response, self._body(response))
        except _foreign() as error:
            _raise(error, self.secret)

    def _body(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise HttpError(HttpFault.GARBLED, "the reply has an encoding that was not asked for")
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > self.largest:
                raise HttpError(
                    HttpFault.OVERSIZE, f"the reply has more than {self.largest:,} bytes"
                )
        return bytes(body)

    def _connected(self) -> httpx.Client:
        if self._client is None:
            if self.transport is None:
                _check_environment()
            httpx = _library()
            self._client = client = httpx.Client(
                auth=httpx.BasicAuth(*self.login) if self.login else None,
                # A compressed reply that is cut short does not always show it.
                headers={**_OURS, "accept-encoding": "identity", **self.headers},
                timeout=httpx.Timeout(self.timeout, connect=self.connect_timeout),
                follow_redirects=False,
                transport=self.transport,
            )
            weakref.finalize(self, client.close)
        return self._client


class _Connections(Struct):
    """Those of one event loop, as clients that have one each."""

    loop: asyncio.AbstractEventLoop
    trust: ssl.SSLContext
    clients: list[httpx.AsyncClient] = field(default_factory=list)
    idle: list[tuple[float, httpx.AsyncClient]] = field(default_factory=list)
    """Since when by the loop's clock, the longest first."""


class AsyncHttpClient(Struct, kw_only=True):
    """
    Connections of one event loop at a time, to be closed in it; *transport* replaces them.

    No two requests use one of the library's clients at a time: before and after each request its
    pool looks at every connection it has, which for dozens takes longer than the request.
    """

    connect_timeout: float
    """Seconds for a connection."""
    headers: Mapping[str, str]
    """Of every request."""
    transport: AsyncTransport | None
    secret: Secret = NO_SECRET
    longest_idle: float = 5.0
    """Seconds after which a connection is closed that no request has needed."""
    _open: _Connections | None = None

    __repr__ = object.__repr__  # which shows no secret

    async def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str],
        body: bytes | None,
        timeout: float,
        deadline: float,
    ) -> HttpReply:
        """
        Send one request; *timeout* is in seconds without a byte, *deadline* for the whole.

        Seconds for a connection come on top of both.  Raises HttpError.
        """
        try:
            await self._close_longest_idle()
            connections = self._connections(url)
            client = connections.idle.pop()[1] if connections.idle else self._connect(connections)
            try:
                async with asyncio.timeout(self.connect_timeout + deadline):
                    response = await client.request(
                        method,
                        _parsed(url),
                        params=query or None,
                        content=body,
                        timeout=_library().Timeout(timeout, connect=self.connect_timeout),
                    )
            finally:
                connections.idle.append((connections.loop.time(), client))
            # What it was read from refers back: both would wait for the collector, with our body.
            response.stream = _library().ByteStream(response.content)
            return _reply(response, response.content)
        except _foreign() as error:
            _raise(error, self.secret)

    async def close(self) -> None:
        """
        Close every connection; a later request opens new ones.

        Those of another event loop cannot be closed from here, and are dropped.
        """
        connections, self._open = self._open, None
        if connections and connections.loop is asyncio.get_running_loop():
            for client in connections.clients:
                await client.aclose()

    async def _close_longest_idle(self) -> None:
        """Close one client: each request takes the latest, so a burst's others would stay open."""
        connections = self._open
        if self.transport or not connections or not connections.idle:
            return
        since, client = connections.idle[0]
        if connections.loop.time() - since < self.longest_idle:
            return
        del connections.idle[0]
        connections.clients.remove(client)
        if connections.loop is asyncio.get_running_loop():
            with suppress(*_foreign()):
                await client.aclose()

    def _connections(self, url: str) -> _Connections:
        loop = asyncio.get_running_loop()
        if self._open is None or self._open.loop is not loop:
            if self.transport is None:
                _check_environment()
            with _setting_up():
                trust = (
                    ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if self.transport else trust_for(url)
                )
                self._open = _Connections(loop, trust)
        return self._open

    def _connect(self, connections: _Connections) -> httpx.AsyncClient:
        with _setting_up():
            client: httpx.AsyncClient = _library().AsyncClient(
                headers={**_OURS, **self.headers},
                transport=self.transport,
                verify=connections.trust,
            )
        connections.clients.append(client)
        return client


def normal_url(text: str) -> str:
    """Spell a URL as the HTTP library sends it.  Raises ValueError if it is none."""
    library = _library()
    try:
        url = library.URL(text)
        # Beside a scheme in capitals, the first reading keeps the usual port.
        return str(library.URL(str(url)))
    except library.InvalidURL:  # its message may quote a password
        raise ValueError("this is not a URL") from None


def application_transport(app: Any) -> AsyncTransport:  # noqa: ANN401  # ASGI is a shape
    """Requests that an ASGI application of this process answers."""
    transport: AsyncTransport = _library().ASGITransport(app=app)
    return transport


_OURS = {"user-agent": f"ctxprov/{provisioner.__version__}"}


def _library() -> Any:  # noqa: ANN401  # a module
    """The HTTP library, without its own command line, which would bring pygments and more."""
    if "httpx" not in sys.modules:
        sys.modules["httpx._main"] = None  # type: ignore[assignment]  # this is how to say so
    import httpx  # noqa: PLC0415  # 100 ms that only who connects should pay

    if sys.modules.get("httpx._main", ...) is None:
        del sys.modules["httpx._main"]
    return httpx


def trust_for(url: str) -> ssl.SSLContext:
    """
    Whom a client trusts whose first request goes to *url*.

    Reading the authorities takes a tenth of a small plan's time.  A client that begins with plain
    HTTP, and no proxy, does without: where TLS is asked of it later, it trusts no server.
    """
    from urllib.request import getproxies  # noqa: PLC0415  # the library has imported it by now

    if urlsplit(url).scheme == "http" and not getproxies().keys() - {"no"}:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust: ssl.SSLContext = _library().create_ssl_context()
    return trust


@lru_cache(maxsize=64)
def _parsed(url: str) -> httpx.URL:
    """Take a URL apart once: those of creates are all the same."""
    parsed: httpx.URL = _library().URL(url)
    return parsed


def _check_environment() -> None:
    if fault := environment_fault(process_environment()):
        raise HttpError(HttpFault.UNUSABLE, fault)


def _reply(response: httpx.Response, body: bytes) -> HttpReply:
    return HttpReply(status=response.status_code, headers=dict(response.headers.items()), body=body)


def _foreign() -> tuple[type[Exception], ...]:
    """Every kind of error that the library raises for a reason outside of this program."""
    httpx = _library()
    # A TLS error in the middle of a reply arrives as a bare OSError.
    return (
        httpx.HTTPError,
        httpx.InvalidURL,
        httpx.CookieConflict,
        httpx.StreamError,
        OSError,
    )


@contextmanager
def _setting_up() -> Iterator[None]:
    """Make an HttpError of what the library raises if the environment keeps it from working."""
    kinds: tuple[type[Exception], ...] = (*_foreign(), ValueError, ImportError)
    try:
        yield
    except kinds as error:
        reason = "look at the proxies and certificates in the environment"
        raise HttpError(HttpFault.UNUSABLE, f"{reason} ({type(error).__name__})") from error


def _raise(error: Exception, secret: Secret) -> NoReturn:
    reason = secret.redact(str(error)) or type(error).__name__
    raise HttpError(_fault(error, reason), reason) from error


def _fault(error: Exception, reason: str) -> HttpFault:
    httpx = _library()
    match error:
        case httpx.InvalidURL() | httpx.UnsupportedProtocol():
            return HttpFault.UNUSABLE
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
            is_untrusted = "CERTIFICATE_VERIFY_FAILED" in reason
            return HttpFault.UNTRUSTED if is_untrusted else HttpFault.UNREACHED
        case httpx.ProxyError():
            return HttpFault.PROXY
        case httpx.DecodingError():
            return HttpFault.GARBLED
        case httpx.TimeoutException():
            return HttpFault.SILENT
        case TimeoutError():
            return HttpFault.LATE
        case _:
            return HttpFault.BROKEN


def environment_fault(environ: Mapping[str, str]) -> str | None:
    """Name the first variable of *environ* that no client can work with; None if all are well."""
    return next(_environment_faults(environ), None)


def _environment_faults(environ: Mapping[str, str]) -> Iterator[str]:
    yield from _certificate_faults(environ)
    for name in _PROXIES:
        spelled = name if name in environ else name.upper()
        text = environ.get(spelled, "")
        if text and (why := _proxy_fault(text)):
            yield f"{spelled}={_without_password(text)} {why}"
    spelled = "no_proxy" if "no_proxy" in environ else "NO_PROXY"
    for host in environ.get(spelled, "").split(","):
        if not _is_host(host.strip()):
            yield f"{spelled} holds {host.strip()!r}, which is no host: correct or unset it"


def _certificate_faults(environ: Mapping[str, str]) -> Iterator[str]:
    if path := environ.get("SSL_CERT_FILE"):
        if why := _file_fault(Path(path)):
            yield f"SSL_CERT_FILE={path} {why}: unset it, or let it name a file of certificates"
    elif paths := environ.get("SSL_CERT_DIR"):
        why = "is no folder that exists: unset it, or let it name a folder of certificates"
        if not any(map(os.path.isdir, paths.split(os.pathsep))):
            yield f"SSL_CERT_DIR={paths} {why}"


def _file_fault(path: Path) -> str | None:
    try:
        if not path.is_file():
            return "is not a file" if path.exists() else "does not exist"
        with path.open("rb") as file:
            start = file.read(_LONGEST_CERTIFICATES)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if b"CERTIFICATE-----" in start else "holds no certificate (PEM)"


def _proxy_fault(text: str) -> str | None:
    parts = _address(text)
    if parts and parts.scheme not in _SCHEMES:
        return "is a proxy of a kind that is not supported: use http://, https:// or socks5://"
    if not parts or not parts.hostname:
        return "is no address of a proxy: correct it (http://HOST:PORT) or unset it"
    if parts.scheme.startswith("socks") and find_spec("socksio") is None:
        return "needs the package socksio: pip install 'httpx[socks]', or unset it"
    return None


def _is_host(text: str) -> bool:
    """Whether an item of NO_PROXY can be read: a host, a domain, an address or nothing."""
    with suppress(ValueError):
        ipaddress.ip_address(text)
        return True
    return _address(text) is not None


def _address(text: str) -> SplitResult | None:
    """Take a host apart, with a scheme and a port if it has them; None if it cannot be one."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        _ = parts.port
    except ValueError:
        return None
    is_broken = re.search(r"[\s\x00-\x20\x7f<>\"{}|\\^`]", parts.hostname or "")
    return None if is_broken else parts


def _without_password(text: str) -> str:
    scheme, mark, rest = text.rpartition("://")
    return f"{scheme}{mark}{'***@' if '@' in rest else ''}{rest.rpartition('@')[2]}"
