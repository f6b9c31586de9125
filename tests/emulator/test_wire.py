"""What fits the schema, the words for what does not, and how moments are spelled."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.emulator import Refusal
from provisioner.emulator.schema import ENUMERATIONS, MESSAGES, Field
from provisioner.emulator.wire import (
    is_moment,
    nanoseconds,
    parse_body,
    parse_duration,
    parse_moment,
    spell_moment,
)
from tests.emulator.local import MODEL, emulated


def refusal(kind: str, body: object, root: str = "") -> str:
    with pytest.raises(Refusal) as caught:
        parse_body(kind, orjson.dumps(body), root)
    assert caught.value.code == 400
    return caught.value.message


def test_spellings_of_one_message() -> None:
    """Both spellings, nulls, numbers as text and lenient lists read as one message."""
    strict = {
        "displayName": "x",
        "contents": [{"parts": [{"inlineData": {"mimeType": "a/b", "data": "-_8="}}]}],
        "tools": [{"functionDeclarations": [{"parameters": {
            "type": "OBJECT", "maxItems": 5, "minimum": 1.0, "nullable": True,
            "properties": {"maxItems": {"type": "STRING"}}}}]}],
    }  # fmt: skip
    loose = {
        "display_name": "x", "ttl": None, "expire_time": None,
        "contents": {"parts": {"inline_data": {"mime_type": "a/b", "data": "+/8"}}},
        "tools": {"function_declarations": {"parameters": {
            "type": "object", "max_items": "5", "minimum": "1", "nullable": "true",
            "properties": {"maxItems": {"type": 1}}}}},
    }  # fmt: skip

    parsed = parse_body("CachedContent", json.dumps(strict).encode())

    assert parsed == parse_body("CachedContent", json.dumps(loose).encode())
    assert parsed["contents"][0]["parts"][0]["inlineData"]["data"] == b"\xfb\xff"


def test_unnamed_enumeration_numbers_are_kept() -> None:
    """An enumeration is open to numbers without a name."""
    config = {"functionCallingConfig": {"mode": 77}}

    assert parse_body("CachedContent", orjson.dumps({"toolConfig": config}))["toolConfig"] == config


TEXT = "cached_content.contents[0].parts[0].text"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"x": None}, "Unknown name \"x\" at 'cached_content': Cannot find field."),
        ({"contents": [{"parts": [{"txt": ""}]}]},
         "Unknown name \"txt\" at 'cached_content.contents[0].parts[0]': Cannot find field."),
        ({"contents": [{"parts": [{"text": 12}]}]}, f"Invalid value at '{TEXT}' (TYPE_STRING), 12"),
        ({"model": ["x"]}, "Proto field is not repeating, cannot start list."),
        ({"model": {"x": 1}}, "Invalid value at 'cached_content.model' (TYPE_STRING), {\"x\":1}"),
        ({"contents": [None]}, "Invalid value at 'cached_content.contents[0]'"),
        ({"contents": ["x" * 500]}, '"' + "x" * 80 + '"'),
        ({"displayName": "a", "display_name": "b"}, "oneof field '_display_name' is already set."),
        ({"contents": {"parts": {"text": "a", "inlineData": {}}}}, "oneof field 'data'"),
        ({"ttl": "1h"}, "(type.googleapis.com/google.protobuf.Duration), Field 'ttl', Illegal"),
        ({"ttl": "1.0000000001s"}, "Illegal duration format"),
        ({"ttl": "315576000001s"}, "duration out of range"),
        ({"ttl": 60}, "(TYPE_STRING), 60"),
        ({"expireTime": "2030-01-01T00:00:00"}, "Illegal timestamp format; timestamps must end"),
        ({"expireTime": "2030-02-30T00:00:00Z"}, "Illegal timestamp format"),
        ({"toolConfig": {"functionCallingConfig": {"mode": "SOME"}}},
         'v1beta.FunctionCallingConfig.Mode), "SOME"'),
        ({"toolConfig": {"functionCallingConfig": {"mode": True}}}, "true"),
        ({"tools": {"functionDeclarations": {"parameters": {"properties": []}}}}, "(Map), []"),
        ({"tools": {"functionDeclarations": {"parameters": {"minimum": "low"}}}},
         '(TYPE_DOUBLE), "low"'),
        ({"tools": {"functionDeclarations": {"parameters": {"minimum": True}}}},
         "(TYPE_DOUBLE), true"),
        ({"tools": {"functionDeclarations": {"parameters": {"minimum": {}}}}},
         "(TYPE_DOUBLE), {}"),
        ({"toolConfig": {"retrievalConfig": 1}}, "google.protobuf.Struct), 1"),
        ({"contents": {"parts": {"inlineData": {"data": "a*b"}}}}, "Base64 decoding failed"),
        ({"contents": {"parts": {"thought": "yes"}}}, "(TYPE_BOOL)"),
        ({"usageMetadata": {"totalTokenCount": 2**31}}, "(TYPE_INT32), 2147483648"),
        ({"usageMetadata": {"totalTokenCount": 1.5}}, "(TYPE_INT32), 1.5"),
        ({"usageMetadata": {"totalTokenCount": False}}, "(TYPE_INT32), false"),
    ],
)  # fmt: skip
def test_misfits_are_named(body: dict[str, Any], words: str) -> None:
    """What does not fit is refused with its place, and no more of it than fits a line."""
    message = refusal("CachedContent", body, "cached_content")

    assert words in message
    assert len(message) < 400


def test_violation_names_its_field() -> None:
    """The error's details point at the field, as Google's do."""
    with pytest.raises(Refusal) as caught:
        parse_body("CachedContent", b'{"ttl":"x"}', "cached_content")

    detail = caught.value.details[0]
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    assert detail["fieldViolations"][0]["field"] == "cached_content.ttl"


@pytest.mark.parametrize("depth", [99, 1000])
def test_deep_messages_are_refused(depth: int) -> None:
    """A message nested without end is refused before it is walked."""
    body = b'{"tools":{"functionDeclarations":{"parameters":' + b'{"items":' * depth
    with pytest.raises(Refusal):
        parse_body("CachedContent", body + b"{}" + b"}" * depth + b"}}}")


# Every JSON value of modest size, messages that mostly fit the schema, and text that is no JSON.
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": st.sampled_from(["", "user", "model", MODEL, "image/png", "gs://b/x"]) | st.text(),
    "bytes": st.sampled_from(["", "AAAA", "-_-_", "x", "===="]),
    "bool": st.booleans(),
    "int32": st.integers(),
    "int64": st.integers().map(str),
    "double": st.floats() | st.sampled_from(["NaN", "Infinity", "-Infinity"]),
    "Timestamp": st.sampled_from(["2030-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "now"]),
    "Duration": st.sampled_from(["60s", "-1s", "315576000000s", "s"]),
    "Struct": st.dictionaries(st.text(max_size=5), ANY_JSON, max_size=2),
    "Value": ANY_JSON,
}


def values(kind: str, depth: int) -> st.SearchStrategy[Any]:
    if kind in SCALARS:
        return SCALARS[kind]
    if kind in ENUMERATIONS:
        return st.sampled_from(ENUMERATIONS[kind]) | st.integers(-3, 9)
    return messages(kind, depth - 1) if depth else st.just({})


def shaped(field: Field, depth: int) -> st.SearchStrategy[Any]:
    one = st.deferred(lambda: values(field.kind, depth))
    match field.shape:
        case "list":
            return st.lists(one, max_size=2)
        case "map":
            return st.dictionaries(st.text(max_size=5), one, max_size=2)
        case "one":
            return one


def messages(kind: str, depth: int) -> st.SearchStrategy[Any]:
    fields = MESSAGES[kind]
    known = st.fixed_dictionaries(
        {}, optional={key: shaped(field, depth) | ANY_JSON for key, field in fields.items()}
    )
    return known | ANY_JSON


CALLS = {
    ("POST", "cachedContents"): messages("CachedContent", 6),
    ("PATCH", "cachedContents/{id}"): messages("CachedContent", 2),
    ("POST", "models/gemini-3.8-flash:countTokens"): messages("CountTokensRequest", 6),
    ("POST", "models/gemini-3.8-flash:generateContent"): messages("GenerateContentRequest", 6),
}


@pytest.mark.parametrize("call", CALLS)
def test_no_body_is_a_server_error(call: tuple[str, str]) -> None:
    """The answer to any JSON is a 200 or a refusal in Google's envelope."""
    method, path = call
    with emulated(min_tokens=0) as api:
        path = path.format(id=api.create()["name"].partition("/")[2])

        @given(CALLS[call])
        def check(body: object) -> None:
            answer = api(method, path, json.dumps(body).encode())
            assert_named(answer)

        check()


