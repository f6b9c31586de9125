"""Whose cache is it?"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from provisioner.cache import CachedContext, GeminiHandle
from provisioner.model.attributes import Label
from provisioner.providers.gemini import CacheIndex
from provisioner.providers.gemini.creator import (
    PendingCreate,
    is_of_one_create,
    label_of_its_own,
)
from provisioner.runtime import SYSTEM
from tests.providers.gemini.world import HOUR, START

SECOND = timedelta(seconds=1)
SENT = PendingCreate(label="mine", old_names=("cachedContents/known",), at=START, index_size=0)
OURS = CachedContext(
    handle=GeminiHandle("cachedContents/ours"),
    model="m",
    display_name="mine",
    created_at=START + SECOND,
    updated_at=START + SECOND,
    expires_at=START + HOUR,
    token_count=1,
)


def found(
    *caches: CachedContext, sent: PendingCreate = SENT, late: timedelta = 2 * SECOND
) -> str | None:
    now = START + late
    seen = sent.cache_among(caches, CacheIndex(), now=now, server_now=now)
    return seen.handle.cache_name if seen else None


def test_ours() -> None:
    """A cache with our label, made since we asked, is of our making, also under another model."""
    assert found(OURS) == "cachedContents/ours"
    assert found(replace(OURS, model="another")) == "cachedContents/ours"


def test_letters_are_proof() -> None:
    """A label with letters of one create's own needs no clock: nothing under it is too old."""
    label = "ctxprov:demo/manual@0123456789abcdef~qxyz"
    old = replace(OURS, display_name=label, created_at=START - HOUR, expires_at=START)

    assert found(old, sent=structs.replace(SENT, label=label)) == "cachedContents/ours"
    assert found(replace(old, display_name=f"{label[:-4]}abcd"), sent=SENT) is None


def test_a_librarys_label() -> None:
    """A label of the library's own is of one create, and of no stack."""
    label = label_of_its_own(SYSTEM)

    assert is_of_one_create(label)
    assert Label.parse(label) is None
    assert not label.startswith("ctxprov:")
    assert label_of_its_own(SYSTEM) != label


@pytest.mark.parametrize(
    "other",
    [
        replace(OURS, display_name="other"),
        replace(OURS, expires_at=START + 2 * SECOND),
        replace(OURS, created_at=START - 31 * SECOND),
        replace(OURS, handle=GeminiHandle("cachedContents/known")),
    ],
    ids=["label", "expired", "older", "known"],
)
def test_not_ours(other: CachedContext) -> None:
    """Another label, an expired, an older or a known cache is not."""
    assert found(other) is None


def test_the_newest_of_ours() -> None:
    """Of several that could be ours the newest is taken."""
    newer = replace(
        OURS, handle=GeminiHandle("cachedContents/newer"), created_at=START + 2 * SECOND
    )

    assert found(newer, OURS) == found(OURS, newer) == "cachedContents/newer"


@pytest.mark.parametrize("wrong", [-HOUR, HOUR])
def test_our_clock_may_be_wrong(wrong: timedelta) -> None:
    """The server's clock decides a cache's age; ours only says how long ago we asked."""
    sent = structs.replace(SENT, at=START + wrong)
    late = 5 * SECOND
    old = replace(OURS, created_at=START - 31 * SECOND)

    for cache, expected in ((OURS, OURS), (old, None)):
        seen = sent.cache_among([cache], CacheIndex(), now=sent.at + late, server_now=START + late)
        assert seen is expected


def test_the_index() -> None:
    """A cache that the client had seen, or that another create claims, is not new."""
    index = CacheIndex()
    name = OURS.handle.cache_name
    before = len(index)
    index.add(OURS)

    assert index.may_be_new(name, before)
    assert not index.may_be_new(name, len(index))
    assert index.may_be_new("cachedContents/stranger", len(index))
    index.claim(OURS)
    assert not index.may_be_new(name, before)
