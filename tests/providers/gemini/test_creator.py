"""Creates whose answer was lost: one cache each, whether or not the server made it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from provisioner.cache import CachedContext
from provisioner.emulator import CarryOut, Operation, Refusal
from provisioner.errors import CacheCreationFailed, CacheError, NetworkError
from provisioner.providers.gemini import GeminiContextCache
from tests.providers.gemini.world import (
    HOST,
    HOUR,
    KEY,
    START,
    Clock,
    World,
    emulated,
    gemini,
    within,
)

Trouble = Callable[[CarryOut], Awaitable[Response]]


def _raising(error: Exception) -> Response:
    raise error


LOSSES: dict[str, Callable[[], Response]] = {
    "timeout": lambda: _raising(httpx.ReadTimeout("")),
    "broken connection": lambda: _raising(httpx.RemoteProtocolError("peer closed")),
    "reset": lambda: _raising(httpx.ReadError("")),
    "unavailable": lambda: _raising(Refusal(503, "overloaded")),
    "gateway": lambda: Response("<h1>Bad Gateway</h1>", 502),
    "unreadable": lambda: Response("<h1>Welcome to the hotel</h1>", 200),
    "senseless": lambda: Response(b'{"name": "cachedContents/abc"}', 200),
}


def lost(how: str, *, done: bool) -> Trouble:
    """The server carries out the call if *done*, and the answer is lost."""

    async def trouble(carry_out: CarryOut) -> Response:
        if done:
            await carry_out()
        return LOSSES[how]()

    return trouble


async def create(cache: GeminiContextCache) -> CachedContext:
    return await cache.create("x", label="mine", ttl=HOUR)


@pytest.mark.parametrize("how", LOSSES)
@pytest.mark.parametrize("done", [True, False])
def test_one_cache(world: World, how: str, *, done: bool) -> None:
    """After a lost answer there is one cache, the one that is returned."""
    world.befall(Operation.CREATE, lost(how, done=done))

    made = world.run(create)

    assert world.labels() == ["mine"]
    assert world.run(lambda cache: cache.get_cache(made.handle)) == made
    assert world.emulator.requests["create"] == (1 if done else 2)


@pytest.mark.parametrize("how", LOSSES)
@pytest.mark.parametrize("done", [True, False])
def test_without_a_label(world: World, how: str, *, done: bool) -> None:
    """Without a label nothing is sent again: the outcome is unknown, and said to be."""
    world.befall(Operation.CREATE, lost(how, done=done))

    with pytest.raises(NetworkError, match="unknown whether the cache was made") as failed:
        world.run(lambda cache: cache.create("x"))

    assert not failed.value.retryable
    assert world.emulator.requests["create"] == 1
    assert len(world.labels()) == done


def test_it_is_looked_for_after_every_try(world: World) -> None:
    """A create that is lost again and again is found when it was carried out at last."""
    world.befall(
        Operation.CREATE,
        lost("timeout", done=False),
        lost("unavailable", done=False),
        lost("reset", done=False),
        lost("unreadable", done=True),
    )

    world.run(create)

    assert world.labels() == ["mine"]
    assert len(world.waits) == 4


@pytest.mark.parametrize(
    ("how", "kind", "status"),
    [
        ("unavailable", CacheCreationFailed, 503),
        ("gateway", CacheCreationFailed, 502),
        ("timeout", NetworkError, None),
    ],
)
def test_giving_up(world: World, how: str, kind: type[CacheError], status: int | None) -> None:
    """Who gives up says what the server said, and that it may be tried again."""
    world.befall(Operation.CREATE, *[lost(how, done=False)] * 4)

    with pytest.raises(kind) as failed:
        world.run(create)

    assert (failed.value.status, failed.value.retryable) == (status, True)
    assert world.labels() == []


def test_not_while_blind(world: World) -> None:
    """If the caches cannot be listed either, nothing is sent again."""
    world.befall(Operation.CREATE, lost("timeout", done=True))
    world.befall(Operation.LIST, *[lost("unavailable", done=False)] * 4)

    with pytest.raises(NetworkError, match=r"unknown whether .* cannot be listed"):
        world.run(create)

    assert world.emulator.requests["create"] == 1
    assert world.labels() == ["mine"]


def test_a_known_twin_is_left_alone(world: World) -> None:
    """A cache that was known before is not taken for ours, even if it looks the same."""
    twin = world.run(create)
    world.befall(Operation.CREATE, lost("timeout", done=False))

    made = world.run(lambda cache: cache.create("x", label="mine", known=[twin.handle.cache_name]))

    assert made.handle != twin.handle
    assert world.labels() == ["mine", "mine"]


def test_an_old_twin_is_left_alone(world: World) -> None:
    """Nor is one that is older than our request, though this client never met it."""
    twin = world.run(create)
    world.clock.advance(HOUR / 2)
    world.befall(Operation.CREATE, lost("timeout", done=False))

    assert world.run(create).handle != twin.handle


@pytest.mark.parametrize("meet", ["create", "list", "get", "extend"])
def test_what_a_client_has_met_is_not_new(world: World, meet: str) -> None:
    """Nor is one that this client has made or seen."""
    stranger = None if meet == "create" else world.run(create)

    async def story(cache: GeminiContextCache) -> bool:
        match meet:
            case "create":
                twin = await create(cache)
            case "list":
                [twin] = await cache.list()
            case "get":
                assert stranger
                twin = await cache.get_cache(stranger.handle) or stranger
            case _:
                assert stranger
                twin = await cache.extend(stranger.handle)
        world.befall(Operation.CREATE, lost("timeout", done=False))
        return (await create(cache)).handle != twin.handle

    assert world.run(story)


def test_a_list_in_between_hides_nothing(world: World) -> None:
    """A cache that a list shows while its own answer is still awaited is found all the same."""

    async def story(cache: GeminiContextCache) -> None:
        async def seen_and_lost(carry_out: CarryOut) -> Response:
            await carry_out()
            await cache.list()
            raise httpx.ReadTimeout("")

        world.befall(Operation.CREATE, seen_and_lost)
        await create(cache)

    world.run(story)

    assert world.labels() == ["mine"]


@pytest.mark.parametrize("wrong", [-24 * HOUR, 24 * HOUR])
def test_the_servers_clock_decides(world: World, wrong: timedelta) -> None:
    """With a clock of our own that is a day off, a lost answer is still found."""

    async def with_date(carry_out: CarryOut) -> Response:
        answer = await carry_out()
        answer.headers["date"] = "Sun, 22 Nov 2026 21:00:00 GMT"
        return answer

    world.befall(Operation.CREATE, lost("timeout", done=True))
    world.befall(Operation.LIST, with_date)
    within(gemini(world.wire, clock=Clock(START + wrong)), create)

    assert world.labels() == ["mine"]


LABEL = "ctxprov:demo/manual@0123456789abcdef~qxyz"


def test_a_server_that_finishes_late(world: World) -> None:
    """A create that is carried out a moment after its answer was given up is found, not doubled."""
    working: list[asyncio.Task[Response]] = []

    async def late(carry_out: CarryOut) -> Response:
        async def work() -> Response:
            await asyncio.sleep(0.05)
            return await carry_out()

        working.append(asyncio.ensure_future(work()))
        raise httpx.ReadTimeout("")

    world.befall(Operation.CREATE, late)
    within(
        GeminiContextCache(KEY, HOST, transport=world.wire, clock=world.clock),
        lambda cache: cache.create("x", label=LABEL, ttl=HOUR),
    )

    assert world.labels() == [LABEL]
    assert [request.method for request in world.wire.sent] == ["POST", "GET"]


def test_list_and_post_are_one_unit(world: World) -> None:
    """After a lost answer nothing lies between the list and the second request but the network."""
    world.befall(Operation.CREATE, lost("reset", done=False), lost("reset", done=False))

    world.run(create)

    assert [request.method for request in world.wire.sent] == ["POST", "GET"] * 2 + ["POST"]
    assert all(wait > 0.99 for wait in world.waits)
    assert len(world.waits) == 2


@pytest.mark.parametrize("status", [409, 499])
def test_what_may_have_been_carried_out(world: World, status: int) -> None:
    """A conflict or a cancellation says nothing about whether there is a cache."""

    async def refused(carry_out: CarryOut) -> Response:
        await carry_out()
        return Response("{}", status)

    world.befall(Operation.CREATE, refused)
    world.run(create)

    assert world.labels() == ["mine"]


def test_another_model_echoed(world: World) -> None:
    """A server that reports another model than the one asked for makes no second cache."""

    async def renamed(carry_out: CarryOut) -> Response:
        answer = await carry_out()
        return Response(bytes(answer.body).replace(b"3.7-flash", b"3.8-flash"), 200)

    world.befall(Operation.CREATE, lost("timeout", done=True))
    world.befall(Operation.LIST, renamed)

    made = world.run(lambda cache: cache.create("x", label="mine", model="gemini-3.7-flash"))

    assert made.model == "gemini-3.8-flash"
    assert world.labels() == ["mine"]


def test_create_cache_is_made_once(world: World) -> None:
    """The verb that takes no label gives one of its own, so that a lost answer is found."""
    world.befall(Operation.CREATE, lost("timeout", done=True))

    world.run(lambda cache: cache.create_cache("x", HOUR))

    [label] = world.labels()
    assert label.startswith("library:")


@pytest.mark.parametrize(
    ("histories", "expected"),
    [
        ([], frozenset()),
        ([("timeout", True)], frozenset()),
        ([("timeout", False)], frozenset({"mine"})),
        ([("timeout", False), ("reset", True)], frozenset({"mine"})),
        ([("timeout", False)] * 4, frozenset({"mine"})),
    ],
)
def test_what_stays_uncertain(
    world: World, histories: list[tuple[str, bool]], expected: frozenset[str]
) -> None:
    """A label is uncertain while more requests went out under it than were accounted for."""

    async def story(cache: GeminiContextCache) -> frozenset[str]:
        with suppress(CacheError):
            await create(cache)
        return cache.uncertain_labels

    world.befall(Operation.CREATE, *(lost(how, done=done) for how, done in histories))

    assert world.run(story) == expected


def test_creates_at_the_same_time_do_not_wait_for_each_other(world: World) -> None:
    """A create on its way is no reason to wait for another one without a label, or of its own."""

    async def story(cache: GeminiContextCache) -> None:
        await asyncio.gather(*(cache.create("x") for _ in range(3)))
        await asyncio.gather(*(cache.create("x", label="mine") for _ in range(3)))

    world.run(story)

    assert sum(world.waits) < 1
    assert len(world.labels()) == 6


def test_a_cancelled_create_stays_uncertain(world: World) -> None:
    """Who cancels a create cannot know what the server makes of it."""

    async def story(cache: GeminiContextCache) -> frozenset[str]:
        task = asyncio.ensure_future(create(cache))
        await sent.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        return cache.uncertain_labels

    sent = asyncio.Event()

    async def slow(carry_out: CarryOut) -> Response:
        sent.set()
        await asyncio.sleep(1)
        return await carry_out()

    world.befall(Operation.CREATE, slow)

    assert world.run(story) == {"mine"}


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(LOSSES)), st.booleans()) | st.none(),
        max_size=8,
    ),
    st.integers(1, 5),
)
def test_any_history_of_losses(history: list[tuple[str, bool] | None], creates: int) -> None:
    """Creates at the same time make one cache each under any losses; none is taken twice."""

    async def well(carry_out: CarryOut) -> Response:
        return await carry_out()

    async def story(cache: GeminiContextCache) -> list[CachedContext]:
        labels = [f"label-{number}" for number in range(creates)]
        return await asyncio.gather(*(cache.create("x", label=label) for label in labels))

    with emulated() as world:
        world.befall(
            Operation.CREATE,
            *(well if loss is None else lost(loss[0], done=loss[1]) for loss in history),
        )
        made = world.run(story, attempts=9)

        assert len({seen.handle for seen in made}) == creates
        assert sorted(world.labels()) == sorted(seen.display_name for seen in made)
