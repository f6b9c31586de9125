"""The nouns of the context cache API."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cache import (
    CacheContent,
    CachedContext,
    CacheHandle,
    ClaudeHandle,
    GeminiHandle,
    InlinePart,
    OpenAIHandle,
    TextPart,
    handle_from_json,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
CONTEXT = CachedContext(
    handle=GeminiHandle("cachedContents/abc"),
    model="gemini-3.8-flash",
    display_name="",
    created_at=NOON,
    updated_at=NOON + HOUR,
    expires_at=NOON + 3 * HOUR,
    token_count=5120,
)


def _claude(ttl: Literal["5m", "1h"]) -> ClaudeHandle:
    return ClaudeHandle({"type": "ephemeral", "ttl": ttl})


def _thirty_minutes(key: str | None) -> OpenAIHandle:
    return OpenAIHandle(key, {"ttl": "30m"})


KEYS = st.none() | st.text()
HANDLES: st.SearchStrategy[CacheHandle] = st.one_of(
    st.sampled_from([_claude("5m"), _claude("1h")]),
    KEYS.map(_thirty_minutes),
    st.builds(OpenAIHandle, KEYS, st.none(), st.sampled_from([None, "in_memory", "24h"])),
    st.builds(GeminiHandle, st.text(), st.none() | st.datetimes(timezones=st.just(UTC))),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(["openai", "gemini"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                ["provider", "cache_name", "prompt_cache_options", "ttl", "expires_at"]
            ),
            inner,
        )
    ),
)


def test_a_text_is_one_part() -> None:
    """A plain string is content of one text part, and content is itself."""
    content = CacheContent.of("x")

    assert content == CacheContent(parts=(TextPart("x"),))
    assert CacheContent.of(content) is content


def test_content_is_not_shown() -> None:
    """Nothing of a text, a file or a system instruction is in a repr."""
    content = CacheContent(
        parts=(TextPart("classified"), InlinePart("application/pdf", b"classified")),
        system_instruction="classified",
    )

    assert "classified" not in repr(content)


@given(HANDLES)
def test_handles_survive_their_json(handle: CacheHandle) -> None:
    """A handle is read back as it was written, its expiry included."""
    read = handle_from_json(handle.as_json())

    assert read == handle
    assert getattr(read, "expires_at", None) == getattr(handle, "expires_at", None)


@given(JSON)
def test_any_json(json: Any) -> None:  # noqa: ANN401 - anything at all
    """Any JSON is a handle, written again as it was, or a ValueError."""
    try:
        handle = handle_from_json(json)
    except ValueError:
        return
    assert handle_from_json(handle.as_json()) == handle


@pytest.mark.parametrize(
    "json",
    [
        None,
        [],
        {},
        {"provider": "mistral"},
        {"provider": "claude"},
        {"provider": "claude", "cache_control": {"type": "ephemeral", "ttl": "2h"}},
        {"provider": "gemini"},
        {"provider": "gemini", "cache_name": 5},
        {"provider": "gemini", "cache_name": "a", "expires_at": "soon"},
        {"provider": "gemini", "cache_name": "a", "expires_at": 5},
        {"provider": "openai", "prompt_cache_key": 5},
        {"provider": "openai", "prompt_cache_options": {"ttl": "1h"}},
        {"provider": "openai", "prompt_cache_retention": "1h"},
        {
            "provider": "openai",
            "prompt_cache_options": {"ttl": "30m"},
            "prompt_cache_retention": "24h",
        },
    ],
)
def test_what_is_no_handle(json: Any) -> None:  # noqa: ANN401 - anything at all
    """A handle that its provider would not understand is not one."""
    with pytest.raises(ValueError, match=r"."):
        handle_from_json(json)


def test_an_expiry_is_not_compared() -> None:
    """Two handles of one cache are equal, even with different moments of expiry."""
    known = GeminiHandle("cachedContents/abc", NOON)

    assert known == GeminiHandle("cachedContents/abc")
    assert len({known, GeminiHandle("cachedContents/abc")}) == 1


def test_request_fields() -> None:
    """Fields that are not set stay out of a request, and no argument is needed."""
    assert OpenAIHandle().request_fields() == {}
    assert OpenAIHandle("k", {"ttl": "12h"}).request_fields() == {
        "prompt_cache_key": "k",
        "prompt_cache_options": {"ttl": "12h"},
    }
    assert OpenAIHandle(prompt_cache_retention="24h").request_fields() == {
        "prompt_cache_retention": "24h"
    }


def test_what_time_does_to_a_cache() -> None:
    """A cache has a granted life, less and less of it left, and none at its expiry."""
    end = CONTEXT.expires_at

    assert CONTEXT.granted == 2 * HOUR
    assert CONTEXT.remaining(NOON) == 3 * HOUR
    assert CONTEXT.remaining(end + HOUR) == timedelta()
    assert not CONTEXT.is_expired(end - timedelta(microseconds=1))
    assert CONTEXT.is_expired(end)


def test_values_do_not_change() -> None:
    """A value never changes; a changed one is another value."""
    with pytest.raises(AttributeError):
        CONTEXT.model = "other"  # type: ignore[misc]  # the point
    assert replace(CONTEXT, model="other") != CONTEXT
