"""Lives on offer, Claude's markers and OpenAI's request fields."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from provisioner.cache import (
    CacheContent,
    ClaudeHandle,
    ContextCache,
    GeminiHandle,
    OpenAIHandle,
    TextPart,
)
from provisioner.catalog import load_catalog
from provisioner.errors import InvalidCacheConfiguration, ProviderNotSupported
from provisioner.model.rates import Offer
from provisioner.providers.annotations import (
    CLAUDE_TTLS,
    ClaudeContextCache,
    OpenAIContextCache,
    at_least,
    claude_handle,
    openai_handle,
    openai_key,
    openai_ttls,
)
from tests.providers.contract import EVERYTHING, ContextCacheContract

LIVES = st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=365))


@given(LIVES, st.lists(LIVES, min_size=1))
def test_rounding_up(ttl: timedelta, offered: list[timedelta]) -> None:
    """The life given is on offer, no shorter than asked, and no longer than it has to be."""
    if ttl > max(offered):
        with pytest.raises(InvalidCacheConfiguration):
            at_least(ttl, offered, "somebody")
    else:
        assert at_least(ttl, offered, "somebody") == min(one for one in offered if one >= ttl)


class TestClaude(ContextCacheContract):
    foreign = GeminiHandle("cachedContents/abc")

    def cache(self) -> ContextCache:
        return ClaudeContextCache()


@pytest.mark.parametrize(
    ("ttl", "marker"),
    [
        (timedelta(seconds=1), "5m"),
        (timedelta(minutes=5), "5m"),
        (timedelta(minutes=5, microseconds=1), "1h"),
        (timedelta(hours=1), "1h"),
    ],
)
def test_claude_rounds_up(ttl: timedelta, marker: str) -> None:
    """A cache lives at least as long as asked."""
    assert claude_handle(ttl).as_json() == {
        "provider": "claude",
        "cache_control": {"type": "ephemeral", "ttl": marker},
    }


def test_too_long_for_claude() -> None:
    """A life that Claude cannot give is refused with the longest it can."""
    with pytest.raises(InvalidCacheConfiguration, match="1h at most"):
        claude_handle(timedelta(hours=1, seconds=1))


def test_lives_on_offer() -> None:
    """Every life on offer is given exactly, and the provider's default comes first."""
    assert [claude_handle(ttl).ttl for ttl in CLAUDE_TTLS] == ["5m", "1h"]


def test_nothing_to_ask_for() -> None:
    """There is no Claude cache that could be asked for, and the error says whose."""
    handle = ClaudeHandle({"type": "ephemeral", "ttl": "5m"})

    with pytest.raises(ProviderNotSupported) as refused:
        asyncio.run(ClaudeContextCache().get_cache(handle))

    assert refused.value.provider == "claude"


KNOWN = load_catalog().find
HALF_HOUR, TWELVE, HOUR, DAY = (timedelta(minutes=minutes) for minutes in (30, 720, 60, 1440))


class TestOpenAI(ContextCacheContract):
    foreign = GeminiHandle("cachedContents/abc")

    def cache(self) -> ContextCache:
        return OpenAIContextCache()


@pytest.mark.parametrize(
    ("model", "lives"),
    [
        ("gpt-6.1-terra", (HALF_HOUR, TWELVE)),
        ("gpt-6.2-luna", (HALF_HOUR, TWELVE)),
        ("gpt-5.10", (HALF_HOUR, TWELVE)),
        ("gpt-10", (HALF_HOUR, TWELVE)),
        ("a-deployment-of-tomorrow", (HALF_HOUR, TWELVE)),
        ("gpt-5.5", (DAY,)),
        ("gpt-5.5-pro", (DAY,)),
        ("gpt-5.4", (HOUR, DAY)),
        ("gpt-5", (HOUR, DAY)),
        ("gpt-4.1-mini", (HOUR, DAY)),
        ("ft:gpt-4o-2024-08-06:org::id", (HOUR, DAY)),
        ("chatgpt-4o-latest", (HOUR, DAY)),
        ("o3", (HOUR, DAY)),
        ("ft:o4-mini-2025-04-16:org::id", (HOUR, DAY)),
    ],
)
def test_families(model: str, lives: tuple[timedelta, ...]) -> None:
    """The family of an unknown model decides its lives, the default first."""
    assert openai_ttls(model, None) == lives


@pytest.mark.parametrize(
    ("model", "lives"),
    [
        ("gpt-6.1-terra", (HALF_HOUR, TWELVE)),
        ("gpt-6-astra", (HALF_HOUR,)),
        ("gpt-5.6-luna", (HALF_HOUR,)),
        ("gpt-5.5", (DAY,)),
        ("gpt-5.4", (DAY, HOUR)),
        ("gpt-5.4-mini", (HOUR,)),
    ],
)
def test_what_is_known_leads(model: str, lives: tuple[timedelta, ...]) -> None:
    """What is known of a model decides, not the family that its name suggests."""
    assert openai_ttls(model, KNOWN("openai", model)) == lives


