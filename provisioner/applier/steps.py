"""
What each change does to the world, one call at a time, as a stream of facts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Protocol, TypedDict, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.cache import CacheContent, CachedContext, GeminiHandle
from provisioner.errors import CacheExpired, CacheNotFound
from provisioner.model.attributes import Life, Ttl, Until
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Forget,
    Keep,
    Leave,
    Move,
    Note,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.facts import Dropped, Exists, Fact, Gone, Noted, Renamed, Retired
from provisioner.model.plan import Plan
from provisioner.model.records import (
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
)

MOST_CONTENT = 64 * 1024 * 1024
"""Bytes of content that creates hold at a time, as long as there are several."""


class LiveCaches(Protocol):
    """What applying needs of a provider.  Raises nothing but `CacheError`."""

    async def create(
        self,
        content: CacheContent,
        *,
        model: str,
        label: str,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        known: Collection[str] = (),
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> CachedContext: ...

    async def extend(
        self,
        handle: GeminiHandle,
        *,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
    ) -> CachedContext: ...

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None: ...

    async def delete_cache(self, handle: GeminiHandle) -> None: ...


class ContentBudget:
    """Bounds how many bytes of content are in memory at a time; one content always fits."""

    def __init__(self, most: int) -> None:
        self._most = self._free = most
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Wait until *size* bytes are free, and hold them for as long as the block lasts."""
        size = min(size, self._most)
        async with self._changed:
            await self._changed.wait_for(lambda: size <= self._free)
            self._free -= size
        try:
            yield
        finally:
            async with self._changed:
                self._free += size
                self._changed.notify_all()


class ProviderCalls(Struct, frozen=True):
    """The calls that changes are made of, and what they need."""

    plan: Plan
    caches: Mapping[str, LiveCaches]
    read: Callable[[DesiredCache], CacheContent]
    listed: Collection[str]
    """Ids of the live caches that the plan lists: a lost answer has made none of them."""
    letters: Callable[[], str]
    """Four random letters for the label of one create and its retries."""
    before_create: Callable[[], Awaitable[None]] | None = None
    """What each create waits for, once its quota lets it out."""
    budget: ContentBudget = field(default_factory=lambda: ContentBudget(MOST_CONTENT))

    async def create(self, want: DesiredCache) -> RecordedCache:
        label = replace(want.label, letters=self.letters())
        async with self.budget.take(want.measure.size):
            seen = await self.caches[want.provider].create(
                self.read(want),
                model=want.model,
                label=str(label),
                known=self.listed,
                before=self.before_create,
                **_lifetime(want.life),
            )
        return RecordedCache.of(want, LiveCache.of(want.provider, seen), counted=True)

    async def extend(self, want: DesiredCache, live: LiveCache) -> RecordedCache:
        seen = await self.caches[want.provider].extend(live.handle, **_lifetime(want.life))
        return RecordedCache.of(want, LiveCache.of(want.provider, seen), counted=True)

    async def renew(self, want: DesiredCache, live: LiveCache) -> RecordedCache:
        """
        Extend *live*, or create *want* if *live* is gone: only its provider decides that.

        A provider that refuses the PATCH as if the cache were gone, and still shows it to a
        GET, makes this fail: a second cache would not help.
        """
        try:
            return await self.extend(want, live)
        except (CacheNotFound, CacheExpired):
            if await self.caches[live.provider].get_cache(live.handle) is not None:
                raise
        return await self.create(want)

    async def shows(self, record: RecordedCache) -> bool:
        """Whether the provider shows to a GET what it has just answered for."""
        return await self.caches[record.provider].get_cache(record.handle) is not None

    async def retire(self, live: LiveCache, after: timedelta) -> Retired | Gone:
        """Shorten its life to *after*; one that dies sooner by itself needs no call."""
        if after == timedelta():
            return await self.delete(live)
        if live.expires_at - self.plan.now_of(live.provider) <= after:
            return Retired(live.id, live.expires_at)
        try:
            seen = await self.caches[live.provider].extend(live.handle, ttl=after)
        except (CacheNotFound, CacheExpired):
            return Gone(live.id)
        return Retired(live.id, seen.expires_at)

    async def delete(self, live: LiveCache) -> Gone:
        await self.caches[live.provider].delete_cache(live.handle)
        return Gone(live.id)

    def retiring(self, old: LiveCache | None, record: Recorded | None) -> RetiringCache | None:
        """The old cache as it goes on the list: it lives at least until it may be retired."""
        if old is None or not isinstance(record, RecordedCache):
            return None
        after = record.retire_after
        return RetiringCache(
            name=record.name,
            provider=record.provider,
            model=record.model,
            id=old.id,
            retire_after=after,
            until=min(old.expires_at, self.plan.now_of(record.provider) + after),
        )


async def perform(change: Change, calls: ProviderCalls) -> AsyncGenerator[Fact, None]:
    """
    Change the world as *change* says; every fact is yielded the moment it is true.

    What makes or notes a cache comes first, and what retires the old one after it.
    """
    match change:
        case Create(want):
            yield Exists(await calls.create(want))
        case Replace(want, old, record):
            yield Exists(await calls.create(want), calls.retiring(old, record))
            yield await calls.retire(old, record.retire_after)
        case Adopt(want, twin, old, record):
            leaving = calls.retiring(old, record)
            yield Exists(await calls.renew(want, twin), leaving)
            if old and leaving:
                yield await calls.retire(old, leaving.retire_after)
        case Refresh(want, own):
            yield Exists(await calls.renew(want, own))
        case Note(want, _, record):
            measure = replace(want.measure, tokens=record.measure.tokens, counted=True)
            yield Noted(replace(record, settings=want.settings, measure=measure))
        case Annotate(want, old, record):
            leaving = calls.retiring(old, record)
            yield Noted(RecordedAnnotation.of(want, calls.plan.at), leaving)
            if old and leaving:
                yield await calls.retire(old, leaving.retire_after)
        case Move(name, record):
            yield Renamed(record.name, name)
        case Retire(live, record):
            yield await calls.retire(live, record.retire_after)
        case Delete(live):
            yield await calls.delete(live)
        case Forget(record):
            yield _forgotten(record)
        case Keep() | Leave() | Blocked():
            return
        case _:
            assert_never(change)


def _forgotten(record: Recorded | RetiringCache) -> Fact:
    match record:
        case RecordedAnnotation(name=name):
            return Dropped(name)
        case _:
            return Gone(record.id)


class _Lifetime(TypedDict, total=False):
    ttl: timedelta
    expires_at: datetime


def _lifetime(life: Life) -> _Lifetime:
    match life:
        case Ttl(span):
            return {"ttl": span}
        case Until(moment):
            return {"expires_at": moment}
