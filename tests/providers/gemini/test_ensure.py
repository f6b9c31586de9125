"""One cache of one label, in spite of lost answers and restarts in between."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from starlette.responses import Response

from provisioner.cache import CachedContext
from provisioner.emulator import CarryOut, Operation
from provisioner.errors import InvalidCacheConfiguration
from provisioner.providers.gemini import GeminiContextCache
from tests.providers.gemini.test_creator import LOSSES, lost
from tests.providers.gemini.world import HOUR, World

LATE = 0.05
"""Seconds by which a server finishes after nobody waits for it any more."""


async def ensure(cache: GeminiContextCache) -> CachedContext:
    return await cache.ensure("x", label="mine", ttl=HOUR)


def test_it_is_made_once(world: World) -> None:
    """What lives under the label is taken, by this client and by another."""
    made = world.run(ensure)

    assert world.run(ensure) == made
    assert world.labels() == ["mine"]
    assert world.emulator.requests["create"] == 1


def test_an_old_one_is_taken(world: World) -> None:
    """Its age does not matter, nor the model that the server reports, as long as it lives."""
    made = world.run(lambda cache: cache.create("x", label="mine", ttl=3 * HOUR))
    world.clock.advance(2 * HOUR)

    assert world.run(ensure, model="gemini-2.5-flash").handle == made.handle
    world.clock.advance(2 * HOUR)
    assert world.run(ensure).handle != made.handle


def test_calls_at_the_same_time_share_one_create(world: World) -> None:
    """Ten calls for one label are one request."""

    async def story(cache: GeminiContextCache) -> list[CachedContext]:
        return await asyncio.gather(*(ensure(cache) for _ in range(10)))

    assert len({seen.handle for seen in world.run(story)}) == 1
    assert world.emulator.requests["create"] == 1


@pytest.mark.parametrize("how", LOSSES)
@pytest.mark.parametrize("done", [True, False])
def test_one_cache_after_a_lost_answer(world: World, how: str, *, done: bool) -> None:
    """After a lost answer there is one cache, the one that is returned."""
    world.befall(Operation.CREATE, lost(how, done=done))

    made = world.run(ensure)

    assert world.labels() == ["mine"]
    assert world.run(lambda cache: cache.get_cache(made.handle)) == made


@pytest.mark.parametrize("closing", [False, True])
def test_cancelled_in_the_middle(world: World, *, closing: bool) -> None:
    """A call that is cancelled while the server works, and one after it, make one cache."""

    sent = asyncio.Event()

    async def slow(carry_out: CarryOut) -> Response:
        sent.set()
        await asyncio.sleep(LATE)
        return await carry_out()

    async def story(cache: GeminiContextCache) -> CachedContext:
        first = asyncio.ensure_future(ensure(cache))
        await sent.wait()
        first.cancel()
        with suppress(asyncio.CancelledError):
            await first
        if closing:
            await cache.aclose()
        return await ensure(cache)

    world.befall(Operation.CREATE, slow)
    world.run(story)

    assert world.labels() == ["mine"]
    assert world.emulator.requests["create"] == 1


def test_it_needs_a_label(world: World) -> None:
    """Without a label there is nothing to recognise a cache by."""
    with pytest.raises(InvalidCacheConfiguration, match="label"):
        world.run(lambda cache: cache.ensure("x", label=""))
