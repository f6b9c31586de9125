"""The wire format, both ways."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cache import (
    CacheContent,
    CachedContext,
    ClaudeHandle,
    GeminiHandle,
    InlinePart,
    Json,
    TextPart,
    UriPart,
)
from provisioner.errors import InvalidCacheConfiguration
from provisioner.providers.gemini import wire
from tests.providers.contract import EVERYTHING

HOUR = timedelta(hours=1)
LIFE = wire.LifeField("ttl", "60s")
CACHE: dict[str, Any] = {
    "name": "cachedContents/abc",
    "model": "models/gemini-3.8-flash",
    "displayName": "mine",
    "createTime": "2026-11-22T21:00:00.512345678Z",
    "updateTime": "2026-11-22T21:30:00Z",
    "expireTime": "2026-11-22T22:30:00.5Z",
    "usageMetadata": {"totalTokenCount": 5120},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*CACHE, "x"]), inner),
)


@pytest.mark.parametrize(
    "name",
    [
        "cachedContents/abc-DEF_123",
        "projects/my-project/locations/us-central1/cachedContents/123",
        "projects/example.com:p/locations/global/cachedContents/1",
    ],
)
def test_good_names(name: str) -> None:
    """Names of both backends may be asked for."""
    assert wire.name_in(GeminiHandle(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "abc",
        "cachedContents/",
        "cachedContents/..",
        "cachedContents/a/b",
        "cachedContents/a?key=b",
        "cachedContents/a#b",
        "cachedContents/a%2e",
        "cachedContents/a\n",
        "cachedContents/ä",
        "cachedContents/a b",
        "models/abc",
        "/cachedContents/a",
        "projects/../locations/x/cachedContents/a",
        "projects/p/locations/../cachedContents/a",
        "projects/p/q/locations/x/cachedContents/a",
    ],
)
def test_bad_names(name: str) -> None:
    """A name that could bend a URL goes nowhere."""
    with pytest.raises(InvalidCacheConfiguration, match="named like"):
        wire.name_in(GeminiHandle(name))


def test_foreign_handles() -> None:
    """A handle of another provider names no Gemini cache."""
    with pytest.raises(InvalidCacheConfiguration, match="claude annotation does not belong"):
        wire.name_in(ClaudeHandle({"type": "ephemeral", "ttl": "5m"}))


def test_models() -> None:
    """A model is known by its bare id, and a name that could bend a URL is none."""
    assert wire.bare_model("models/gemini-3.8-flash") == "gemini-3.8-flash"
    assert wire.bare_model("gemini-3.8-flash") == "gemini-3.8-flash"
    for name in ("", "models/", "../x", "a/b", "a:b", "a?b", "publishers/google/models/x"):
        with pytest.raises(InvalidCacheConfiguration, match="named like"):
            wire.bare_model(name)


@pytest.mark.parametrize(
    ("ttl", "text"),
    [
        (HOUR, "3600s"),
        (timedelta(seconds=1, microseconds=500_000), "1.500000s"),
        (timedelta(microseconds=1), "0.000001s"),
        (timedelta.max, "86399999999999.999999s"),
        (None, "7200s"),
    ],
)
def test_ttls(ttl: timedelta | None, text: str) -> None:
    """A ttl is exact to the microsecond; without one it is the default."""
    assert wire.life_of(ttl, None, 2 * HOUR) == wire.LifeField("ttl", text)


def test_moments() -> None:
    """An expiry of any zone is sent in UTC."""
    moment = datetime(2026, 12, 1, 2, tzinfo=timezone(2 * HOUR))

    assert wire.life_of(None, moment, HOUR) == wire.LifeField("expireTime", "2026-12-01T00:00:00Z")


@pytest.mark.parametrize(
    ("ttl", "expires_at", "reason"),
    [
        (HOUR, datetime(2026, 12, 1, tzinfo=UTC), "not both"),
        (None, datetime(2026, 12, 1), "time zone"),  # noqa: DTZ001 - the flaw is the point
        (None, datetime.max.replace(tzinfo=timezone(-HOUR)), "years 1 to 9999"),
        (None, datetime.min.replace(tzinfo=timezone(HOUR)), "years 1 to 9999"),
        (timedelta(), None, "live for a while"),
        (-HOUR, None, "live for a while"),
    ],
)
def test_bad_lives(ttl: timedelta | None, expires_at: datetime | None, reason: str) -> None:
    """A life that the server would refuse, or misread, is refused here."""
    with pytest.raises(InvalidCacheConfiguration, match=reason):
        wire.life_of(ttl, expires_at, HOUR)


def test_a_body_in_full() -> None:
    """Every kind of content has its place in the body of a create."""
    body = json.loads(wire.creation(EVERYTHING, "gemini-3.8-flash", "a label", LIFE))

    assert body == {
        "model": "models/gemini-3.8-flash",
        "displayName": "a label",
        "ttl": "60s",
        "systemInstruction": {"role": "user", "parts": [{"text": "Answer from the film only."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Käse und 🧀"},
                    {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjcgAP8="}},
                    {"fileData": {"mimeType": "video/mp4", "fileUri": "gs://bucket/film.mp4"}},
                ],
            }
        ],
        "tools": [{"functionDeclarations": [{"name": "look_up", "description": "Find a scene"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "AUTO"}},
    }


def test_a_body_in_short() -> None:
    """What a cache does not have is not in the body."""
    body = json.loads(wire.creation(CacheContent.of("x"), "m", "", LIFE))

    assert body == {
        "model": "models/m",
        "ttl": "60s",
        "contents": [{"role": "user", "parts": [{"text": "x"}]}],
    }


def test_a_callers_own_json() -> None:
    """A body holds text and a caller's own JSON as they are, and no half of a surrogate pair."""
    tools = ({"parameters": MappingProxyType({"n": 10**30})},)
    body = json.loads(
        wire.creation(CacheContent(parts=(TextPart("ä\n"),), tools=tools), "m", "", LIFE)
    )

    assert body["contents"][0]["parts"] == [{"text": "ä\n"}]
    assert body["tools"] == [{"parameters": {"n": 10**30}}]
    with pytest.raises(InvalidCacheConfiguration, match="valid Unicode"):
        wire.creation(CacheContent.of("\ud800"), "m", "", LIFE)