@given(st.binary(max_size=60), st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_request_is_a_server_error(body: bytes, name: str, key: str, value: str) -> None:
    """The answer to any bytes, path and query is the client's fault at worst."""
    with emulated() as api:
        query = f"{quote(key)}={quote(value)}&pageToken={quote(value)}"
        for method, path in (
            ("POST", "cachedContents"),
            ("PATCH", f"cachedContents/{quote(name)}?updateMask={quote(value)}"),
            ("GET", f"cachedContents?{query}"),
            ("GET", f"models/{quote(name)}"),
            ("POST", f"models/{quote(name)}:generateContent"),
            ("DELETE", f"cachedContents/{quote(name, safe='')}"),
        ):
            assert api(method, path, body).status_code < 500


def assert_named(answer: httpx.Response) -> None:
    assert answer.status_code in {200, 400, 403, 404}, answer.text
    assert not holds_null(answer.json())
    assert (answer.status_code == 200) is ("error" not in answer.json())


def holds_null(node: object) -> bool:
    match node:
        case dict():
            return any(map(holds_null, node.values()))
        case list():
            return any(map(holds_null, node))
        case _:
            return node is None


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1))
def test_moments_survive_their_spelling(moment: int) -> None:
    """Every nanosecond of the years 1 to 9999 is read as it was written."""
    assert is_moment(moment)
    assert parse_moment(spell_moment(moment)) == moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_clock_and_wire_agree(now: datetime) -> None:
    """A datetime and its spelling are one moment, to the microsecond."""
    assert parse_moment(now.isoformat()) == nanoseconds(now)


