"""Who waits for whom, how long, and what ends a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from itertools import pairwise
from random import Random
from typing import TypeVar

import httpx
import pytest
from msgspec.structs import replace

from provisioner.cache import GeminiHandle
from provisioner.errors import (
    CacheCreationFailed,
    CacheError,
    Interrupted,
    NetworkError,
    RequestRefused,
)
from provisioner.providers.gemini import GeminiContextCache
from provisioner.runtime import SYSTEM
from tests.providers.gemini.virtual import Quota, in_virtual_time
from tests.providers.gemini.world import HOST, HOUR, KEY

T = TypeVar("T")

ABC = GeminiHandle("cachedContents/abc")
MINUTES = timedelta(minutes=1)


def refusing(
    *methods: str, hint: str | None = None, message: str = "slow down", times: int = 1000
) -> tuple[list[tuple[float, str]], httpx.MockTransport]:
    """A server that refuses *methods* by a quota so many *times*, and what it was sent when."""
    sent: list[tuple[float, str]] = []
    left = [*range(times)]

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append((asyncio.get_running_loop().time(), request.method))
        if request.method in methods and left:
            left.pop()
            headers = {"retry-after": hint} if hint else {}
            return httpx.Response(429, json={"error": {"message": message}}, headers=headers)
        return httpx.Response(200, json={})

    return sent, httpx.MockTransport(answer)


def story(
    transport: httpx.AsyncBaseTransport,
    tell: Callable[[GeminiContextCache], Awaitable[T]],
    *,
    max_wait: timedelta = 15 * MINUTES,
) -> tuple[T, float]:
    async def telling() -> T:
        return await tell(GeminiContextCache(KEY, HOST, transport=transport, max_wait=max_wait))

    return in_virtual_time(telling)


def test_a_refused_create_holds_creates_alone() -> None:
    """While creates wait for a quota, refreshes, lists and deletions go on at once."""
    quota = Quota(1)

    async def tell(cache: GeminiContextCache) -> float:
        creating = [asyncio.ensure_future(cache.create("x", label=f"n{n}")) for n in range(3)]
        await asyncio.sleep(5)
        began = asyncio.get_running_loop().time()
        await cache.extend(ABC, ttl=HOUR)
        await cache.list()
        await cache.delete_cache(ABC)
        took = asyncio.get_running_loop().time() - began
        await asyncio.gather(*creating)
        return took

    took, seconds = story(quota, tell)

    assert took < 1
    assert seconds > 120


@pytest.mark.parametrize("verb", ["extend", "get_cache", "delete_cache", "list"])
def test_any_other_refusal_holds_everything(verb: str) -> None:
    """A quota that refuses anything but a create holds back the whole project."""
    method = {"extend": "PATCH", "delete_cache": "DELETE"}.get(verb, "GET")
    sent, transport = refusing(method, hint="40", times=1)

    async def tell(cache: GeminiContextCache) -> None:
        call = cache.list() if verb == "list" else getattr(cache, verb)(ABC)
        refused = asyncio.ensure_future(call)
        await asyncio.sleep(1)
        with suppress(CacheError):
            await cache.create("x")
        with suppress(CacheError):
            await refused

    story(transport, tell)

    [first, *_], [create, *_] = ([at for at, one in sent if one == m] for m in (method, "POST"))
    assert create - first >= 40


@pytest.mark.parametrize("verb", ["extend", "delete_cache"])
def test_what_is_asked_once_the_quota_lets_a_call_out(verb: str) -> None:
    """A call asks once more after its wait, however long that was; a refusal sends nothing."""
    sent, transport = refusing("GET", hint="40", times=1)
    asked: list[float] = []

    async def tell(cache: GeminiContextCache) -> None:
        listing = asyncio.ensure_future(cache.list())
        await asyncio.sleep(1)

        async def before() -> None:
            asked.append(asyncio.get_running_loop().time())
            raise NetworkError("the lock is lost")

        with pytest.raises(NetworkError, match="the lock is lost"):
            await getattr(cache, verb)(ABC, before=before)
        await listing

    story(transport, tell)

    first, second = (at for at, method in sent if method == "GET")
    assert second - first >= 40
    assert asked
    assert asked[0] - first >= 40
    assert {method for _, method in sent} == {"GET"}


def test_clients_of_one_key_share_what_is_learned() -> None:
    """A second client of the same project does not find out by refusals what the first knows."""
    quota = Quota(10)

    async def tell(cache: GeminiContextCache) -> None:
        other = GeminiContextCache(KEY, HOST, transport=quota)
        clients = [cache, other] * 10
        await asyncio.gather(*(one.create("x", label=f"n{n}") for n, one in enumerate(clients)))

    story(quota, tell)

    assert len(quota.refused) == 1


def test_first_come_first_served() -> None:
    """Only a create that was refused is overtaken by a later one, and none starves."""
    quota = Quota(5, takes=0.5)
    done: list[int] = []

    async def tell(cache: GeminiContextCache) -> None:
        async def one(number: int) -> None:
            await cache.create("x", label=f"n{number}")
            done.append(number)

        await asyncio.gather(*(one(number) for number in range(15)))

    story(quota, tell)

    overtaken = [late for early, late in pairwise(done) if late < early]
    assert sorted(done) == [*range(15)]
    assert len(overtaken) <= len(quota.refused)


@pytest.mark.parametrize("hint", ["90", "Sun, 22 Nov 2026 21:01:30 GMT"])
def test_a_hint_of_ninety_seconds_is_honoured(hint: str) -> None:
    """A server that asks for ninety seconds is left alone that long, then asked again."""
    answers = [
        httpx.Response(
            429,
            json={"error": {"message": "slow down"}},
            headers={"retry-after": hint, "date": "Sun, 22 Nov 2026 21:00:00 GMT"},
        ),
        httpx.Response(200, json={}),
    ]

    _, seconds = story(httpx.MockTransport(lambda _: answers.pop(0)), lambda cache: cache.list())

    assert 90 <= seconds < 91


@pytest.mark.parametrize("minutes", [2, 15])
def test_patience_is_counted_in_minutes(minutes: int) -> None:
    """A quota that lets nothing through is waited for as long as the caller is patient."""
    sent, transport = refusing("POST")

    async def tell(cache: GeminiContextCache) -> CacheError:
        with pytest.raises(CacheCreationFailed, match=f"nothing got through for {minutes}m") as out:
            await cache.create("x", label="mine")
        return out.value

    error, seconds = story(transport, tell, max_wait=minutes * MINUTES)

    assert (minutes - 1) * 60 < seconds <= minutes * 60
    assert (error.status, error.words, error.retryable) == (429, "slow down", True)
    assert len(sent) < 10 + 2 * minutes


def test_patience_begins_again_with_each_success() -> None:
    """Creates that take an hour at the pace of their quota are no reason to give up."""
    quota = Quota(1)

    async def tell(cache: GeminiContextCache) -> int:
        labels = [f"n{number}" for number in range(30)]
        return len(await asyncio.gather(*(cache.create("x", label=label) for label in labels)))

    made, seconds = story(quota, tell, max_wait=5 * MINUTES)

    assert made == 30
    assert seconds > 29 * 60


def test_who_gives_up_does_not_begin_again() -> None:
    """Of many creates behind a quota that lets nothing through, none is waited for twice."""
    sent, transport = refusing("POST")

    async def tell(cache: GeminiContextCache) -> list[str]:
        queue, messages = iter(range(100)), list[str]()

        async def work() -> None:
            for _ in queue:
                with pytest.raises(CacheCreationFailed) as failed:
                    await cache.create("x", label="mine")
                messages.append(failed.value.message)

        await asyncio.gather(*(work() for _ in range(8)))
        return messages

    messages, seconds = story(transport, tell)

    assert len(messages) == 100
    assert len(set(messages)) == 1
    assert seconds <= 15 * 60
    assert len(sent) < 50


def test_no_call_waits_for_an_hour() -> None:
    """A server that asks for more than all patience is an error at once, with its hint."""
    sent, transport = refusing("GET", hint="3600")

    async def tell(cache: GeminiContextCache) -> CacheError:
        with pytest.raises(NetworkError) as failed:
            await cache.list()
        return failed.value

    error, seconds = story(transport, tell)

    assert (len(sent), seconds) == (1, 0)
    assert error.retry_after is not None
    assert timedelta(minutes=59) < error.retry_after <= timedelta(hours=1)


@pytest.mark.parametrize(
    "message",
    [
        "TotalCachedContentStorageTokensPerModelFreeTier limit exceeded for model X: limit=0",
        "TotalCachedContentStorageTokensPerModel exceeded",
        "Quota exceeded for quota metric 'Create requests' and limit 'per day'",
    ],
)
def test_what_waiting_cannot_cure(message: str) -> None:
    """No quota at all, one of stored tokens or one of a day is an error at once."""
    sent, transport = refusing("POST", message=message)

    async def tell(cache: GeminiContextCache) -> None:
        with pytest.raises(CacheError, match="waiting does not help") as failed:
            await cache.create("x", label="mine")
        assert not failed.value.retryable

    _, seconds = story(transport, tell)

    assert (len(sent), seconds) == (1, 0)


def test_a_wait_ends_when_the_run_does() -> None:
    """When the run ends, every wait for a quota ends at once, and nothing more is sent."""
    sent, transport = refusing("POST")

    async def tell(cache: GeminiContextCache) -> int:
        creating = [asyncio.ensure_future(cache.create("x", label=f"n{n}")) for n in range(5)]
        await asyncio.sleep(10)
        before = len(sent)
        cache.stop_waiting()
        for one in creating:
            with pytest.raises(Interrupted):
                await one
        with pytest.raises(Interrupted):
            await cache.list()
        return len(sent) - before

    after, seconds = story(transport, tell)

    assert (after, seconds) == (0, 10)


def test_an_idle_client_is_patient_again() -> None:
    """After a pause of its own, a client that gave up asks again."""
    sent, transport = refusing("GET")

    async def tell(cache: GeminiContextCache) -> None:
        for _ in range(2):
            with pytest.raises(NetworkError):
                await cache.list()
            await asyncio.sleep(60)

    story(transport, tell, max_wait=1 * MINUTES)

    assert max(at for at, _ in sent) > 90


def test_a_refusal_is_no_quota() -> None:
    """A permission that is missing slows nothing down."""
    answers = [httpx.Response(403, json={"error": {"message": "no"}})] * 20

    async def tell(cache: GeminiContextCache) -> None:
        for _ in answers:
            with pytest.raises(RequestRefused):
                await cache.list()

    _, seconds = story(httpx.MockTransport(lambda _: answers[0]), tell)

    assert seconds == 0


def test_two_programs_in_one_loop() -> None:
    """A client of another program, whose chance is its own, learns a quota by itself."""
    quota = Quota(10)

    async def tell(cache: GeminiContextCache) -> None:
        runtime = replace(SYSTEM, random=Random(1))  # noqa: S311  # another program's
        other = GeminiContextCache(KEY, HOST, transport=quota, runtime=runtime)
        clients = [cache, other] * 10
        await asyncio.gather(*(one.create("x", label=f"n{n}") for n, one in enumerate(clients)))

    story(quota, tell)

    assert len(quota.refused) > 1
