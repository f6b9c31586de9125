"""Gemini's caches, against the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from msgspec.structs import replace

from provisioner.cache import CacheContent, ClaudeHandle, ContextCache, GeminiHandle
from provisioner.emulator import Operation, Refusal
from provisioner.errors import (
    CacheCreationFailed,
    CacheExpired,
    CacheNotFound,
    InvalidCacheConfiguration,
    MissingKey,
    RequestRefused,
)
from provisioner.providers.gemini import GeminiContextCache
from provisioner.runtime import SYSTEM
from tests.providers.contract import EVERYTHING, ContextCacheContract
from tests.providers.gemini.world import (
    HOST,
    HOUR,
    KEY,
    START,
    Wire,
    World,
    emulated,
    gemini,
    within,
)

NOBODY = GeminiHandle("cachedContents/nobody")


class TestGemini(ContextCacheContract):
    foreign = ClaudeHandle({"type": "ephemeral", "ttl": "5m"})

    @pytest.fixture(autouse=True)
    def _world(self) -> Iterator[None]:
        with emulated() as self.world:
            yield

    def cache(self) -> ContextCache:
        return self.world.cache()


def sent(world: World, method: str) -> list[httpx.Request]:
    return [request for request in world.wire.sent if request.method == method]


def test_a_whole_life(world: World) -> None:
    """A cache is made, found, kept and ended, and each answer says what is true then."""

    async def story(cache: GeminiContextCache) -> None:
        made = await cache.create(EVERYTHING, label="mine", ttl=2 * HOUR)
        assert (made.model, made.display_name) == ("gemini-3.8-flash", "mine")
        assert (made.created_at, made.expires_at) == (START, START + 2 * HOUR)
        assert made.token_count > 0
        assert await cache.get_cache(made.handle) == made
        assert await cache.list() == [made]

        world.clock.advance(HOUR)
        kept = await cache.extend(made.handle, ttl=3 * HOUR)
        assert (kept.created_at, kept.updated_at) == (START, START + HOUR)
        assert kept.expires_at == START + 4 * HOUR
        assert kept.handle.expires_at == kept.expires_at

        await cache.delete_cache(made.handle)
        assert await cache.get_cache(made.handle) is None
        assert await cache.list() == []

    world.run(story)


def test_the_models_own(world: World) -> None:
    """A create says its model, or the client's, or the library's."""

    async def story(cache: GeminiContextCache) -> list[str]:
        made = [await cache.create("x"), await cache.create("x", model="models/gemini-2.5-pro")]
        return [seen.model for seen in made]

    assert world.run(story) == ["gemini-3.8-flash", "gemini-2.5-pro"]
    assert world.run(story, model="gemini-2.5-flash")[0] == "gemini-2.5-flash"


def test_lives(world: World) -> None:
    """A life is a ttl, a moment, or the client's default."""

    async def story(cache: GeminiContextCache) -> None:
        until = START + timedelta(days=3)
        assert (await cache.create("x")).granted == timedelta(minutes=7)
        made = await cache.create("x", expires_at=until)
        assert made.expires_at == until
        assert (await cache.extend(made.handle)).granted == timedelta(minutes=7)
        assert (await cache.extend(made.handle, expires_at=until)).expires_at == until

    world.run(story, default_ttl=timedelta(minutes=7))


def test_a_patch_carries_nothing_else(world: World) -> None:
    """Extending names one field in its mask and carries that alone."""

    async def story(cache: GeminiContextCache) -> None:
        made = await cache.create("x")
        await cache.extend(made.handle, ttl=HOUR)
        await cache.extend(made.handle, expires_at=START + HOUR)

    world.run(story)

    assert [(dict(one.url.params), json.loads(one.content)) for one in sent(world, "PATCH")] == [
        ({"updateMask": "ttl"}, {"ttl": "3600s"}),
        ({"updateMask": "expireTime"}, {"expireTime": "2026-11-22T22:00:00Z"}),
    ]


@pytest.mark.parametrize("content", ["x" * 400, EVERYTHING])
def test_counting(world: World, content: str | CacheContent) -> None:
    """The server counts as many tokens as the cache will have."""

    async def story(cache: GeminiContextCache) -> None:
        made = await cache.create(content)
        assert await cache.count_tokens(content) == made.token_count > 0

    world.run(story)

    post, count = sent(world, "POST")
    body = json.loads(post.content)
    del body["ttl"]
    assert json.loads(count.content) == {"generateContentRequest": body}
    assert count.url.path == "/v1beta/models/gemini-3.8-flash:countTokens"


