"""
What each change does to the world, one call at a time, as a stream of facts.

A dry run is the same stream, before a provider that only records its calls.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Literal, Protocol, TypeAlias, TypedDict, Unpack, assert_never

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.cache import BeforeSending, CacheContent, CachedContext, GeminiHandle
from provisioner.errors import CacheExpired, CacheNotFound, Interrupted
from provisioner.model import changes
from provisioner.model.attributes import Life, Ttl, Until
from provisioner.model.changes import Change
from provisioner.model.facts import Call, Dropped, Exists, Fact, Gone, Noted, Renamed, Retired
from provisioner.model.plan import Plan
from provisioner.model.records import (
    DesiredCache,
    LiveCache,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
)

MOST_CONTENT = 64 * 1024 * 1024
"""Bytes of content that creates hold at a time, as long as there are several."""

Read: TypeAlias = Callable[[DesiredCache], Awaitable[CacheContent]]
"""Returns the content of an entry, its digest checked again."""


class LockGone(Interrupted):
    """The run has lost its lock, so nothing is sent that takes a cache away."""

    def __init__(self) -> None:
        super().__init__("nothing is retired: this run has lost its lock")


def while_locked(renew_lock: Callable[[], Awaitable[bool]]) -> BeforeSending:
    """What raises LockGone before a call is sent, once *renew_lock* says that the lock is lost."""

    async def before() -> None:
        if not await renew_lock():
            raise LockGone

    return before


class Lifetime(TypedDict, total=False):
    """A life as a provider takes it: one of the two."""

    ttl: timedelta
    expires_at: datetime


class LiveCaches(Protocol):
    """What applying needs of a provider.  Raises nothing but `CacheError`."""

    async def create(
        self,
        content: CacheContent,
        *,
        model: str,
        label: str,
        known: Collection[str] = (),
        before: BeforeSending | None = None,
        **lifetime: Unpack[Lifetime],
    ) -> CachedContext: ...

    async def extend(
        self,
        handle: GeminiHandle,
        *,
        before: BeforeSending | None = None,
        **lifetime: Unpack[Lifetime],
    ) -> CachedContext: ...

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None: ...

    async def delete_cache(
        self, handle: GeminiHandle, *, before: BeforeSending | None = None
    ) -> None: ...


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
    read: Read
    listed: Collection[str]
    """Ids of the live caches that the plan lists: a lost answer has made none of them."""
    letters: Callable[[], str]
    """Four random letters for the label of one create and its retries."""
    before_create: BeforeSending | None = None
    before_extending: BeforeSending | None = None
    """For refreshes and adoptions: the cache may be another run's to retire by then."""
    before_retiring: BeforeSending | None = None
    """For calls that retire or delete."""
    budget: ContentBudget = field(default_factory=lambda: ContentBudget(MOST_CONTENT))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """To read content: one after the other, so that creates go out in the order of the plan."""

    async def create(self, want: DesiredCache) -> RecordedCache:
        label = replace(want.label, letters=self.letters())
        async with self.budget.take(want.measure.size):
            async with self.turn:
                content = await self.read(want)
            seen = await self.caches[want.provider].create(
                content,
                model=want.model,
                label=str(label),
                known=self.listed,
                before=self.before_create,
                **_lifetime(want.life),
            )
        return RecordedCache.of(want, LiveCache.of(want.provider, seen), counted=True)

    async def extend(self, want: DesiredCache, live: LiveCache) -> RecordedCache:
        seen = await self.caches[want.provider].extend(
            live.handle, before=self.before_extending, **_lifetime(want.life)
        )
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
        """Let *live* die *after* that long, or at once."""
        if after == timedelta():
            return await self.delete(live)
        caches = self.caches[live.provider]
        return await shorten(caches, live, after, self.plan, before=self.before_retiring)

    async def delete(self, live: LiveCache) -> Gone:
        caches = self.caches[live.provider]
        await caches.delete_cache(live.handle, before=self.before_retiring)
        return Gone(live.id)

    def retiring(self, change: Change) -> RetiringCache | None:
        """The old cache as it goes on the list: it lives at least until it may be retired."""
        old, record = change.old, change.record
        if old is None or not isinstance(record, RecordedCache):
            return None
        due = self.plan.now_of(record.provider) + record.retire_after
        return record.retiring(id_=old.id, until=min(old.expires_at, due))


