"""Connections without a proxy, against bare servers on loopback."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import warnings
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from provisioner.connection_pool import ConnectionPool, HttpError, HttpFault, HttpReply

Server = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

ZIPPED = gzip.compress(b"whole")
NO_ONE = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@asynccontextmanager
async def serving(server: Server, identity: Path | None = None) -> AsyncIterator[str]:
    """The address of a server, with TLS by its *identity*, that closes where *server* ends."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await server(reader, writer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    tls = None
    if identity:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(identity)
    listener = await asyncio.start_server(once, "127.0.0.1", 0, ssl=tls)
    async with listener:
        host, port = listener.sockets[0].getsockname()
        yield f"{'https' if tls else 'http'}://{host}:{port}"


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key and a certificate of 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    host = x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(days=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(days=1))
    certificate = builder.add_extension(host, critical=False).sign(key, SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file = tmp_path_factory.mktemp("tls") / "identity.pem"
    file.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return file


def replying(reply: bytes, heads: list[bytes] | None = None) -> Server:
    """Reply the same to each request without a body, on one connection."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if heads is not None:
                heads.append(head)
            writer.write(reply)
            await writer.drain()

    return talk


def said(body: bytes, **headers: str) -> bytes:
    lines = [f"{key.replace('_', '-')}: {text}\r\n" for key, text in headers.items()]
    head = f"HTTP/1.1 200 OK\r\n{''.join(lines)}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def ask(
    pool: ConnectionPool,
    url: str,
    *,
    method: str = "GET",
    query: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 5,
) -> HttpReply:
    return await pool.request(method, url, query=query or {}, body=body, timeout=timeout)


def replies(
    server: Server,
    *,
    count: int = 1,
    path: str = "/",
    body: bytes | None = None,
    timeout: float = 5,
) -> list[HttpReply]:
    """What *server* replies to requests one after the other; every connection is closed."""

    async def story() -> list[HttpReply]:
        pool = ConnectionPool({"x-key": "k"}, 5, trust=NO_ONE)
        method = "GET" if body is None else "POST"
        async with serving(server) as url:
            try:
                return [
                    await ask(pool, f"{url}{path}", method=method, body=body, timeout=timeout)
                    for _ in range(count)
                ]
            finally:
                await pool.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        return asyncio.run(story())


def fault(server: Server, *, timeout: float = 5) -> HttpFault:
    with pytest.raises(HttpError) as error:
        replies(server, timeout=timeout)
    return error.value.fault


def test_one_connection_carries_many_requests() -> None:
    """The pool sends a request on the connection of the one before."""
    opened = 0

    async def counting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal opened
        opened += 1
        await replying(said(b"{}"))(reader, writer)

    assert [reply.body for reply in replies(counting, count=3)] == [b"{}"] * 3
    assert opened == 1


@pytest.mark.parametrize(
    "reply", [said(b"{}"), said(b"{}", connection="close"), b"HTTP/1.0 200 OK\r\n\r\n{}"]
)
def test_a_closed_connection_is_not_used_again(reply: bytes) -> None:
    """After a server closed a connection, with or without a word, the pool opens another."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)

    assert [reply.body for reply in replies(once, count=3)] == [b"{}"] * 3


def test_what_is_sent() -> None:
    """A request has the headers of the pool, a target that is quoted, and the server's name."""
    heads: list[bytes] = []

    async def story() -> str:
        pool = ConnectionPool({"x-key": "k"}, 5, trust=NO_ONE)
        async with serving(replying(said(b""), heads)) as url:
            await ask(pool, f"{url}/v1/a b:count", query={"page": "a&b", "mask": "ttl"})
            await pool.close()
            return url

    address = asyncio.run(story())
    line, *headers = heads[0].decode().splitlines()
    assert line == "GET /v1/a%20b:count?page=a%26b&mask=ttl HTTP/1.1"
    assert f"host: {address.removeprefix('http://')}" in headers
    assert {"accept-encoding: gzip", "x-key: k"} <= set(headers)
    assert not any(header.startswith("content-length") for header in headers)


@pytest.mark.parametrize(
    "reply",
    [
        said(b"whole"),
        said(ZIPPED, content_encoding="gzip"),
        said(b"whole", content_encoding="identity"),
        b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + said(b"whole"),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nwh\r\n3\r\nole\r\n0\r\n\r\n",
    ],
    ids=["plain", "gzip", "identity", "early hints", "chunks"],
)
def test_a_whole_reply(reply: bytes) -> None:
    """A body arrives whole, however the server packs it."""
    assert [reply.body for reply in replies(replying(reply), count=2)] == [b"whole"] * 2


def test_headers_of_a_reply() -> None:
    """Headers are found by names in lower case; two of one name are one."""
    [reply] = replies(replying(said(b"", X_Pot="Blue", x_pot="red")))

    assert reply.headers["x-pot"] == "Blue, red"


@pytest.mark.parametrize(
    "reply",
    [
        said(ZIPPED[:-9], content_encoding="gzip"),
        said(b"whole", content_encoding="gzip"),
        said(zlib.compress(b"whole"), content_encoding="br"),
    ],
    ids=["cut short", "not gzip", "another encoding"],
)
def test_a_garbled_reply(reply: bytes) -> None:
    """A body that cannot be unpacked, or not to its end, is no reply."""
    assert fault(replying(reply)) is HttpFault.GARBLED


@pytest.mark.parametrize(
    "reply", [b"", b"SMTP? 220\r\n\r\n", said(b"whole")[:-1], b"HTTP/1.1 200 OK\r\n"]
)
def test_a_broken_reply(reply: bytes) -> None:
    """A connection that ends within a reply, or speaks another protocol, is broken."""

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(reply)

    assert fault(once) is HttpFault.BROKEN


def test_a_reply_before_the_end_of_the_request() -> None:
    """Where a server refuses a large body and closes, its reply still counts."""

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        for _ in range(64):  # so that the kernel does not reset what the client has not read
            await reader.read(1 << 20)

    [reply] = replies(refusing, body=bytes(1 << 24))

    assert reply.status == 413


@pytest.mark.parametrize("body", [None, bytes(1 << 24)], ids=["reading", "writing"])
def test_a_silent_server(body: bytes | None) -> None:
    """A server that neither sends nor takes a byte is given up."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        del reader, writer
        await asyncio.sleep(0.5)

    with pytest.raises(HttpError, match=r"nothing for 0\.05 s") as error:
        replies(silent, body=body, timeout=0.05)
    assert error.value.fault is HttpFault.SILENT


@pytest.mark.parametrize("url", ["http://host:port/", "ftp://host/", "/path", "http:///x"])
def test_no_address(url: str) -> None:
    """An address that no request can go to is refused before anything is sent."""
    with pytest.raises(HttpError) as refused:
        asyncio.run(ask(ConnectionPool({}, 5, trust=NO_ONE), url))

    assert refused.value.fault is HttpFault.UNUSABLE


@pytest.mark.parametrize("host", ["127.0.0.1:1", f"{'x' * 70}.invalid"])
def test_no_server(host: str) -> None:
    """Where no server listens, or no host can have the name, nothing was sent."""
    with pytest.raises(HttpError) as error:
        asyncio.run(ask(ConnectionPool({}, 5, trust=NO_ONE), f"http://{host}/"))

    assert error.value.fault is HttpFault.UNREACHED


def _over_tls(identity: Path, trust: ssl.SSLContext) -> list[bytes]:
    async def story() -> list[bytes]:
        pool = ConnectionPool({}, 5, trust=trust)
        async with serving(replying(said(b"whole")), identity) as url:
            try:
                return [(await ask(pool, url)).body for _ in range(2)]
            finally:
                await pool.close()

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        return asyncio.run(story())


def test_a_trusted_server(identity: Path) -> None:
    """A server whose certificate is trusted is asked over TLS."""
    assert _over_tls(identity, ssl.create_default_context(cafile=identity)) == [b"whole"] * 2


def test_an_untrusted_server(identity: Path) -> None:
    """A server that no authority vouches for gets no request."""
    with pytest.raises(HttpError, match="CERTIFICATE_VERIFY_FAILED") as error:
        _over_tls(identity, NO_ONE)
    assert error.value.fault is HttpFault.UNTRUSTED