@pytest.mark.parametrize(
    ("fraction", "spelled"),
    [
        (0, "Z"),
        (1, ".000000001Z"),
        (1_000, ".000001Z"),
        (500_000_000, ".500Z"),
        (123_456_000, ".123456Z"),
    ],
)
def test_digits_come_in_threes(fraction: int, spelled: str) -> None:
    """A moment is spelled with 0, 3, 6 or 9 digits, as few as hold it."""
    assert spell_moment(fraction) == f"1970-01-01T00:00:00{spelled}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2030-01-01",
        "2030-01-01T00:00:00",
        "2030-01-01 00:00:00Z",
        "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00.0123456789Z",
        "2030-01-01T24:00:00Z",
        "2030-01-01T00:00:00+24:00",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "٢٠٣٠-01-01T00:00:00Z",
    ],
)
def test_other_moments_are_refused(text: str) -> None:
    """What is not RFC 3339, or outside of the years that it has, is no moment."""
    with pytest.raises(ValueError, match=r"timestamp|range|day|hour"):
        parse_moment(text)


def test_durations() -> None:
    """A duration is seconds with up to nine digits, of either sign."""
    assert parse_duration("90s") == 90 * 10**9
    assert parse_duration("-0.000000001s") == -1
    for text in ("90", "1m", "s", ".5s", "1e3s", "+1s", "1.s"):
        with pytest.raises(ValueError, match="must end with 's'"):
            parse_duration(text)
