"""The one HTTP client, against bare sockets and servers on loopback."""

from __future__ import annotations

import asyncio
import gc
import gzip
import socket
import ssl
import warnings
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from provisioner.http import (
    AsyncHttpClient,
    HttpClient,
    HttpError,
    HttpFault,
    Secret,
    application_transport,
    normal_url,
    trust_for,
)
from tests.storage.terraform_server import States, terraform_server

PASSWORD = "s3cret"
FOREIGN = [
    (httpx.InvalidURL("no"), HttpFault.UNUSABLE),
    (httpx.UnsupportedProtocol("no"), HttpFault.UNUSABLE),
    (httpx.ConnectError("refused"), HttpFault.UNREACHED),
    (httpx.ConnectTimeout("slow"), HttpFault.UNREACHED),
    (httpx.PoolTimeout("full"), HttpFault.UNREACHED),
    (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), HttpFault.UNTRUSTED),
    (httpx.ProxyError("407"), HttpFault.PROXY),
    (httpx.DecodingError("zip"), HttpFault.GARBLED),
    (httpx.ReadTimeout("slow"), HttpFault.SILENT),
    (TimeoutError("late"), HttpFault.LATE),
    (httpx.ReadError("gone"), HttpFault.BROKEN),
    (httpx.RemoteProtocolError("what"), HttpFault.BROKEN),
    (httpx.CookieConflict("two"), HttpFault.BROKEN),
    (ssl.SSLError("torn"), HttpFault.BROKEN),
    (ConnectionResetError("reset"), HttpFault.BROKEN),
]


class _Breaking(httpx.AsyncBaseTransport):
    def __init__(self, error: Exception) -> None:
        self._error = error

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        del request
        raise self._error


@pytest.fixture
def server() -> Iterator[States]:
    with terraform_server() as states:
        yield states


def client(*, largest: int = 1_000, secret: str = "") -> HttpClient:
    return HttpClient(timeout=5, connect_timeout=5, largest=largest, secret=Secret(secret, "***"))


async def request(transport: httpx.AsyncBaseTransport | None, url: str = "http://host/x") -> int:
    http = AsyncHttpClient(connect_timeout=5, headers={}, transport=transport)
    try:
        reply = await http.request("GET", url, query={}, body=None, timeout=5, deadline=5)
    finally:
        await http.close()
    return reply.status


@pytest.mark.parametrize(("error", "fault"), FOREIGN, ids=lambda value: type(value).__name__)
def test_every_foreign_error_is_translated(error: Exception, fault: HttpFault) -> None:
    """An error of the library becomes ours, which says how far the request came."""
    with pytest.raises(HttpError) as translated:
        asyncio.run(request(_Breaking(error)))

    assert translated.value.fault is fault
    assert translated.value.__cause__ is error


