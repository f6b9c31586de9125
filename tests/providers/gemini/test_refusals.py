"""What a no means."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import (
    CacheCreationFailed,
    CacheError,
    InvalidCacheConfiguration,
    NetworkError,
    ParseError,
    RequestRefused,
)
from provisioner.providers.gemini.refusals import (
    LONGEST_MESSAGE,
    Refusal,
    error_of,
    of_creation,
    read_refusal,
    read_retry_after,
)
from provisioner.providers.gemini.wire import MissingCache
from tests.providers.gemini.world import START

ENDPOINT = "https://host/v1beta"
TOO_SMALL = "Cached content is too small. total_token_count=97, min_total_token_count=1024"
TOO_LARGE = "Cached content is too large. total_token_count=9, max_total_token_count=0"
NO_QUOTA = (
    "TotalCachedContentStorageTokensPerModelFreeTier limit exceeded for model X:"
    " limit=0, requested=5120"
)
MISSING = "CachedContent not found (or permission denied)"
STORED, NOTHING, DAILY, PER_MINUTE = (
    {"violations": [violation]}
    for violation in (
        {"quotaId": "TotalCachedContentStorageTokensPerModelPaidTier"},
        {"quotaId": "CreateRequestsPerMinute", "quotaValue": "0"},
        {"quotaId": "CreateRequestsPerDayPerProject", "quotaValue": "50"},
        {"quotaId": "CreateRequestsPerMinutePerProject", "quotaValue": "10"},
    )
)
HTML = b"<!DOCTYPE html><title>Error 404 (Not Found)!!1</title>"


def envelope(message: str = "", status: str = "", *details: dict[str, Any]) -> bytes:
    return json.dumps(
        {"error": {"message": message, "status": status, "details": list(details)}}
    ).encode()


def read(status: int, body: bytes, **headers: str) -> Refusal:
    spelled = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_refusal(
        status, spelled, body, now=START, redact=lambda text: text.replace("secret", "[key]")
    )


def judged(status: int, body: bytes, *, names_cache: bool = False) -> CacheError:
    return error_of(read(status, body), endpoint=ENDPOINT, names_cache=names_cache)


@pytest.mark.parametrize(
    ("status", "body", "kind", "retryable"),
    [
        (400, envelope("bad", "INVALID_ARGUMENT"), InvalidCacheConfiguration, False),
        (400, envelope("no", "", {"reason": "API_KEY_INVALID"}), RequestRefused, False),
        (400, envelope("API key not valid. Please pass a valid one."), RequestRefused, False),
        (400, envelope("no free tier there", "FAILED_PRECONDITION"), RequestRefused, False),
        (401, envelope("who?", "UNAUTHENTICATED"), RequestRefused, False),
        (403, envelope("API disabled", "PERMISSION_DENIED"), RequestRefused, False),
        (403, envelope(MISSING, "PERMISSION_DENIED"), RequestRefused, False),
        (404, envelope("model?", "NOT_FOUND"), InvalidCacheConfiguration, False),
        (404, HTML, InvalidCacheConfiguration, False),
        (413, b"too large", InvalidCacheConfiguration, False),
        (409, envelope("again", "ABORTED"), NetworkError, True),
        (499, envelope("cancelled", "CANCELLED"), NetworkError, True),
        (408, b"", NetworkError, True),
        (429, envelope("slow down", "RESOURCE_EXHAUSTED"), NetworkError, True),
        (429, envelope(NO_QUOTA, "RESOURCE_EXHAUSTED"), RequestRefused, False),
        (429, envelope("quota exceeded, limit: 0"), RequestRefused, False),
        (429, envelope("quota exceeded, limit: 05"), NetworkError, True),
        (429, envelope("TotalCachedContentStorageTokensPerModel exceeded"), RequestRefused, False),
        (429, envelope("slow down", "", STORED), RequestRefused, False),
        (429, envelope("slow down", "", NOTHING), RequestRefused, False),
        (429, envelope("slow down", "", DAILY), RequestRefused, False),
        (429, envelope("slow down", "", PER_MINUTE), NetworkError, True),
        (500, b"", NetworkError, True),
        (502, HTML, NetworkError, True),
        (503, envelope("overloaded", "UNAVAILABLE"), NetworkError, True),
        (504, b"", NetworkError, True),
        (501, b"", NetworkError, False),
        (302, b"", NetworkError, False),
        (304, b"", NetworkError, False),
    ],
)
def test_the_table(status: int, body: bytes, kind: type[CacheError], *, retryable: bool) -> None:
    """Each refusal has its class, its status, and says whether to come back."""
    error = judged(status, body)

    assert type(error) is kind
    assert (error.status, error.retryable) == (status, retryable)


@pytest.mark.parametrize(
    ("status", "body", "gone"),
    [
        (403, envelope(MISSING, "PERMISSION_DENIED"), True),
        (404, envelope("Cached content 123 is not found.", "NOT_FOUND"), True),
        (403, envelope("Generative Language API is disabled", "PERMISSION_DENIED"), False),
        (404, HTML, False),
        (404, b"", False),
        (400, envelope(MISSING), False),
    ],
)
def test_what_is_gone(status: int, body: bytes, *, gone: bool) -> None:
    """A cache is gone when the API says so: not for want of permission or of an API."""
    assert isinstance(judged(status, body, names_cache=True), MissingCache) is gone
    assert not isinstance(judged(status, body), MissingCache)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (TOO_SMALL, "has 97 tokens, and a cache has at least 1024"),
        (TOO_LARGE, "has 9 tokens, and a cache has at most 0"),
    ],
)
def test_the_servers_numbers(words: str, said: str) -> None:
    """Content of the wrong size is reported with the server's own numbers and words."""
    error = judged(400, envelope(words, "INVALID_ARGUMENT"))

    assert said in str(error)
    assert error.words == words
    assert words in str(error)


