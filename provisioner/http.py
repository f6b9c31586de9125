"""
The one HTTP client: a request goes out, and a reply or an `HttpError` comes back.

Decides how long a server may take, how much of a reply is read, what a broken connection
means and what of it may be shown: no header, no query, no body and no secret ever is.  No
redirect is followed.  Proxies and certificates come from the environment, which is checked
before the first request.  Every exception of the HTTP library ends here, and no other module
knows which library that is, the public parameter `transport=` aside; it is imported with the
first connection.

What a status means, and whether a request may be sent again, is the caller's decision.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlsplit

from msgspec import Struct

from provisioner import __version__
from provisioner.environment import process_environment
from provisioner.http_environment import environment_fault

if TYPE_CHECKING:
    import httpx

_IDLE_CONNECTIONS = 64
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


_UNSENT = frozenset({HttpFault.UNUSABLE, HttpFault.UNREACHED, HttpFault.UNTRUSTED, HttpFault.PROXY})


class HttpError(Exception):
    """There is no reply; the text says why, without secrets.  Its cause is the library's error."""

    def __init__(self, fault: HttpFault, reason: str) -> None:
        super().__init__(reason)
        self.fault = fault

    @property
    def is_unsent(self) -> bool:
        """Whether the server cannot have seen the request."""
        return self.fault in _UNSENT


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


@dataclass(slots=True, kw_only=True, weakref_slot=True)
class HttpClient:
    """Connections that block, for any number of threads; they close with their last user."""

    timeout: float
    """Seconds without a byte."""
    connect_timeout: float
    """Seconds for a connection."""
    largest: int
    """Bytes of a reply's body."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Of every request."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """User and password of basic authentication."""
    secret: Secret = field(default=NO_SECRET, repr=False)
    _client: httpx.Client | None = field(default=None, repr=False)

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

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        client, self._client = self._client, None
        if client:
            client.close()

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
            _check_environment()
            httpx = _library()
            self._client = client = httpx.Client(
                auth=httpx.BasicAuth(*self.login) if self.login else None,
                # A compressed reply that is cut short does not always show it.
                headers={**_OURS, "accept-encoding": "identity", **self.headers},
                timeout=httpx.Timeout(self.timeout, connect=self.connect_timeout),
                follow_redirects=False,
            )
            weakref.finalize(self, client.close)
        return self._client


@dataclass(slots=True, kw_only=True)
class AsyncHttpClient:
    """Connections of one event loop at a time, to be closed in it; *transport* replaces them."""

    connect_timeout: float
    """Seconds for a connection."""
    headers: Mapping[str, str] = field(repr=False)
    """Of every request."""
    transport: httpx.AsyncBaseTransport | None
    secret: Secret = field(default=NO_SECRET, repr=False)
    _open: tuple[httpx.AsyncClient, asyncio.AbstractEventLoop] | None = field(
        default=None, repr=False
    )

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
            client = self._connected(url)
            async with asyncio.timeout(self.connect_timeout + deadline):
                response = await client.request(
                    method,
                    url,
                    params=query or None,
                    content=body,
                    timeout=_library().Timeout(timeout, connect=self.connect_timeout, pool=None),
                )
            return _reply(response, response.content)
        except _foreign() as error:
            _raise(error, self.secret)

    async def close(self) -> None:
        """
        Close every connection; a later request opens new ones.

        Those of another event loop cannot be closed from here, and are dropped.
        """
        match self._open:
            case client, loop if loop is asyncio.get_running_loop():
                self._open = None
                await client.aclose()
            case _:
                self._open = None

    def _connected(self, url: str) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._open is None or self._open[1] is not loop:
            self._open = (self._connect(url), loop)
        return self._open[0]

    def _connect(self, url: str) -> httpx.AsyncClient:
        if self.transport is None:
            _check_environment()
        library = _library()
        limits = library.Limits(max_keepalive_connections=_IDLE_CONNECTIONS)
        try:
            client: httpx.AsyncClient = library.AsyncClient(
                headers={**_OURS, **self.headers},
                limits=limits,
                transport=self.transport,
                verify=trust_for(url),
            )
        except _unusable() as error:
            reason = "look at the proxies and certificates in the environment"
            raise HttpError(HttpFault.UNUSABLE, f"{reason} ({type(error).__name__})") from error
        return client


class Url:
    """An address as the HTTP library normalises it.  Raises ValueError if it is none."""

    def __init__(self, text: str) -> None:
        library = _library()
        try:
            self._url: httpx.URL = library.URL(text)
        except library.InvalidURL:  # its message may quote a password
            raise ValueError("this is not a URL") from None

    @property
    def is_absolute(self) -> bool:
        """Whether it has a host, and a scheme that this client speaks."""
        return self._url.scheme in {"http", "https"} and bool(self._url.host)

    @property
    def is_bare(self) -> bool:
        """Whether it has no user, no password, no query and no fragment."""
        return not (self._url.userinfo or self._url.query or self._url.fragment)

    @property
    def path(self) -> str:
        return self._url.path

    def with_path(self, path: str) -> str:
        """The same address with another *path*."""
        return str(self._url.copy_with(path=path))


def application_transport(app: Any) -> httpx.AsyncBaseTransport:  # noqa: ANN401  # ASGI is a shape
    """Requests that an ASGI application of this process answers."""
    transport: httpx.AsyncBaseTransport = _library().ASGITransport(app=app)
    return transport


_OURS = {"user-agent": f"ctxprov/{__version__}"}


def _library() -> Any:  # noqa: ANN401  # a module
    """The HTTP library, without its own command line, which would bring pygments and more."""
    if "httpx" not in sys.modules:
        sys.modules["httpx._main"] = None  # type: ignore[assignment]  # this is how to say so
    import httpx  # noqa: PLC0415  # 100 ms that only who connects should pay

    if sys.modules.get("httpx._main", ...) is None:
        del sys.modules["httpx._main"]
    return httpx


def trust_for(url: str) -> ssl.SSLContext | bool:
    """
    Whom a client trusts whose first request goes to *url*.

    Reading the authorities takes a tenth of a small plan's time.  A client that begins with plain
    HTTP, and no proxy, does without: where TLS is asked of it later, it trusts no server.
    """
    from urllib.request import getproxies  # noqa: PLC0415  # the library has imported it by now

    if urlsplit(url).scheme == "http" and not getproxies():
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return True


def _check_environment() -> None:
    if fault := environment_fault(process_environment()):
        raise HttpError(HttpFault.UNUSABLE, fault)


def _reply(response: httpx.Response, body: bytes) -> HttpReply:
    headers = {key.lower(): text for key, text in response.headers.items()}
    return HttpReply(status=response.status_code, headers=headers, body=body)


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


def _unusable() -> tuple[type[Exception], ...]:
    """What the library raises if the environment keeps it from being set up."""
    return (*_foreign(), ValueError, ImportError)


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


def host_of(url: str) -> str:
    """The host of *url*, for a sentence."""
    return urlsplit(url).hostname or url