async def shorten(
    caches: LiveCaches,
    live: LiveCache,
    after: timedelta,
    plan: Plan,
    *,
    before: BeforeSending | None,
) -> Retired | Gone:
    """Shorten the life of *live* to *after*; what dies sooner by itself needs no call."""
    if live.expires_at - plan.now_of(live.provider) <= after:
        return Retired(live.id, live.expires_at)
    try:
        seen = await caches.extend(live.handle, ttl=after, before=before)
    except (CacheNotFound, CacheExpired):
        return Gone(live.id)
    return Retired(live.id, seen.expires_at)


async def perform(change: Change, calls: ProviderCalls) -> AsyncGenerator[Fact, None]:
    """
    Change the world as *change* says; every fact is yielded the moment it is true.

    What makes or notes a cache comes first, and what retires the old one after it.
    """
    leaving = calls.retiring(change)
    match change:
        case changes.Create(want) | changes.Replace(want):
            yield Exists(await calls.create(want), leaving)
        case changes.Adopt(want, live) | changes.Refresh(want, live):
            yield Exists(await calls.renew(want, live), leaving)
        case changes.Note(want, _, record):
            measure = replace(want.measure, tokens=record.measure.tokens, counted=True)
            yield Noted(replace(record, settings=want.settings, measure=measure))
        case changes.Annotate(want):
            yield Noted(RecordedAnnotation.of(want, calls.plan.at), leaving)
        case changes.Move(name, record):
            yield Renamed(record.name, name)
        case changes.Retire(live, record):
            yield await calls.retire(live, record.retire_after)
        case changes.Delete(live):
            yield await calls.delete(live)
        case changes.Forget(record):
            if isinstance(record, RecordedAnnotation):
                yield Dropped(record.name)
            else:
                yield Gone(record.id)
        case changes.Keep() | changes.Leave() | changes.Blocked():
            return
        case _:
            assert_never(change)
    if change.old and leaving:
        yield await calls.retire(change.old, leaving.retire_after)


async def dry_run(change: Change, *, at: datetime) -> tuple[Call, ...]:
    """The calls that *change*, planned for the moment *at*, would make if all of them succeed."""
    recorder = _CallRecorder(at)
    calls = ProviderCalls(
        plan=Plan(stack="", at=at, changes=(change,), edits=frozenset()),
        caches=defaultdict(lambda: recorder),
        read=_nothing,
        listed=(),
        letters=str,
    )
    async for _ in perform(change, calls):
        pass
    return tuple(recorder.calls)


async def _nothing(want: DesiredCache) -> CacheContent:
    del want
    return CacheContent()


class _CallRecorder:
    """A provider that accepts every call, records it and does nothing."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.calls: list[Call] = []

    async def create(
        self,
        content: CacheContent,
        *,
        model: str,
        label: str,
        known: Collection[str] = (),
        before: BeforeSending | None = None,
        **lifetime: Unpack[Lifetime],
    ) -> CachedContext:
        del content, model, label, known, before
        return self._granted("POST", "cachedContents", lifetime, "cachedContents/new")

    async def extend(
        self,
        handle: GeminiHandle,
        *,
        before: BeforeSending | None = None,
        **lifetime: Unpack[Lifetime],
    ) -> CachedContext:
        del before
        return self._granted("PATCH", handle.cache_name, lifetime, handle.cache_name)

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None:
        raise AssertionError(f"{handle.cache_name} was extended")

    async def delete_cache(
        self, handle: GeminiHandle, *, before: BeforeSending | None = None
    ) -> None:
        del before
        self.calls.append(Call(method="DELETE", path=handle.cache_name))

    def _granted(
        self, method: Literal["POST", "PATCH"], path: str, lifetime: Lifetime, name: str
    ) -> CachedContext:
        life = Ttl(lifetime["ttl"]) if "ttl" in lifetime else Until(lifetime["expires_at"])
        self.calls.append(Call(method=method, path=path, life=life))
        end = life.end(self.at)
        return CachedContext(
            handle=GeminiHandle(name, end),
            created_at=self.at,
            updated_at=self.at,
            expires_at=end,
            token_count=0,
            model="",
            display_name="",
        )


def _lifetime(life: Life) -> Lifetime:
    match life:
        case Ttl(span):
            return {"ttl": span}
        case Until(moment):
            return {"expires_at": moment}
