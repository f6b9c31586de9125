"""
A program that uses the library: what its types are, and what its mistakes are called.

`make check` runs mypy, strict, over this file; `assert_type` fails there if a type changes.
"""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, assert_type

import pytest

import provisioner
from provisioner import (
    CacheContent,
    CachedContext,
    CacheError,
    ClaudeContextCache,
    ClaudeHandle,
    ContextCache,
    GeminiContextCache,
    GeminiHandle,
    InlinePart,
    OpenAIContextCache,
    OpenAIHandle,
    TextPart,
    UriPart,
)
from tests.providers.gemini.world import HOUR, World, emulated, within

NOON = datetime(2027, 1, 1, 12, tzinfo=UTC)
CACHES: list[type[Any]] = [GeminiContextCache, ClaudeContextCache, OpenAIContextCache]
VERBS = ["create_cache", "get_cache", "refresh_cache", "delete_cache"]


async def use(world: World) -> None:
    """Each implementation returns its own handle; nothing has to be cast."""
    gemini = world.cache()
    handle = assert_type(await gemini.create_cache("x", HOUR), GeminiHandle)
    assert_type(await gemini.get_cache(handle), CachedContext | None)
    assert_type((await gemini.refresh_cache(handle)).token_count, int)
    made = assert_type(await gemini.create("x", label="mine"), CachedContext)
    assert_type(await gemini.ensure("x", label="mine"), CachedContext)
    assert_type(await gemini.list(), list[CachedContext])
    assert_type(gemini.uncertain_labels, frozenset[str])
    await gemini.delete_cache(made)
    claude = assert_type(await ClaudeContextCache().create_cache("x", HOUR), ClaudeHandle)
    openai = assert_type(await OpenAIContextCache().create_cache("x", HOUR), OpenAIHandle)
    assert_type(claude.ttl, Literal["5m", "1h"])
    assert len({handle, claude, openai}) == 3
    anybody: list[ContextCache] = [gemini, ClaudeContextCache(), OpenAIContextCache()]
    for cache in anybody:
        assert isinstance(cache, ContextCache)


def test_a_program() -> None:
    """The calls whose types mypy checks do what they say."""
    with emulated() as world:
        asyncio.run(use(world))


def test_the_package_is_typed() -> None:
    """A type checker of a caller reads our types, and each name that is exported has one."""
    folder = Path(provisioner.__file__).parent

    assert (folder / "py.typed").exists()
    stub = (folder / "__init__.pyi").read_text()
    assert [name for name in provisioner.__all__ if f'"{name}"' not in stub] == []


@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("verb", VERBS)
def test_verbs_say_what_they_do(cache: type[Any], verb: str) -> None:
    """Each verb of each implementation has a docstring of its own."""
    assert inspect.getdoc(getattr(cache, verb))
    assert vars(cache).get(verb, getattr(cache, verb)).__doc__


WRONG: list[tuple[Callable[[], object], str]] = [
    (lambda: GeminiHandle("cachedContents/a", "2027-01-01T00:00:00Z"), "fromisoformat"),  # type: ignore[arg-type]
    (lambda: GeminiHandle("cachedContents/a", HOUR), "expires_at is an aware datetime"),  # type: ignore[arg-type]
    (lambda: GeminiHandle(7), "cache_name is a str; got int"),  # type: ignore[arg-type]
    (lambda: ClaudeHandle("ephemeral"), "cache_control is a mapping; got str"),  # type: ignore[arg-type]
    (lambda: OpenAIHandle(7), "prompt_cache_key is a str"),  # type: ignore[arg-type]
    (lambda: CacheContent(parts="x"), "parts is a sequence; got str"),  # type: ignore[arg-type]
    (lambda: CacheContent(parts=("x",)), "a part is a TextPart"),  # type: ignore[arg-type]
    (lambda: CacheContent(tools={"a": 1}), "tools is a sequence; got dict"),  # type: ignore[arg-type]
    (lambda: CacheContent(tools=("a",)), "a tool is a mapping"),  # type: ignore[arg-type]
    (lambda: CacheContent(tool_config="AUTO"), "tool_config is a mapping"),  # type: ignore[arg-type]
    (lambda: CacheContent(system_instruction=b"x"), "system_instruction is a str"),  # type: ignore[arg-type]
    (lambda: TextPart(b"x"), "got bytes"),  # type: ignore[arg-type]
    (lambda: InlinePart("text/plain", "x"), "is bytes; got str"),  # type: ignore[arg-type]
    (lambda: UriPart("text/plain", Path("x")), "uri is a str"),  # type: ignore[arg-type]
    (lambda: GeminiContextCache(b"key"), "api_key is a str"),  # type: ignore[arg-type]
    (lambda: GeminiContextCache("key", default_ttl=3600), "timedelta\\(seconds=3600\\)\\?"),  # type: ignore[arg-type]
    (lambda: GeminiContextCache("key", model=None), "model is a str"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "words"), WRONG)
