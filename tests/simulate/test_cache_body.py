"""Bodies of requests to the provider: what they say, and which are refused."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulate.cache_body import CacheBody, CountBody, Refused, parse_body
from tests.simulate.wire import SECOND, nanoseconds, spell_moment

NOW = nanoseconds(100)


def body(**fields: object) -> CacheBody:
    return parse_body(json.dumps(fields).encode(), CacheBody)


def turn(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": [*parts]}


def test_content_is_spelled_out_part_by_part() -> None:
    """Texts, inline data and files stand in the order of the request, apart from the system's."""
    data = base64.b64encode(b"\xff\x00").decode()
    parts = (
        {"text": "first"},
        {"inlineData": {"mimeType": "image/png", "data": data}},
        {"fileData": {"mimeType": "application/pdf", "fileUri": "gs://bucket/a.pdf"}},
    )
    fields = body(
        contents=[turn(*parts), turn({"text": "last"})], systemInstruction=turn({"text": "S"})
    )

    assert fields.spell() == (
        [
            "first",
            f"data:image/png;base64,{data}",
            "file:application/pdf:gs://bucket/a.pdf",
            "last",
        ],
        "S",
    )


def test_tokens_are_a_quarter_of_the_characters() -> None:
    """Each part is rounded up; functions count as JSON, a file elsewhere as a fixed number."""
    data = base64.b64encode(b"12345678").decode()
    assert body(contents=[turn({"text": "12345"}, {"text": "1"})]).tokens() == 3
    assert (
        body(contents=[turn({"inlineData": {"mimeType": "text/plain", "data": data}})]).tokens()
        == 2
    )
    assert body(contents=[turn({"fileData": {"fileUri": "gs://b/a"}})]).tokens() == 4096
    assert body(tools=[{"functionDeclarations": [{"name": "look"}]}]).tokens() == 4


@given(nanos=st.integers(min_value=1, max_value=10**18))
def test_a_life_keeps_its_nanoseconds(nanos: int) -> None:
    """A ttl counts from the arrival, and a moment is taken as it is written."""
    whole, rest = divmod(nanos, SECOND)
    assert body(ttl=f"{whole}.{rest:09}s").expiry(NOW) == NOW + nanos
    assert body(expireTime=spell_moment(NOW + nanos)).expiry(0) == NOW + nanos


def test_a_life_is_an_hour_unless_it_is_given() -> None:
    """Null is as good as absent, and a zone is counted."""
    assert body(ttl=None).expiry(NOW) == NOW + 3600 * SECOND
    assert body(expireTime="2027-01-20T14:00:00+02:00").expiry(NOW) == nanoseconds(0)
    assert body(ttl="-5s").expiry(NOW) == NOW - 5 * SECOND


@pytest.mark.parametrize(
    "fields",
    [
        {"ttl": "60"},
        {"ttl": "1h"},
        {"ttl": "999999999999s"},
        {"expireTime": "2027-01-20"},
        {"expireTime": "2027-13-20T00:00:00Z"},
        {"expireTime": "0001-01-01T00:00:00+02:00"},
        {"ttl": "60s", "expireTime": "2027-01-20T13:00:00Z"},
    ],
)
def test_a_life_that_cannot_be_read_is_refused(fields: dict[str, str]) -> None:
    """It is a 400, in either field."""
    with pytest.raises(Refused) as refused:
        body(**fields).expiry(NOW)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "raw",
    [
        b"{",
        b"[]",
        b"null",
        b'{"surprise": 1}',
        b'{"model": 1}',
        b'{"contents": [{"parts": [{"x": 1}]}]}',
        b'{"contents": [{"parts": [{"inlineData": {"data": "%"}}]}]}',
        b"[" * 100_000,
    ],
)
def test_a_body_of_another_shape_is_refused(raw: bytes) -> None:
    """It is a 400 with the violation among its details."""
    with pytest.raises(Refused) as refused:
        parse_body(raw, CacheBody)
    (detail,) = json.loads(refused.value.body)["error"]["details"]
    assert detail["@type"].endswith("BadRequest")
    assert parse_body(b"", CountBody) == CountBody()


@pytest.mark.parametrize(
    ("fields", "mask", "is_refused"),
    [
        ({"ttl": "60s"}, "", False),
        ({"ttl": "60s"}, "ttl", False),
        ({"ttl": "60s", "createTime": "2027-01-20T12:00:00Z"}, "*", False),
        ({"expireTime": "2027-01-20T13:00:00Z"}, "expireTime", False),
        ({"ttl": "60s"}, "expireTime", True),
        ({"ttl": "60s"}, "model", True),
        ({"ttl": "60s", "displayName": "x"}, "", True),
        ({"ttl": "60s", "name": "cachedContents/x"}, "ttl", True),
        ({}, "", True),
    ],
)
def test_a_patch_changes_the_life_alone(
    fields: dict[str, str], mask: str, *, is_refused: bool
) -> None:
    """What the mask names has to be there, and nothing else may be named."""
    try:
        body(**fields).check_patch(mask)
    except Refused:
        assert is_refused
    else:
        assert not is_refused