@pytest.mark.parametrize(
    "content",
    [
        EVERYTHING,
        CacheContent.of("x"),
        CacheContent(parts=(InlinePart("image/png", b"x"), UriPart("a/b", "c"), TextPart("d"))),
    ],
)
def test_counting_counts_what_is_created(content: CacheContent) -> None:
    """A count is made of exactly what a create sends, but for its name and life."""
    created = json.loads(wire.creation(content, "m", "a label", LIFE))
    counted = json.loads(wire.counting(content, "m"))

    del created["displayName"], created["ttl"]
    assert counted == {"generateContentRequest": created}


def test_counting_without_parts() -> None:
    """A system instruction alone is counted as the turn that a count cannot do without."""
    alone = CacheContent(system_instruction="x", tools=EVERYTHING.tools)

    assert json.loads(wire.counting(alone, "m")) == {
        "generateContentRequest": {
            "model": "models/m",
            "contents": [{"role": "user", "parts": [{"text": "x"}]}],
            "tools": [*EVERYTHING.tools],
        }
    }


def test_long_labels() -> None:
    """A label fits what the server takes."""
    assert wire.creation(CacheContent(), "m", "ä" * 128, LIFE)
    with pytest.raises(InvalidCacheConfiguration, match="128"):
        wire.creation(CacheContent(), "m", "a" * 129, LIFE)


def test_reading_a_cache() -> None:
    """All that a server says of a cache is read; digits past the microsecond are cut."""
    seen = wire.read_context(CACHE)

    assert seen == CachedContext(
        handle=GeminiHandle("cachedContents/abc"),
        model="gemini-3.8-flash",
        display_name="mine",
        created_at=datetime(2026, 11, 22, 21, 0, 0, 512345, UTC),
        updated_at=datetime(2026, 11, 22, 21, 30, tzinfo=UTC),
        expires_at=datetime(2026, 11, 22, 22, 30, 0, 500000, UTC),
        token_count=5120,
    )
    assert seen.handle.expires_at == seen.expires_at


def test_reading_a_cache_of_vertex() -> None:
    """A cache with its full name and counts as text is read as well."""
    name = "projects/9/locations/us-central1/cachedContents/123"
    model = "projects/9/locations/us-central1/publishers/google/models/gemini-3.8-flash"
    usage: Json = {"totalTokenCount": "5120", "textCount": 7}

    seen = wire.read_context({**CACHE, "name": name, "model": model, "usageMetadata": usage})

    assert (seen.handle, seen.model) == (GeminiHandle(name), "gemini-3.8-flash")
    assert seen.token_count == 5120