def test_a_value_of_the_wrong_type(make: Callable[[], object], words: str) -> None:
    """An argument of the wrong type is a TypeError in our words, where it is given."""
    with pytest.raises(TypeError, match=words):
        make()


async def _each_verb(cache: Any, *, handle: object, ttl: object) -> list[str]:  # noqa: ANN401
    """What each verb that takes a handle or a life says of wrong ones."""
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: cache.create_cache("x", ttl),
        lambda: cache.create_cache(b"x", HOUR),
        lambda: cache.get_cache(handle),
        lambda: cache.refresh_cache(handle),
        lambda: cache.delete_cache(handle),
    ]
    said = []
    for call in calls:
        with pytest.raises(TypeError) as wrong:
            await call()
        said.append(str(wrong.value))
    return said


@pytest.mark.parametrize("kind", CACHES)
def test_a_call_with_the_wrong_type(kind: type[Any]) -> None:
    """Every verb of every implementation names a wrong argument, and sends nothing."""
    with emulated() as world:
        cache = world.cache() if kind is GeminiContextCache else kind()

        said = asyncio.run(_each_verb(cache, handle="cachedContents/abc", ttl=3600))

        assert said[:2] == [
            "ttl is a timedelta; got int 3600: timedelta(seconds=3600)?",
            "content is a str or a CacheContent; got bytes",
        ]
        named = "a handle is a GeminiHandle; got str: GeminiHandle('cachedContents/abc')?"
        assert said[2:] == [named] * 3
        assert world.wire.sent == []


def test_a_context_is_as_good_as_its_handle() -> None:
    """What `create` returned may be passed where a handle is expected."""

    async def story(cache: GeminiContextCache) -> None:
        made = await cache.create("x", ttl=HOUR)
        assert await cache.get_cache(made) == made
        assert (await cache.refresh_cache(made, 2 * HOUR)).granted == 2 * HOUR
        await cache.delete_cache(made)
        with pytest.raises(CacheError, match="does not exist"):
            await cache.refresh_cache(made)

    with emulated() as world:
        world.run(story)
        context = world.run(lambda cache: cache.create("x", ttl=HOUR))
    with pytest.raises(CacheError, match="does not belong to claude"):
        asyncio.run(ClaudeContextCache().delete_cache(context))  # type: ignore[arg-type]


def test_handles_are_values() -> None:
    """Handles may be put into sets, and equal ones are one."""
    handles = [
        GeminiHandle("cachedContents/a"),
        GeminiHandle("cachedContents/a", NOON),
        ClaudeHandle({"type": "ephemeral"}),
        ClaudeHandle({"type": "ephemeral", "ttl": "5m"}),
        ClaudeHandle({"type": "ephemeral", "ttl": "1h"}),
        OpenAIHandle("k", {"ttl": "30m"}),
        OpenAIHandle("k", {"ttl": "30m"}),
        OpenAIHandle("k"),
    ]

    assert len(set(handles)) == 5
    assert ClaudeHandle({"type": "ephemeral"}).as_json()["cache_control"] == {
        "type": "ephemeral",
        "ttl": "5m",
    }


@pytest.mark.parametrize(
    "make",
    [
        lambda: ClaudeHandle({"type": "ephemeral", "ttl": "2h"}),  # type: ignore[typeddict-item]
        lambda: ClaudeHandle({}),  # type: ignore[typeddict-item]
        lambda: OpenAIHandle("k", {"ttl": "1h"}),  # type: ignore[arg-type]
        lambda: OpenAIHandle("k", {"ttl": "30m"}, "24h"),
    ],
)
def test_what_no_provider_has(make: Callable[[], object]) -> None:
    """A handle that its provider would not understand cannot be made."""
    with pytest.raises(ValueError, match='"'):
        make()


def test_a_client_is_not_pickled() -> None:
    """A client, which holds a key, can be neither pickled nor copied."""
    cache = GeminiContextCache("a-key-that-stays", "http://gemini.invalid")

    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied") as refused:
            attempt(cache)
        assert "a-key-that-stays" not in str(refused.value)


def test_every_error_has_a_message() -> None:
    """Every error has as `message` what str() gives."""
    with emulated() as world, pytest.raises(CacheError) as failed:
        within(world.cache(), lambda cache: cache.extend(GeminiHandle("cachedContents/nobody")))

    assert failed.value.message == str(failed.value)
    assert failed.value.retry_after is None


def test_retry_after_travels() -> None:
    """An error carries when to come back, if the server gave that."""
    error = provisioner.NetworkError("slow down", retry_after=timedelta(seconds=90))

    assert pickle.loads(pickle.dumps(error)).retry_after == timedelta(seconds=90)  # noqa: S301