def test_a_wrong_address_is_named() -> None:
    """Where nothing answers, the endpoint is in the message."""
    assert f"{ENDPOINT} " in str(judged(404, HTML))
    assert ENDPOINT in str(judged(302, b""))


def test_envelopes_in_lists() -> None:
    """An envelope wrapped in a list is read like any other."""
    refusal = read(400, b"[" + envelope("why", "INVALID_ARGUMENT", {"reason": "R"}) + b"]")

    assert (refusal.code, refusal.reason, refusal.message) == ("INVALID_ARGUMENT", "R", "why")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"upstream connect error", "upstream connect error"),
        (b"  \xff\xfe oops ", "\ufffd\ufffd oops"),
        (HTML, ""),
        (b"", ""),
        (b'{"error": "text"}', ""),
        (b"[]", ""),
        (b"[[]]", ""),
        (b'{"error": {"message": 5, "status": [], "details": {"a": 1}}}', ""),
        (b'{"error": {"details": [1, null, {"reason": 2, "retryDelay": []}]}}', ""),
    ],
)
def test_odd_bodies(body: bytes, words: str) -> None:
    """Plain words of a proxy are kept, markup and senseless JSON are not."""
    refusal = read(502, body)

    assert refusal == Refusal(status=502, message=words)
    assert isinstance(judged(502, body), NetworkError)


def test_words_are_cut_after_the_key_is() -> None:
    """However long the words, no part of a key is left at their end."""
    for body in (b"x" * (LONGEST_MESSAGE - 3) + b"secret", b" " * 8_000 + b"secret" * 400):
        refusal = read(400, body)
        told = read(400, envelope(body.decode()))
        for words in (refusal.message, told.message):
            assert len(words) <= LONGEST_MESSAGE
            assert "sec" not in words


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("Sun, 22 Nov 2026 21:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 21:00:30 -0000", 30),
        ("Sun, 22 Nov 2026 20:00:00 GMT", 0),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("\u0661", None),
        ("9" * 5000, None),
        ("Sun, 22 Nov 99999 20:00:00 GMT", None),
    ],
)
def test_retry_after(text: str, seconds: int | None) -> None:
    """Seconds and HTTP dates are understood, anything else is as if it were not there."""
    wait = read_retry_after(text, START)

    assert wait == (None if seconds is None else timedelta(seconds=seconds))


def test_the_longer_hint_wins() -> None:
    """RetryInfo is read with its fraction; of two hints the longer is honoured."""
    hint = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
    body = envelope("slow down", "RESOURCE_EXHAUSTED", {"reason": "R"}, hint)

    assert read(429, body).wait == timedelta(seconds=34, milliseconds=70)
    assert read(429, body, retry_after="40").wait == timedelta(seconds=40)
    assert read(429, body, retry_after="30").wait == timedelta(seconds=34, milliseconds=70)
    assert read(503, b"", retry_after="3").wait == timedelta(seconds=3)


def test_who_may_have_done_it_anyway() -> None:
    """Only a server that failed may have done what it was asked for."""
    after = [
        status
        for status in (302, 400, 403, 404, 408, 429, 500, 501, 503)
        if Refusal(status=status).maybe_done
    ]

    assert after == [408, 500, 501, 503]


def test_refused_creations() -> None:
    """A create that the server refused is a failed creation; a bad request stays one."""
    failed = of_creation(judged(503, envelope("overloaded", "UNAVAILABLE")))

    assert isinstance(failed, CacheCreationFailed)
    assert (failed.provider, failed.status, failed.words) == ("gemini", 503, "overloaded")
    assert failed.retryable
    for other in (NetworkError("no wire"), ParseError("?", status=200), judged(400, b"")):
        assert of_creation(other) is other


@given(
    st.integers(100, 999),
    st.binary() | st.text().map(envelope),
    st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ \S*"),
    st.booleans(),
)
def test_any_refusal(status: int, body: bytes, hint: str, names_cache: bool) -> None:  # noqa: FBT001 - hypothesis passes by position
    """Every refusal of a server is an error of ours with its status."""
    refusal = read(status, body, retry_after=hint)
    error = error_of(refusal, endpoint=ENDPOINT, names_cache=names_cache)

    assert error.status == status
    assert refusal.wait is None or refusal.wait >= timedelta()
