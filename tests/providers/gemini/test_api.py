"""The one HTTP path, over wires that break in every way."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cache import GeminiHandle
from provisioner.errors import (
    CacheError,
    InvalidCacheConfiguration,
    NetworkError,
    ParseError,
    RequestRefused,
)
from provisioner.providers.gemini import GeminiContextCache
from provisioner.providers.gemini.api import ApiRequest
from provisioner.providers.gemini.governor import ApiVerb
from tests.providers.gemini.world import HOUR, KEY, START, Wire, answering, broken, gemini, within

ABC = GeminiHandle("cachedContents/abc")

_NO_ARGUMENTS = (
    httpx.ResponseNotRead,
    httpx.RequestNotRead,
    httpx.StreamClosed,
    httpx.StreamConsumed,
)
_KINDS: list[type[Exception]] = sorted(
    (
        kind
        for kind in vars(httpx).values()
        if isinstance(kind, type) and issubclass(kind, Exception)
    ),
    key=lambda kind: kind.__name__,
)
FOREIGN: list[type[Exception]] = [*_KINDS, ssl.SSLError, ConnectionResetError, TimeoutError]
UNSENT = [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError]


def foreign(kind: type[Exception]) -> Exception:
    if issubclass(kind, _NO_ARGUMENTS):
        return kind()
    if issubclass(kind, httpx.HTTPStatusError):
        request = httpx.Request("GET", "http://host")
        return kind("why", request=request, response=httpx.Response(500))
    return kind("why")


def test_a_request_shows_no_content() -> None:
    """What stands in a traceback names the request, and neither content nor tools."""
    request = ApiRequest(ApiVerb.CREATE, "cachedContents", body=b"s3cret")

    assert "s3cret" not in repr(request)
    assert "cachedContents" in repr(request)


def says(status: int, message: str, *details: dict[str, Any], **headers: str) -> httpx.Response:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"code": status, "message": message, "details": details}
    return httpx.Response(status, json={"error": error}, headers=spelled)


def test_every_kind_is_there() -> None:
    """The kinds of foreign errors below are all that the HTTP library has."""
    assert {"ConnectError", "InvalidURL", "DecodingError", "TooManyRedirects"} <= {
        kind.__name__ for kind in FOREIGN
    }
    assert len(_KINDS) >= 28


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_foreign_errors_end_here(kind: type[Exception]) -> None:
    """For every error of the HTTP library a caller sees one of ours, with its cause."""
    error = foreign(kind)

    with pytest.raises(CacheError) as translated:
        within(gemini(broken(error)), lambda cache: cache.list())

    assert type(translated.value) in {NetworkError, ParseError, InvalidCacheConfiguration}
    assert translated.value.__cause__ is error


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_a_create_is_sent_again_only_if_it_never_left(kind: type[Exception]) -> None:
    """What was never sent is sent again; of anything else the outcome is unknown."""
    wire = broken(foreign(kind))

    with pytest.raises(CacheError) as failed:
        within(gemini(wire, attempts=3), lambda cache: cache.create("x"))

    posts = [request.method for request in wire.sent]
    if kind in UNSENT:
        assert posts == ["POST"] * 3
        assert failed.value.retryable
    else:
        assert posts == ["POST"]
        assert not failed.value.retryable


def test_a_bug_stays_a_bug() -> None:
    """An error that no wire raises keeps its own name."""
    with pytest.raises(ZeroDivisionError):
        within(gemini(broken(ZeroDivisionError())), lambda cache: cache.list())


def test_patience() -> None:
    """The client retries what may pass up to its `attempts`, and the waits grow."""
    wire, waits = answering(says(503, "overloaded")), list[float]()

    with pytest.raises(NetworkError, match="overloaded") as failed:
        within(gemini(wire, waits=waits, attempts=6), lambda cache: cache.list())

    assert len(wire.sent) == 6
    assert failed.value.retryable
    assert waits == sorted(waits)
    assert 0.5 <= waits[0] <= 1
    assert 8 <= waits[-1] <= 20


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
def test_what_will_not_pass(status: int) -> None:
    """What cannot pass is tried once."""
    wire, waits = answering(says(status, "no")), list[float]()

    with pytest.raises(CacheError, match="no"):
        within(gemini(wire, waits=waits), lambda cache: cache.list())

    assert (len(wire.sent), waits) == (1, [])


_INFO = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "7.5s"}


@pytest.mark.parametrize(
    ("refusal", "wait"),
    [
        (says(429, "slow down", retry_after="3"), 3.0),
        (says(503, "overloaded", retry_after="0"), 0.0),
        (says(429, "slow down", retry_after="Sun, 22 Nov 2026 21:00:10 GMT"), 10.0),
        (
            says(
                429,
                "slow down",
                retry_after="Sun, 22 Nov 2026 21:00:10 GMT",
                date="Sun, 22 Nov 2026 21:00:06 GMT",
            ),
            4.0,
        ),
        (says(429, "slow down", _INFO), 7.5),
        (says(429, "slow down", _INFO, retry_after="9"), 9.0),
        (says(429, "slow down", retry_after="60"), 60.0),
    ],
)
def test_a_server_says_how_long(refusal: httpx.Response, wait: float) -> None:
    """Where the server says how long to wait, exactly that long is waited."""
    waits = list[float]()

    caches = within(
        gemini(answering(refusal, httpx.Response(200, json={})), waits=waits),
        lambda cache: cache.list(),
    )

    assert caches == []
    assert sum(waits) == pytest.approx(wait, abs=0.1)


def test_a_long_wait_is_refused() -> None:
    """A server that wants to be left alone for long is not asked again, but may be later."""
    wire, waits = answering(says(429, "slow down", retry_after="3600")), list[float]()

    with pytest.raises(NetworkError) as failed:
        within(gemini(wire, waits=waits), lambda cache: cache.list())

    assert failed.value.retryable
    assert (len(wire.sent), waits) == (1, [])


def test_no_quota_is_not_a_matter_of_time() -> None:
    """A project without quota gets its error at once, without a retry."""
    words = "TotalCachedContentStorageTokensPerModelFreeTier limit exceeded for model X: limit=0"
    wire = answering(says(429, words, _INFO))

    with pytest.raises(RequestRefused, match="limit=0"):
        within(gemini(wire), lambda cache: cache.list())

    assert len(wire.sent) == 1


def test_redirects_are_not_followed() -> None:
    """A key is not carried to where a redirect points."""
    wire = answering(httpx.Response(307, headers={"location": "http://evil.invalid/"}))

    with pytest.raises(NetworkError, match="not followed"):
        within(gemini(wire), lambda cache: cache.list())

    assert [request.url.host for request in wire.sent] == ["gemini.invalid"]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"null", b'{"cachedContents": 1}', b"\xff"]
)
def test_senseless_answers(body: bytes) -> None:
    """A malformed success is a ParseError with its status, except an empty list."""
    cache = gemini(answering(httpx.Response(200, content=body)))
    if not body:
        assert within(cache, lambda cache: cache.list()) == []
        return

    with pytest.raises(ParseError) as failed:
        within(cache, lambda cache: cache.list())

    assert failed.value.status == 200


def test_an_untrusted_certificate_is_not_tried_again() -> None:
    """No number of tries makes a certificate trusted."""
    wire = broken(httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] self-signed certificate"))

    with pytest.raises(NetworkError, match="self-signed") as failed:
        within(gemini(wire), lambda cache: cache.list())

    assert (len(wire.sent), failed.value.retryable) == (1, False)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("ALL_PROXY", "carrier-pigeon://user:hunter2@host")],
)
def test_a_broken_environment(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """Proxies and certificates that cannot be used are a wrong configuration, not a crash."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(
        InvalidCacheConfiguration, match=f" cannot be asked: {variable}=.*: "
    ) as failed:
        within(gemini(None, host="https://127.0.0.1:1"), lambda cache: cache.list())

    assert "hunter2" not in str(failed.value)


