"""
What every implementation of `ContextCache` promises, for each provider.

Inherit, say how to get one, and the promises are tested.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import pytest

from provisioner.cache import (
    CacheContent,
    CachedContext,
    CacheHandle,
    ContextCache,
    InlinePart,
    TextPart,
    UriPart,
    handle_from_json,
)
from provisioner.errors import InvalidCacheConfiguration, ProviderNotSupported

T = TypeVar("T")

FIVE_MINUTES = timedelta(minutes=5)
EVERYTHING = CacheContent(
    parts=(
        TextPart("Käse und 🧀"),
        InlinePart("application/pdf", b"%PDF-1.7 \x00\xff"),
        UriPart("video/mp4", "gs://bucket/film.mp4"),
    ),
    system_instruction="Answer from the film only.",
    tools=({"functionDeclarations": [{"name": "look_up", "description": "Find a scene"}]},),
    tool_config={"functionCallingConfig": {"mode": "AUTO"}},
)


class ContextCacheContract(ABC):
    foreign: CacheHandle
    """A handle of another provider."""

    @abstractmethod
    def cache(self) -> ContextCache: ...

    def run(self, story: Callable[[ContextCache], Awaitable[T]]) -> T:
        async def within() -> T:
            async with self.cache() as cache:
                return await story(cache)

        return asyncio.run(within())

    @pytest.mark.parametrize("content", ["a plain text", EVERYTHING], ids=["text", "everything"])
    def test_a_handle_survives_its_json(self, content: str | CacheContent) -> None:
        """The handle of a new cache can be written down, and is the same when read."""
        handle = self.run(lambda cache: cache.create_cache(content, FIVE_MINUTES))

        assert handle_from_json(handle.as_json()) == handle

    def test_get_answers_or_cannot(self) -> None:
        """What was created can be asked for, unless the provider keeps nothing to ask for."""

        async def story(cache: ContextCache) -> bool:
            handle = await cache.create_cache("x", FIVE_MINUTES)
            try:
                seen = await cache.get_cache(handle)
            except ProviderNotSupported:
                return True
            return isinstance(seen, CachedContext) and seen.handle == handle

        assert self.run(story)

    @pytest.mark.parametrize("ttl", [None, timedelta(hours=2)])
    def test_refresh_gives_a_new_life(self, ttl: timedelta | None) -> None:
        """Refreshing what exists succeeds, with a life and without one."""

        async def story(cache: ContextCache) -> None:
            handle = await cache.create_cache("x", FIVE_MINUTES)
            seen = await cache.refresh_cache(handle, ttl)
            assert seen is None or seen.granted == (ttl or timedelta(hours=1))

        self.run(story)

    def test_delete_is_idempotent(self) -> None:
        """Deleting what is already gone succeeds."""

        async def story(cache: ContextCache) -> None:
            handle = await cache.create_cache("x", FIVE_MINUTES)
            await cache.delete_cache(handle)
            await cache.delete_cache(handle)

        self.run(story)

    @pytest.mark.parametrize("verb", ["get_cache", "refresh_cache", "delete_cache"])
    def test_a_foreign_handle_is_refused(self, verb: str) -> None:
        """Every verb refuses a handle of another provider as a mistake of the caller."""
        with pytest.raises(InvalidCacheConfiguration, match="does not belong to"):
            self.run(lambda cache: getattr(cache, verb)(self.foreign))

    @pytest.mark.parametrize("ttl", [timedelta(), timedelta(seconds=-1)])
    def test_a_life_is_longer_than_nothing(self, ttl: timedelta) -> None:
        """No cache lives for zero or negative time."""
        with pytest.raises(InvalidCacheConfiguration, match="live for a while"):
            self.run(lambda cache: cache.create_cache("x", ttl))