def test_no_server() -> None:
    """Where nothing listens, nothing was sent, by either client."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        with pytest.raises(HttpError) as blocking:
            client().request("GET", url)
        with pytest.raises(HttpError) as asynchronous:
            asyncio.run(request(None, url))

    assert blocking.value.fault is asynchronous.value.fault is HttpFault.UNREACHED


@pytest.mark.parametrize("url", ["http://host:port/", "ftp://host/", "/path"])
def test_no_address(url: str) -> None:
    """An address that no request can go to is refused before anything is sent."""
    with pytest.raises(HttpError) as refused:
        client().request("GET", url)

    assert refused.value.fault is HttpFault.UNUSABLE


def test_the_environment_is_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that no client can work with is named, and no request goes out."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")

    for ask in (
        lambda: client().request("GET", "http://host/"),
        lambda: asyncio.run(request(None)),
    ):
        with pytest.raises(HttpError, match=r"^SSL_CERT_FILE=/nowhere/ca\.pem does not") as refused:
            ask()
        assert refused.value.fault is HttpFault.UNUSABLE


def test_a_reply(server: States) -> None:
    """A reply has its status, its headers by names in lower case, and its whole body."""
    server.before = lambda _: (418, b"tea", {"X-Pot": "Blue"})
    reply = client().request("GET", server.url, query={"a": 1})

    assert (reply.status, reply.text, reply.headers["x-pot"]) == (418, "tea", "Blue")
    assert not reply.is_success


def test_no_redirect_is_followed(server: States) -> None:
    """A redirect is a reply like another, so that no credential goes elsewhere."""
    server.before = lambda _: (302, b"", {"location": "http://127.0.0.1:1/"})

    assert client().request("GET", server.url).status == 302


def test_a_reply_beyond_the_limit(server: States) -> None:
    """No more of a reply is read than the caller allows."""
    server.before = lambda _: (200, b"four", {})

    assert client(largest=4).request("GET", server.url).body == b"four"
    with pytest.raises(HttpError, match="more than 3 bytes") as refused:
        client(largest=3).request("GET", server.url)
    assert refused.value.fault is HttpFault.OVERSIZE


def test_an_encoding_that_was_not_asked_for(server: States) -> None:
    """A compressed reply is refused, because a torn one may look whole."""
    server.before = lambda _: (200, gzip.compress(b"x"), {"content-encoding": "gzip"})

    with pytest.raises(HttpError) as refused:
        client().request("GET", server.url)
    assert refused.value.fault is HttpFault.GARBLED


def test_connections_close_with_their_client(server: States) -> None:
    """Once nothing refers to a client, its connections are closed without a warning."""
    server.before = lambda _: (200, b"", {})
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        http = client()
        statuses = [http.request("GET", server.url).status for _ in range(2)]
        del http
        gc.collect()

    assert statuses == [200, 200]


@pytest.mark.parametrize("text", [f"no {PASSWORD} here", "no%20s3cret/here", "s3cret" * 2])
def test_no_secret_is_shown(text: str) -> None:
    """A text that holds the secret comes back with its mark."""
    assert PASSWORD not in Secret(PASSWORD, "***").redact(text)
    assert "***" in Secret(PASSWORD, "***").redact(text)


def test_secrets_in_urls() -> None:
    """A secret is recognised as a URL spells it; one too short to hide stays."""
    assert Secret("a/b+c", "[key]").redact("a/b+c, or a%2Fb%2Bc") == "[key], or [key]"
    assert Secret("a", "[key]").redact("a banana") == "a banana"


def test_urls_are_normalised() -> None:
    """Two spellings of one address are equal once they are read."""
    assert normal_url("HTTPS://Host.example:443/v1/") == "https://host.example/v1/"
    with pytest.raises(ValueError, match="not a URL"):
        normal_url("https://host:port/")


def test_an_application_answers() -> None:
    """A transport to an application of this process reaches no network."""

    async def answer(request: Request) -> JSONResponse:
        return JSONResponse({"path": request.url.path}, status_code=201)

    app = Starlette(routes=[Route("/x", answer)])

    assert asyncio.run(request(application_transport(app))) == 201


def test_a_transport_needs_no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a transport is given, no certificates of the environment are read."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    transport = httpx.MockTransport(lambda _: httpx.Response(204))

    assert asyncio.run(request(transport, "https://host/x")) == 204


def test_a_burst_leaves_no_connections() -> None:
    """Connections that a burst has opened are closed by the requests that need them no more."""

    async def left_over() -> int:
        alive: set[asyncio.StreamWriter] = set()
        changed = asyncio.Condition()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            alive.add(writer)
            with suppress(asyncio.IncompleteReadError):
                while await reader.readuntil(b"\r\n\r\n"):
                    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            writer.close()
            await writer.wait_closed()
            alive.remove(writer)
            async with changed:
                changed.notify_all()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = "http://{}:{}/".format(*server.sockets[0].getsockname())
        http = AsyncHttpClient(connect_timeout=5, headers={}, transport=None, longest_idle=0)

        async def ask() -> None:
            await http.request("GET", url, query={}, body=None, timeout=5, deadline=5)

        await asyncio.gather(*(ask() for _ in range(8)))
        burst = len(alive)
        for _ in range(burst):
            await ask()
        async with asyncio.timeout(5), changed:
            await changed.wait_for(lambda: len(alive) == 1)
            await http.close()
            await changed.wait_for(lambda: not alive)
        server.close()
        return burst

    assert asyncio.run(left_over()) == 8


def test_plain_http_reads_no_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain HTTP reads no certificate authorities; TLS, or a proxy, reads the usual ones."""
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)

    plain = trust_for("http://127.0.0.1:8085/v1beta")

    assert isinstance(plain, ssl.SSLContext)
    assert (plain.verify_mode, plain.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert plain.cert_store_stats()["x509"] == 0
    assert trust_for("https://host/v1beta").cert_store_stats()["x509"]
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert not trust_for("http://127.0.0.1:8085/v1beta").cert_store_stats()["x509"]
    monkeypatch.setenv("HTTP_PROXY", "https://proxy:3128")
    assert trust_for("http://127.0.0.1:8085/v1beta").cert_store_stats()["x509"]