def test_counting_a_system_instruction(world: World) -> None:
    """A cache without parts is counted too, and as what it will have."""
    content = CacheContent(system_instruction="x" * 400, tools=EVERYTHING.tools)

    async def story(cache: GeminiContextCache) -> None:
        made = await cache.create(content)
        assert await cache.count_tokens(content) == made.token_count > 0

    world.run(story)


@pytest.mark.parametrize(
    "handle",
    [
        GeminiHandle("cachedContents/a/../b?c#d"),
        GeminiHandle("models/x"),
        GeminiHandle("cachedContents/a", datetime(2026, 12, 1)),  # noqa: DTZ001 - the flaw is the point
    ],
)
@pytest.mark.parametrize("verb", ["get_cache", "refresh_cache", "extend", "delete_cache"])
def test_bad_handles_are_never_sent(world: World, verb: str, handle: GeminiHandle) -> None:
    """A bent name, or a moment that no clock can be held against, is refused unasked."""
    with pytest.raises(InvalidCacheConfiguration):
        world.run(lambda cache: getattr(cache, verb)(handle))

    assert world.wire.sent == []


def test_what_never_was(world: World) -> None:
    """A cache that never was is None to ask for, not found to extend, and easily deleted."""

    async def story(cache: GeminiContextCache) -> None:
        assert await cache.get_cache(NOBODY) is None
        await cache.delete_cache(NOBODY)
        with pytest.raises(CacheNotFound) as missing:
            await cache.refresh_cache(NOBODY, HOUR)
        assert missing.value.handle == NOBODY
        assert missing.value.status == 403
        assert "CachedContent not found" in (missing.value.words or "")

    world.run(story)


@pytest.mark.parametrize(
    ("late", "fate"),
    [
        (2 * HOUR, CacheExpired),
        (HOUR - timedelta(seconds=2), CacheExpired),
        (HOUR / 2, CacheNotFound),
    ],
)
def test_expired_or_not_found(world: World, late: timedelta, fate: type[Exception]) -> None:
    """What is gone has expired if its holder could have known, give or take two seconds."""

    async def story(cache: GeminiContextCache) -> None:
        made = await cache.create("x", ttl=HOUR)
        await cache.delete_cache(made.handle)
        world.clock.advance(late)
        with pytest.raises(fate):
            await cache.refresh_cache(made.handle)

    world.run(story)


@pytest.mark.parametrize(
    ("end", "fate"),
    [
        (datetime.min.replace(tzinfo=UTC), CacheExpired),
        (datetime.max.replace(tzinfo=UTC), CacheNotFound),
    ],
)
def test_the_ends_of_time(world: World, end: datetime, fate: type[Exception]) -> None:
    """A cache that is gone is not found or expired, by the moment that its handle holds."""
    handle = GeminiHandle("cachedContents/nobody", end)

    with pytest.raises(fate):
        world.run(lambda cache: cache.extend(handle))


def test_gone_on_vertex() -> None:
    """Where gone is 404, it is gone just the same."""
    gone = {"error": {"status": "NOT_FOUND", "message": "Cached content 1 is not found."}}
    wire = Wire(lambda _: httpx.Response(404, json=gone))
    handle = GeminiHandle("projects/p/locations/global/cachedContents/1")

    async def story(cache: GeminiContextCache) -> None:
        assert await cache.get_cache(handle) is None
        await cache.delete_cache(handle)
        with pytest.raises(CacheNotFound):
            await cache.refresh_cache(handle)
        with pytest.raises(InvalidCacheConfiguration, match="the address, its version"):
            await cache.list()

    within(gemini(wire), story)


def test_a_wrong_address_has_no_caches() -> None:
    """A server that does not know the API at all does not say that a cache is gone."""
    wire = Wire(lambda _: httpx.Response(404, html="<title>Not Found</title>"))

    async def story(cache: GeminiContextCache) -> None:
        for call in (cache.get_cache, cache.refresh_cache, cache.delete_cache):
            with pytest.raises(InvalidCacheConfiguration, match=r"gemini\.invalid/v1beta"):
                await call(NOBODY)

    within(gemini(wire), story)