def test_the_key_stays_in_its_header(caplog: pytest.LogCaptureFixture) -> None:
    """The key is in one header, and in no URL, log, error or words, even if it is echoed."""
    caplog.set_level(logging.DEBUG)
    wire = answering(says(400, f"API key not valid: {KEY}", retry_after=KEY))

    with pytest.raises(RequestRefused) as failed:
        within(gemini(wire), lambda cache: cache.list())

    request = wire.sent[0]
    assert request.headers["x-goog-api-key"] == KEY
    assert KEY not in str(request.url)
    assert KEY not in caplog.text
    assert KEY not in f"{failed.value!r} {failed.value} {failed.value.words}"
    assert failed.value.words == "API key not valid: [key]"


ANSWERS = (
    st.binary()
    | st.from_regex(rb'\{"(error|name|cachedContents|totalTokens)": ?.*\}')
    | (
        st.recursive(
            st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(
                        ["error", "cachedContents", "nextPageToken", "totalTokens", "name"]
                    ),
                    inner,
                )
            ),
        ).map(orjson.dumps)
    )
)
HEADERS = st.dictionaries(
    st.sampled_from(["date", "retry-after", "location", "content-type", "set-cookie"]),
    st.from_regex(r"[ -~]{0,40}", fullmatch=True),
)
STATUSES = st.sampled_from([200, 200, 201, 204, 302, 400, 403, 404, 429, 500, 503, 599])


@given(STATUSES, ANSWERS, HEADERS)
def test_any_answer(status: int, body: bytes, headers: dict[str, str]) -> None:
    """Each verb ends in a value or in a CacheError, for any answer of a server."""
    wire = Wire(lambda _: httpx.Response(status, content=body, headers=headers))

    async def story(cache: GeminiContextCache) -> None:
        for call in _every_call(cache):
            with suppress(CacheError):
                await call

    within(gemini(wire, attempts=2, max_wait=timedelta(seconds=20)), story)


def _every_call(cache: GeminiContextCache) -> Iterable[Awaitable[object]]:
    yield cache.list()
    yield cache.get_cache(ABC)
    yield cache.extend(ABC, expires_at=START + HOUR)
    yield cache.delete_cache(ABC)
    yield cache.count_tokens("x")
    yield cache.create("x")
    yield cache.create("x", label="mine")