def test_a_life_that_no_field_can_tell() -> None:
    """A life that is said to be on offer and that no request can ask for is none."""
    offers = tuple(Offer(ttl=ttl, write=Decimal(1), apis=()) for ttl in (timedelta(hours=2), DAY))
    known = KNOWN("openai", "gpt-5.5")
    assert known

    assert openai_ttls("gpt-5.5", structs.replace(known, offers=offers)) == (DAY,)
    assert openai_ttls("gpt-5.5", structs.replace(known, offers=offers[:1])) == (DAY,)


@pytest.mark.parametrize(
    ("model", "ttl", "fields"),
    [
        ("gpt-6.1-terra", timedelta(seconds=1), {"prompt_cache_options": {"ttl": "30m"}}),
        ("gpt-6.1-terra", HALF_HOUR, {"prompt_cache_options": {"ttl": "30m"}}),
        ("gpt-6.1-terra", HOUR, {"prompt_cache_options": {"ttl": "12h"}}),
        ("gpt-5.5", HALF_HOUR, {"prompt_cache_retention": "24h"}),
        ("gpt-5.4", HOUR, {"prompt_cache_retention": "in_memory"}),
        ("gpt-5.4", TWELVE, {"prompt_cache_retention": "24h"}),
        ("gpt-6-sol", timedelta(minutes=1), {"prompt_cache_options": {"ttl": "30m"}}),
    ],
)
def test_fields(model: str, ttl: timedelta, fields: dict[str, object]) -> None:
    """A request says how long in the one way its model understands, and never a mode."""
    handle = openai_handle("demo.a", model, ttl, KNOWN("openai", model))

    assert handle.request_fields() == {"prompt_cache_key": "demo.a", **fields}


@pytest.mark.parametrize(
    ("model", "longest"), [("gpt-6.1-terra", "12h"), ("gpt-6-sol", "30m"), ("gpt-5.5", "1d")]
)
def test_too_long_for_openai(model: str, longest: str) -> None:
    """A life that the model cannot give is refused with the longest it can."""
    with pytest.raises(InvalidCacheConfiguration, match=f"{model} keeps .* {longest} at most"):
        openai_handle("demo.a", model, timedelta(hours=25), KNOWN("openai", model))


@pytest.mark.parametrize("key", ["", "k" * 65])
def test_bad_keys(key: str) -> None:
    """A key that OpenAI would refuse is refused here."""
    with pytest.raises(InvalidCacheConfiguration, match="1 to 64 characters"):
        openai_handle(key, "gpt-6.1-terra", HALF_HOUR, None)


def test_keys_of_a_stack() -> None:
    """A key reads STACK.NAME as long as it fits, and is a fixed digest of it beyond."""
    assert openai_key("s" * 31, "n" * 32) == f"{'s' * 31}.{'n' * 32}"
    assert openai_key("s" * 32, "n" * 32) == "ctxprov-cc9cf9e0f3dba0450db80a8913f4ffaabdc12fa4"


@given(st.text(), st.text())
def test_keys_always_fit(stack: str, name: str) -> None:
    """OpenAI takes the key of any two names."""
    assert 0 < len(openai_key(stack, name)) <= 64


def _key(content: str | CacheContent) -> str:
    handle = asyncio.run(OpenAIContextCache().create_cache(content, HALF_HOUR))
    assert isinstance(handle, OpenAIHandle)
    assert handle.prompt_cache_key is not None
    return handle.prompt_cache_key


def test_a_key_of_its_own() -> None:
    """Equal contents share a key, however they are spelled; others have another."""
    one = replace(EVERYTHING, tool_config={"mode": "AUTO", "names": ["a", {"b": 1, "c": 2}]})
    same = replace(EVERYTHING, tool_config={"names": ("a", {"c": 2, "b": 1}), "mode": "AUTO"})

    assert re.fullmatch("ctxprov-[0-9a-f]{40}", _key("x"))
    assert _key("x") == _key(CacheContent(parts=(TextPart("x"),)))
    assert _key(one) == _key(same)
    others: list[str | CacheContent] = [
        "x",
        "y",
        CacheContent(system_instruction="x"),
        CacheContent(parts=EVERYTHING.parts[1:2]),
        CacheContent(parts=EVERYTHING.parts[2:]),
        CacheContent(tools=EVERYTHING.tools),
        CacheContent(tool_config=EVERYTHING.tool_config),
    ]
    assert len({_key(other) for other in others}) == len(others)


def test_a_given_key() -> None:
    """A key that the caller chose is used as it is."""
    cache = OpenAIContextCache(model="gpt-5.4", prompt_cache_key="mine")

    handle = asyncio.run(cache.create_cache("x", HOUR))

    assert handle == OpenAIHandle("mine", None, "in_memory")


def test_programs_get_what_is_known() -> None:
    """A program, too, is refused a life that its model is known not to have."""
    with pytest.raises(InvalidCacheConfiguration, match="gpt-6-sol keeps a cache for 30m at most"):
        asyncio.run(OpenAIContextCache(model="gpt-6-sol").create_cache("x", TWELVE))
