"""Whose cache is it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from provisioner.cache import CachedContext, GeminiHandle
from provisioner.providers.gemini.lost import Acquaintances, Sent
from tests.providers.gemini.world import HOUR, START

SECOND = timedelta(seconds=1)
SENT = Sent(label="mine", model="m", known=("cachedContents/known",), at=START, met=0)
OURS = CachedContext(
    handle=GeminiHandle("cachedContents/ours"),
    model="m",
    display_name="mine",
    created_at=START + SECOND,
    updated_at=START + SECOND,
    expires_at=START + HOUR,
    token_count=1,
)


def found(*caches: CachedContext, sent: Sent = SENT, late: timedelta = 2 * SECOND) -> str | None:
    now = START + late
    seen = sent.found_in(caches, Acquaintances(), now=now, server_now=now)
    return seen.handle.cache_name if seen else None


def test_ours() -> None:
    """A cache with our label and model, made since we asked, is of our making."""
    assert found(OURS) == "cachedContents/ours"


@pytest.mark.parametrize(
    "other",
    [
        replace(OURS, display_name="other"),
        replace(OURS, model="other"),
        replace(OURS, expires_at=START + 2 * SECOND),
        replace(OURS, created_at=START - 31 * SECOND),
        replace(OURS, handle=GeminiHandle("cachedContents/known")),
    ],
    ids=["label", "model", "expired", "older", "known"],
)
def test_not_ours(other: CachedContext) -> None:
    """Another label or model, an expired, an older or a known cache is not."""
    assert found(other) is None


def test_the_newest_of_ours() -> None:
    """Of several that could be ours the newest is taken."""
    newer = replace(
        OURS, handle=GeminiHandle("cachedContents/newer"), created_at=START + 2 * SECOND
    )

    assert found(newer, OURS) == found(OURS, newer) == "cachedContents/newer"


@pytest.mark.parametrize("wrong", [-HOUR, HOUR])
def test_our_clock_may_be_wrong(wrong: timedelta) -> None:
    """Age is told by the server's clock; ours only says how long ago we asked."""
    sent = structs.replace(SENT, at=START + wrong)
    late = 5 * SECOND
    old = replace(OURS, created_at=START - 31 * SECOND)

    for cache, expected in ((OURS, OURS), (old, None)):
        seen = sent.found_in([cache], Acquaintances(), now=sent.at + late, server_now=START + late)
        assert seen is expected


def test_acquaintances() -> None:
    """A cache we had met, or that another create answers for, is not new."""
    friends = Acquaintances()
    name = OURS.handle.cache_name
    before = len(friends)
    friends.meet(OURS)

    assert friends.may_be_new(name, before)
    assert not friends.may_be_new(name, len(friends))
    assert friends.may_be_new("cachedContents/stranger", len(friends))
    friends.claim(OURS)
    assert not friends.may_be_new(name, before)