def test_no_permission_is_not_gone(world: World) -> None:
    """A refused GET does not say that the cache is gone, and a refused LIST lists nothing."""

    async def refuse(_: object) -> Any:  # noqa: ANN401 - it never returns
        raise Refusal(403, "Generative Language API has not been used in project 1")

    async def story(cache: GeminiContextCache) -> None:
        made = await cache.create("x")
        for call in (cache.get_cache, cache.refresh_cache, cache.delete_cache):
            with pytest.raises(RequestRefused, match="has not been used"):
                await call(made.handle)
        with pytest.raises(RequestRefused) as refused:
            await cache.list()
        assert (refused.value.status, refused.value.retryable) == (403, False)

    for operation in (Operation.GET, Operation.PATCH, Operation.DELETE, Operation.LIST):
        world.befall(operation, refuse)
    world.run(story)
    assert len(world.labels()) == 1


def test_a_bad_key() -> None:
    """A key that the server does not know is refused by every verb, and never echoed."""

    async def story(cache: GeminiContextCache) -> None:
        for call in (cache.list(), cache.get_cache(NOBODY), cache.count_tokens("x")):
            with pytest.raises(RequestRefused, match="API key") as refused:
                await call
            assert refused.value.status == 400
        with pytest.raises(CacheCreationFailed, match="API key") as failed:
            await cache.create("x", label="mine")
        assert (failed.value.status, failed.value.retryable) == (400, False)

    with emulated(api_keys=("another",)) as world:
        world.run(story)
        assert len(sent(world, "POST")) == 2


def test_too_small() -> None:
    """Too little content is refused with the server's own numbers."""

    async def story(cache: GeminiContextCache) -> None:
        with pytest.raises(InvalidCacheConfiguration, match="at least 1024") as refused:
            await cache.create("too short", label="mine")
        assert refused.value.status == 400
        assert "min_total_token_count=1024" in (refused.value.words or "")

    with emulated(min_tokens=1024) as world:
        world.run(story)
        assert len(world.wire.sent) == 1


def test_no_quota(world: World) -> None:
    """A create that no quota allows fails at once, with the server's words."""

    async def refuse(_: object) -> Any:  # noqa: ANN401 - it never returns
        raise Refusal(429, "StorageTokensPerModelFreeTier limit exceeded: limit=0, requested=1")

    world.befall(Operation.CREATE, refuse)
    with pytest.raises(CacheCreationFailed, match="limit=0") as failed:
        world.run(lambda cache: cache.create("x", label="mine"))

    assert (failed.value.status, failed.value.retryable, world.waits) == (429, False, [])


def test_slow_down(world: World) -> None:
    """A create that came too soon is sent again when the server wants it, and no sooner."""

    async def refuse(_: object) -> Any:  # noqa: ANN401 - it never returns
        raise Refusal(429, "Quota exceeded", retry_after=3)

    world.befall(Operation.CREATE, refuse)
    world.run(lambda cache: cache.create("x"))

    assert sum(world.waits) == pytest.approx(3.0, abs=0.1)
    assert world.labels() == [""]
    assert sent(world, "GET") == []


def test_content_that_cannot_be_sent(world: World) -> None:
    """Half of a surrogate pair is the caller's mistake, and is never sent."""
    with pytest.raises(InvalidCacheConfiguration, match="Unicode"):
        world.run(lambda cache: cache.create("\ud83e"))

    assert world.wire.sent == []


def test_an_environment_of_its_own() -> None:
    """Key and host come from the environment that is passed in, and not from the process's."""
    wire = Wire(lambda _: httpx.Response(200, json={}))
    environ = {"GEMINI_API_KEY": "theirs", "GOOGLE_GEMINI_BASE_URL": "https://there.example.com"}

    assert within(GeminiContextCache(environ=environ, transport=wire), lambda own: own.list()) == []

    assert [request.url.host for request in wire.sent] == ["there.example.com"]
    assert [request.headers["x-goog-api-key"] for request in wire.sent] == ["theirs"]
    with pytest.raises(MissingKey):
        GeminiContextCache(environ={})


def test_a_runtime_of_its_own(world: World) -> None:
    """The label of a cache that a program makes for itself comes from its runtime."""
    runtime = replace(SYSTEM, token=lambda count: "0a" * count)
    own = GeminiContextCache(KEY, HOST, transport=world.wire, runtime=runtime)

    within(own, lambda cache: cache.create_cache("text", HOUR))

    (label,) = world.labels()
    assert label == f"library:{'0a' * 8}~{runtime.letters()}"
