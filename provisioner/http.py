"""
The one HTTP client: a request goes out, and a reply or an `HttpError` comes back.

Decides how long a server may take, how much of a reply is read, what a broken connection
means and what of it may be shown: no header, no query, no body and no secret ever is.  No
redirect is followed.  Every exception of the HTTP library ends here, and no other module knows
which library that is, the public parameter `transport=` aside; it is imported with the first
connection that needs it.  Asynchronous requests that pass no proxy and no transport go by
`connection_pool`, which starts in a fifth of the time.

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
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import SplitResult, quote, urlsplit

from provisioner import __version__
from provisioner.connection_pool import ConnectionPool, HttpError, HttpFault, HttpReply
from provisioner.environment import process_environment

if TYPE_CHECKING:
    import httpx

__all__ = [
    "NO_SECRET",
    "AsyncHttpClient",
    "HttpClient",
    "HttpError",
    "HttpFault",
    "HttpReply",
    "Secret",
    "application_transport",
    "environment_fault",
    "normal_url",
    "trust_for",
]

_PROXIES = ("http_proxy", "https_proxy", "all_proxy")
_SCHEMES = frozenset({"http", "https", "socks5", "socks5h"})
_LONGEST_CERTIFICATES = 4 * 1024 * 1024
"""Bytes of a file of certificates in which the first must stand."""
_PLAIN_URL = re.compile(
    r"https?://(?:127\.0\.0\.1|[a-z][a-z0-9.-]*)(?::(?:[1-9]|[1-5][0-9])[0-9]{3})?"
    r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?",
    re.ASCII,
)
"""What is its own normal form.  Its port is none that a scheme implies."""
_SHORTEST_SECRET = 4
"""A secret of fewer characters hides nothing, and cutting it out would garble every sentence."""


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
    _open: tuple[ConnectionPool | _LibraryPool, asyncio.AbstractEventLoop] | None = field(
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
            pool = self._connected(url)
            async with asyncio.timeout(self.connect_timeout + deadline):
                return await pool.request(method, url, query=query, body=body, timeout=timeout)
        except HttpError as error:
            reason = self.secret.redact(str(error))
            raise HttpError(error.fault, reason) from error.__cause__
        except TimeoutError as error:
            raise HttpError(HttpFault.LATE, type(error).__name__) from error

    async def close(self) -> None:
        """
        Close every connection; a later request opens new ones.

        Those of another event loop cannot be closed from here, and are dropped.
        """
        match self._open:
            case pool, loop if loop is asyncio.get_running_loop():
                self._open = None
                await pool.close()
            case _:
                self._open = None

    def _connected(self, url: str) -> ConnectionPool | _LibraryPool:
        loop = asyncio.get_running_loop()
        if self._open is None or self._open[1] is not loop:
            self._open = (self._connect(url), loop)
        return self._open[0]

    def _connect(self, url: str) -> ConnectionPool | _LibraryPool:
        """
        What leads to *url*: the HTTP library where a proxy or a transport stands between.

        Without one, most of the library goes unused, and importing it would take a quarter of a
        small plan's time.
        """
        headers = {**_OURS, **self.headers}
        if self.transport is not None:
            return _LibraryPool(headers, self.connect_timeout, transport=self.transport)
        _check_environment()
        try:
            if _has_proxy():
                return _LibraryPool(headers, self.connect_timeout, verify=trust_for(url))
            return ConnectionPool(headers, self.connect_timeout, trust=trust_for(url))
        except _unusable() as error:
            reason = "look at the proxies and certificates in the environment"
            raise HttpError(HttpFault.UNUSABLE, f"{reason} ({type(error).__name__})") from error


class _LibraryPool:
    """Connections of the HTTP library: by way of proxies, or of a transport."""

    def __init__(
        self, headers: Mapping[str, str], connect_timeout: float, **settings: object
    ) -> None:
        self._connect_timeout = connect_timeout
        self._client: httpx.AsyncClient = _library().AsyncClient(headers=headers, **settings)

    async def request(
        self,
        method: str,
        url: str,
        *,
        query: Mapping[str, str],
        body: bytes | None,
        timeout: float,
    ) -> HttpReply:
        """Send one request.  Raises HttpError."""
        try:
            response = await self._client.request(
                method,
                url,
                params=query or None,
                content=body,
                timeout=_library().Timeout(timeout, connect=self._connect_timeout, pool=None),
            )
        except _foreign() as error:
            _raise(error, NO_SECRET)
        return _reply(response, response.content)

    async def close(self) -> None:
        await self._client.aclose()


def normal_url(text: str) -> str:
    """Spell a URL as the HTTP library sends it.  Raises ValueError if it is none."""
    if _PLAIN_URL.fullmatch(text):
        return text
    library = _library()
    try:
        url = library.URL(text)
        # Beside a scheme in capitals, the first reading keeps the usual port.
        return str(library.URL(str(url)))
    except library.InvalidURL:  # its message may quote a password
        raise ValueError("this is not a URL") from None


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


def trust_for(url: str) -> ssl.SSLContext:
    """
    Whom a client trusts whose first request goes to *url*.

    Reading the authorities takes a tenth of a small plan's time.  A client that begins with plain
    HTTP, and no proxy, does without: where TLS is asked of it later, it trusts no server.
    """
    if urlsplit(url).scheme == "http" and not _has_proxy():
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    import certifi  # noqa: PLC0415  # where TLS is spoken alone

    environ = process_environment()
    file, folder = environ.get("SSL_CERT_FILE"), environ.get("SSL_CERT_DIR")
    if not (file or folder):
        file = certifi.where()
    trust = ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    trust.set_alpn_protocols(["http/1.1"])
    return trust


def _has_proxy() -> bool:
    """Whether the environment, or a system that has such settings, names a proxy."""
    if sys.platform in {"darwin", "win32"}:
        from urllib.request import getproxies  # noqa: PLC0415  # 10 ms that Linux need not pay

        return bool(getproxies().keys() - {"no"})
    environ = process_environment()
    return any(text and name.lower() in _PROXIES for name, text in environ.items())


def _check_environment() -> None:
    if fault := environment_fault(process_environment()):
        raise HttpError(HttpFault.UNUSABLE, fault)


def _reply(response: httpx.Response, body: bytes) -> HttpReply:
    return HttpReply(status=response.status_code, headers=dict(response.headers), body=body)


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
