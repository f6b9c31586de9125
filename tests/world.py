"""
A world to plan and apply in: a provider in memory, a state that may be lost, a clock.

`MemoryCaches` is a whole implementation of what the applier needs, and passes the same
promises as the real one; `Cut` stands between and loses answers or kills the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count, product
from string import ascii_lowercase

from provisioner.applier import apply
from provisioner.applier.steps import LiveCaches
from provisioner.cache import BeforeSending, CacheContent, CachedContext, GeminiHandle, TextPart
from provisioner.errors import CacheNotFound, NetworkError, StateError
from provisioner.model.changes import Refresh
from provisioner.model.facts import Fact, Result, State
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, DesiredCache, LiveCache, RecordedCache
from provisioner.planner import plan
from provisioner.planner.brake import (
    brakes,
    held_back,
    noted,
    probing,
)
from provisioner.state.draft import Draft
from tests.builders import HOUR, NOW, STACK


class Killed(BaseException):
    """The process dies here."""


@dataclass
class MemoryCaches:
    """A provider that lives in this program; `written` is every id that a caller had it touch."""

    now: Callable[[], datetime]
    caches: dict[str, CachedContext] = field(default_factory=dict)
    created: list[str] = field(default_factory=list)
    harmed: set[str] = field(default_factory=set)
    """Ids that were deleted, or whose life was shortened."""
    _ids: Iterator[int] = field(default_factory=lambda: count(1))

    def alive(self) -> dict[str, CachedContext]:
        return {id_: seen for id_, seen in self.caches.items() if seen.expires_at > self.now()}

    async def list(self) -> list[CachedContext]:
        return list(self.alive().values())

    async def create(
        self,
        content: CacheContent,
        *,
        model: str,
        label: str,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        known: Collection[str] = (),
        before: BeforeSending | None = None,
    ) -> CachedContext:
        if before:
            await before()
        del content, known
        handle = GeminiHandle(f"cachedContents/{next(self._ids)}")
        seen = CachedContext(
            handle=handle,
            model=model,
            display_name=label,
            created_at=self.now(),
            updated_at=self.now(),
            expires_at=expires_at or self.now() + (ttl or timedelta()),
            token_count=5_000,
        )
        self.caches[handle.cache_name] = seen
        self.created.append(handle.cache_name)
        return seen

    async def extend(
        self,
        handle: GeminiHandle,
        *,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        before: BeforeSending | None = None,
    ) -> CachedContext:
        if before:
            await before()
        seen = self.alive().get(handle.cache_name)
        if seen is None:
            raise CacheNotFound(handle)
        end = expires_at or self.now() + (ttl or timedelta())
        if end < seen.expires_at:
            self.harmed.add(handle.cache_name)
        after = replace(seen, updated_at=self.now(), expires_at=end)
        self.caches[handle.cache_name] = after
        return after

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None:
        return self.alive().get(handle.cache_name)

    async def delete_cache(
        self, handle: GeminiHandle, *, before: BeforeSending | None = None
    ) -> None:
        if before:
            await before()
        self.harmed.add(handle.cache_name)
        self.caches.pop(handle.cache_name, None)


@dataclass
class Cut:
    """Does what it is asked, and at the nth call loses the answer, or dies."""

    inner: MemoryCaches
    calls_left: int
    loss: Callable[[], BaseException]

    def _answer(self, seen: CachedContext) -> CachedContext:
        self.calls_left -= 1
        if self.calls_left == 0:
            raise self.loss()
        return seen

    async def create(
        self,
        content: CacheContent,
        *,
        model: str,
        label: str,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        known: Collection[str] = (),
        before: BeforeSending | None = None,
    ) -> CachedContext:
        return self._answer(
            await self.inner.create(
                content,
                model=model,
                label=label,
                ttl=ttl,
                expires_at=expires_at,
                known=known,
                before=before,
            )
        )

    async def extend(
        self,
        handle: GeminiHandle,
        *,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        before: BeforeSending | None = None,
    ) -> CachedContext:
        return self._answer(
            await self.inner.extend(handle, ttl=ttl, expires_at=expires_at, before=before)
        )

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None:
        return await self.inner.get_cache(handle)

    async def delete_cache(
        self, handle: GeminiHandle, *, before: BeforeSending | None = None
    ) -> None:
        await self.inner.delete_cache(handle, before=before)
        self.calls_left -= 1
        if self.calls_left == 0:
            raise self.loss()


async def nothing_due() -> Iterable[Refresh]:
    return ()


def lost_answer() -> NetworkError:
    return NetworkError("the connection broke", retryable=True)


@dataclass
class World:
    """One stack's world between runs."""

    now: datetime = NOW
    saved: State = field(default_factory=lambda: State(stack=STACK))
    published: Mapping[str, object] = field(default_factory=dict)
    results: list[Result] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    lists_the_dead: bool = False
    """Whether a LIST still shows what has expired."""

    def __post_init__(self) -> None:
        self.remote = MemoryCaches(lambda: self.now)
        self.letters = ("".join(four) for four in product(ascii_lowercase, repeat=4))

    def live(self) -> tuple[LiveCache, ...]:
        listed = self.remote.caches if self.lists_the_dead else self.remote.alive()
        return tuple(LiveCache.of("gemini", seen) for seen in listed.values())

    def plan(
        self,
        manifest: Iterable[Desired],
        *,
        prune: bool = False,
        destroy: bool = False,
        replace: Collection[str] = (),
    ) -> Plan:
        return plan(
            manifest,
            self.saved,
            self.live(),
            stack=STACK,
            now=self.now,
            prune=prune,
            destroy=destroy,
            replace=replace,
        )

    def run(
        self,
        manifest: Iterable[Desired],
        *,
        wrap: Callable[[MemoryCaches], LiveCaches] = lambda remote: remote,
        save_fails: bool = False,
        saved_facts: int | None = None,
        prune: bool = False,
        destroy: bool = False,
        replace: Collection[str] = (),
        braked: bool = False,
        parallelism: int = 1,
    ) -> Plan:
        """
        Plan and apply once; if *braked*, held back where many caches are missing together.

        With `save_fails` the state cannot be written.  If the run is killed, the state on
        disk holds the first `saved_facts` facts, or what publishing saved, if that is more.
        """
        told = self.plan(manifest, prune=prune, destroy=destroy, replace=replace)
        found = brakes(told, self.saved, self.live(), accepted=()) if braked else ()
        told = held_back(told, found, lambda _: "held back")
        draft = Draft(self.saved)
        draft.note(disappeared=noted(self.saved, found))
        facts = count(1)

        def record(fact: Fact) -> None:
            draft.fold(fact)
            self.events.append(type(fact).__name__)
            if saved_facts is not None and next(facts) <= saved_facts and not save_fails:
                self.saved = draft.state()

        async def read(want: DesiredCache) -> CacheContent:
            return CacheContent(parts=(TextPart(want.digest),))

        async def publish() -> None:
            if save_fails:
                raise StateError("the disk is full")
            self.saved = draft.state()
            self.events.append("published")

        async def once() -> None:
            await apply(
                told,
                {"gemini": wrap(self.remote)},
                read,
                record,
                publish,
                self.results.append,
                letters=lambda: next(self.letters),
                due=nothing_due,
                parallelism=parallelism,
                stopping=lambda: False,
                renew_lock=held,
                probing=probing(found),
            )

        self.results.clear()
        asyncio.run(once())
        self.saved = draft.state()
        return told

    def owned(self) -> set[str]:
        """Ids on record, retiring ones included."""
        records = self.saved.caches.values()
        return {r.id for r in records if isinstance(r, RecordedCache)} | set(self.saved.retiring)


async def held() -> bool:
    """A lock that is never lost."""
    return True


def gemini_names(manifest: Iterable[Desired]) -> set[str]:
    return {want.name for want in manifest if isinstance(want, DesiredCache)}


def outcomes(world: World) -> list[tuple[str, type]]:
    """How each change of the last runs ended."""
    return [(type(r.change).__name__, type(r.outcome)) for r in world.results]


def lived(*manifests: list[Desired], hours: float = 0) -> World:
    """A world that applied each of *manifests*, and *hours* passed after each."""
    world = World()
    for manifest in manifests:
        world.run(manifest)
        world.now += hours * HOUR
    return world
