"""The provider in memory keeps the promises of the real one, so tests may stand on it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import httpx
import pytest

from provisioner.cache import CacheContent, CachedContext, GeminiHandle, TextPart
from provisioner.emulator import Emulator
from provisioner.errors import CacheError
from provisioner.providers.gemini import GeminiContextCache
from tests.builders import FLASH, HOUR, NOW
from tests.world import MemoryCaches

Provider: TypeAlias = MemoryCaches | GeminiContextCache
CONTENT = CacheContent(parts=(TextPart("a manual"),))


@dataclass
class Place:
    """A provider, and the clock it lives by."""

    open: Callable[[Place], Provider]
    now: datetime = NOW

    def clock(self) -> datetime:
        return self.now

    def run(self, work: Callable[[Provider], Awaitable[None]]) -> None:
        async def once() -> None:
            await work(self.open(self))

        asyncio.run(once())


@pytest.fixture(params=["memory", "emulator"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "memory":
        yield Place(lambda here: MemoryCaches(here.clock))
        return
    here = Place(lambda here: MemoryCaches(here.clock))
    with closing(Emulator(clock=here.clock, min_tokens=1)) as emulator:
        here.open = lambda here: GeminiContextCache(
            "key", "http://here", transport=httpx.ASGITransport(emulator), clock=here.clock
        )
        yield here


async def made(provider: Provider, label: str = "mine") -> CachedContext:
    return await provider.create(CONTENT, model=FLASH, label=label, ttl=6 * HOUR)


def test_creates(place: Place) -> None:
    """What is created is listed with its label, its model and the life it was given."""

    async def work(provider: Provider) -> None:
        cache = await made(provider)
        assert (cache.display_name, cache.model) == ("mine", FLASH)
        assert cache.expires_at == NOW + 6 * HOUR
        assert cache.created_at == cache.updated_at == NOW
        assert [one.handle for one in await provider.list()] == [cache.handle]

    place.run(work)


def test_creates_twice(place: Place) -> None:
    """Creating the same twice makes two."""

    async def work(provider: Provider) -> None:
        one, other = await made(provider), await made(provider)
        assert one.handle != other.handle
        assert len(await provider.list()) == 2

    place.run(work)


def test_extends(place: Place) -> None:
    """A new life counts from now, be it longer or shorter, or ends at a moment."""

    async def work(provider: Provider) -> None:
        cache = await made(provider)
        place.now += HOUR
        longer = await provider.extend(cache.handle, ttl=6 * HOUR)
        assert longer.expires_at == NOW + 7 * HOUR
        assert longer.updated_at == NOW + HOUR
        shorter = await provider.extend(cache.handle, ttl=HOUR)
        assert shorter.expires_at == NOW + 2 * HOUR
        fixed = await provider.extend(cache.handle, expires_at=NOW + 3 * HOUR)
        assert fixed.expires_at == NOW + 3 * HOUR

    place.run(work)


def test_ends(place: Place) -> None:
    """What has expired or was deleted is not listed, cannot be extended, and may be deleted."""

    async def work(provider: Provider) -> None:
        expired, deleted = await made(provider), await made(provider)
        await provider.delete_cache(deleted.handle)
        place.now += 6 * HOUR
        assert await provider.list() == []
        for cache in (expired, deleted):
            with pytest.raises(CacheError):
                await provider.extend(GeminiHandle(cache.handle.cache_name), ttl=HOUR)
            await provider.delete_cache(cache.handle)

    place.run(work)


def test_moments_are_aware(place: Place) -> None:
    """Every moment is aware UTC."""

    async def work(provider: Provider) -> None:
        cache = await made(provider)
        for moment in (cache.created_at, cache.updated_at, cache.expires_at):
            assert moment.utcoffset() == timedelta()
            assert moment.tzinfo is UTC

    place.run(work)