def test_reading_what_proto_json_leaves_out() -> None:
    """Fields at their default may be missing or null."""
    left_out = ("displayName", "updateTime", "usageMetadata")
    short = {key: value for key, value in CACHE.items() if key not in left_out}

    for cache in (short, {**short, **dict.fromkeys(left_out)}, {**short, "usageMetadata": {}}):
        seen = wire.read_context(cache)
        assert (seen.display_name, seen.token_count) == ("", 0)
        assert seen.updated_at == seen.created_at


@pytest.mark.parametrize(
    "flaw",
    [
        {"name": "cachedContents/../models"},
        {"name": None},
        {"model": 1},
        {"displayName": ["x"]},
        {"expireTime": "tomorrow"},
        {"expireTime": "9999-12-31T23:59:59-14:00"},
        {"createTime": "2026-11-22T21:00:00"},
        {"usageMetadata": []},
        {"usageMetadata": {"totalTokenCount": -1}},
        {"usageMetadata": {"totalTokenCount": True}},
        {"usageMetadata": {"totalTokenCount": 1.5}},
        {"usageMetadata": {"totalTokenCount": "9" * 5000}},
    ],
)
def test_senseless_caches(flaw: dict[str, Any]) -> None:
    """The reader refuses a malformed cache."""
    with pytest.raises(ValueError, match=r"."):
        wire.read_context({**CACHE, **flaw})


def test_senseless_answers_say_where() -> None:
    """The error names the path of the flaw, and never the value that stood there."""
    with pytest.raises(ValueError, match=r"not a cached content: .* at `\$\.model`"):
        wire.read_context({**CACHE, "model": 1})
    secret = {**CACHE, "displayName": ["swordfish"]}
    [skipped] = wire.read_page({"cachedContents": [secret]}).skipped
    assert "at `$.displayName`" in skipped.reason
    assert "swordfish" not in skipped.reason


def test_reading_pages() -> None:
    """A page may be empty in three ways, and be the last in three."""
    nothing = wire.CacheListing(caches=[])
    assert wire.read_page({}) == nothing
    assert wire.read_page({"cachedContents": None, "nextPageToken": None}) == nothing
    assert wire.read_page({"cachedContents": [], "nextPageToken": ""}) == nothing
    page = wire.read_page({"cachedContents": [CACHE], "nextPageToken": "more"})
    assert [cache.display_name for cache in page.caches] == ["mine"]
    assert page.next_token == "more"


ODD: list[Any] = [
    None,
    7,
    {},
    {"name": "cachedContents/abc"},
    {**CACHE, "name": "cachedContents/a?b"},
    {**CACHE, "name": "files/abc"},
    {**CACHE, "expireTime": "soon"},
    {**CACHE, "usageMetadata": {"totalTokenCount": -1}},
    {key: value for key, value in CACHE.items() if key != "createTime"},
]


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_entry_blocks_nothing(odd: Any) -> None:  # noqa: ANN401 - anything at all
    """An entry of another owner that cannot be read is left out, and the others are read."""
    page = wire.read_page({"cachedContents": [odd, CACHE]})

    assert [cache.display_name for cache in page.caches] == ["mine"]
    assert len(page.skipped) == 1


@pytest.mark.parametrize("odd", [odd for odd in ODD if isinstance(odd, dict)])
def test_an_odd_entry_of_ours(odd: dict[str, Any]) -> None:
    """An entry that cannot be read is not absent: its label is kept."""
    label = "ctxprov:demo/manual@0123456789abcdef"
    page = wire.read_page({"cachedContents": [CACHE, {**odd, "displayName": label}]})

    assert [one.label for one in page.skipped] == [label]


def test_reading_counts() -> None:
    """A count may be a number or a text."""
    assert wire.read_count({"totalTokens": 7}) == wire.read_count({"totalTokens": "7"}) == 7


@given(json_values)
def test_any_json(json: Any) -> None:  # noqa: ANN401 - anything at all
    """Any JSON is a value of ours or a ValueError."""
    for read in (wire.read_context, wire.read_page, wire.read_count):
        try:
            read(json)
        except ValueError:
            continue
