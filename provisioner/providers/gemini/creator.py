"""
Creates, each carried out once, even if its answers are lost.

Decides when a create may be sent again: never blindly, because the server makes a second
cache of a second request.  After a lost answer the next try waits for its permit first;
then the list and the second request go out as one unit under that permit, so that the list
is as young as it can be.

Decides too which listed cache an unanswered create has made, by the whole label.  A label that
ends in letters of one create's own is proof by itself; of one that several creates may share,
the cache's age and the caches seen before decide as well.  The model that a server reports is
never asked.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, TypeAlias

from msgspec import Struct

from provisioner.cache import BeforeSending, CachedContext
from provisioner.errors import CacheError, Interrupted, NetworkError, ParseError
from provisioner.providers.gemini import wire
from provisioner.providers.gemini.api import (
    ApiRequest,
    FailedRequest,
    GeminiApi,
    cleared,
    read_cache,
)
from provisioner.providers.gemini.governor import ApiVerb, Permit
from provisioner.providers.gemini.refusals import of_creation
from provisioner.runtime import Runtime

if TYPE_CHECKING:
    from provisioner.providers.gemini import CacheIndex

_LATE: Final = 1.0
"""Seconds that a server gets at least to finish what it did not answer, before it is listed."""
_SETTLED_WITHIN: Final = 10.0
"""Seconds that closing waits for creates whose callers have gone."""
_SKEW: Final = timedelta(seconds=30)
"""How far the server's clocks may lie apart from each other and from ours."""

_LETTERS: Final = re.compile(r".*~[A-Za-z]{4}", re.ASCII | re.DOTALL)

_Search: TypeAlias = Callable[[list[CachedContext], datetime | None], CachedContext | None]


class CacheCreator:
    """The creates of one client."""

    def __init__(self, api: GeminiApi, index: CacheIndex) -> None:
        self._api = api
        self._index = index
        self._clock = api.runtime.now
        self._unanswered: Counter[str] = Counter()
        """How many requests went out under a label that may still make a cache."""
        self._ensuring: dict[str, asyncio.Task[CachedContext]] = {}

    @property
    def uncertain_labels(self) -> frozenset[str]:
        """Labels under which a request went out that may make a cache besides ours."""
        return frozenset(label for label in self._unanswered if label)

    async def make(
        self,
        request: ApiRequest,
        *,
        label: str,
        old_names: Collection[str],
        before: BeforeSending | None,
    ) -> CachedContext:
        """Make one cache; *before* is awaited under each permit.  Raises CacheError."""
        pending = PendingCreate(
            label=label, old_names=old_names, at=self._clock(), index_size=len(self._index)
        )

        def search(caches: list[CachedContext], server: datetime | None) -> CachedContext | None:
            here = self._clock()
            return pending.cache_among(caches, self._index, now=here, server_now=server or here)

        return await self._make(
            _Creation(request=request, label=label, search=search, before=before)
        )

    async def ensure(self, request: ApiRequest, *, label: str) -> CachedContext:
        """
        Take what lives under *label*, or make it.

        A caller who is cancelled cancels nothing: the next one takes what comes of it.
        """
        task = self._ensuring.get(label)
        if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
            creation = _Creation(
                request=request,
                label=label,
                search=lambda caches, _: living_under(label, caches),
                looks_first=True,
            )
            task = asyncio.ensure_future(self._make(creation))
            task.add_done_callback(_retrieved)
            self._ensuring[label] = task
        return await asyncio.shield(task)

    async def settle(self) -> None:
        """Wait a while for creates whose callers have gone, then cancel them."""
        here = asyncio.get_running_loop()
        tasks = [task for task in self._ensuring.values() if task.get_loop() is here]
        self._ensuring.clear()
        if waiting := [task for task in tasks if not task.done()]:
            _, late = await asyncio.wait(waiting, timeout=_SETTLED_WITHIN)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _make(self, creation: _Creation) -> CachedContext:
        if creation.looks_first and creation.label in self._unanswered:
            await self._api.governor.pause(_LATE)
        try:
            made = await self._api.persist(lambda: self._attempt(creation))
        except CacheError as error:
            if creation.is_blind:
                raise
            made = await self._last_look(creation, error)
        return self._index.claim(made)

    async def _attempt(self, creation: _Creation) -> CachedContext:
        """One try.  Raises a FailedRequest only where another try makes no second cache."""
        async with self._api.permit(ApiVerb.CREATE) as permit:
            await cleared(permit, creation.before)
            if creation.lost or creation.looks_first:
                if made := await self._look(creation):
                    permit.unused()
                    return made
                permit.begin()
            return await self._send(creation, permit)

    async def _send(self, creation: _Creation, permit: Permit) -> CachedContext:
        self._unanswered[creation.label] += 1
        try:
            made = await self._api.once(creation.request, read_cache, permit)
        except FailedRequest as failed:
            if not failed.maybe_done:
                self._answered(creation.label)
                raise
            creation.lost, failed.least_pause = failed, _LATE
            if creation.label:
                raise
            creation.is_blind = True
            self._answered(creation.label)
            why = "and without a label there is nothing to look for"
            raise _unknown(failed, why) from failed
        self._answered(creation.label)
        return made

    async def _look(self, creation: _Creation) -> CachedContext | None:
        """Whether a create without an answer has made its cache all the same."""
        try:
            listing = await self._api.list_caches()
            _check_readable(listing, creation.label)
        except CacheError as error:
            if creation.lost is None:
                raise
            creation.is_blind = True
            why = f"and the caches cannot be listed: {error}"
            raise _unknown(creation.lost, why) from error
        if made := creation.search(listing.caches, listing.at):
            self._answered(creation.label)
        return made

    async def _last_look(self, creation: _Creation, error: CacheError) -> CachedContext:
        """Look once more after the last try, if the outcome of any is unknown; or raise *error*."""
        if creation.lost:
            if isinstance(error, Interrupted):
                raise creation.lost.error from error
            await self._api.governor.pause(_LATE)
            if made := await self._look(creation):
                return made
        raise of_creation(error) from error.__cause__

    def _answered(self, label: str) -> None:
        """One request under *label* is accounted for."""
        self._unanswered[label] -= 1
        if self._unanswered[label] <= 0:
            del self._unanswered[label]


class _Creation(Struct, kw_only=True):
    """One cache on its way."""

    request: ApiRequest
    label: str
    search: _Search
    before: BeforeSending | None = None
    looks_first: bool = False
    lost: FailedRequest | None = None
    """The last try whose outcome is unknown."""
    is_blind: bool = False
    """There is no way to find out."""


def _check_readable(listing: wire.CacheListing, label: str) -> None:
    """Raise ParseError if a cache of this *label* is there and cannot be read."""
    for cache in listing.skipped:
        if label and cache.label == label:
            raise ParseError(
                f"the cache labelled {label} is listed and cannot be read: {cache.reason}"
            )


def _unknown(failed: FailedRequest, why: str) -> NetworkError:
    return NetworkError(
        f"it is unknown whether the cache was made: {failed.error}; {why}",
        status=failed.error.status,
        words=failed.error.words,
    )


def _retrieved(task: asyncio.Task[CachedContext]) -> None:
    """Retrieve a failure that no caller waits for any more, so that asyncio logs nothing."""
    if not task.cancelled():
        task.exception()


def label_of_its_own(runtime: Runtime) -> str:
    """A label for one create of the library; by its grammar it is no stack's."""
    return f"library:{runtime.token(8)}~{runtime.letters()}"


def is_of_one_create(label: str) -> bool:
    """Whether *label* ends in the letters that one create gives to itself alone."""
    return bool(_LETTERS.fullmatch(label))


class PendingCreate(Struct, frozen=True, kw_only=True):
    """A create without an answer: what its cache is recognised by."""

    label: str
    old_names: Collection[str]
    """Names of caches that were there before."""
    at: datetime
    """By the clock of the client."""
    index_size: int
    """How many caches the client's index had by then."""

    def cache_among(
        self,
        caches: Iterable[CachedContext],
        index: CacheIndex,
        *,
        now: datetime,
        server_now: datetime,
    ) -> CachedContext | None:
        """The newest cache that only this create can have made, if there is one."""
        ours = [
            cache
            for cache in caches
            if cache.display_name == self.label
            and cache.handle.cache_name not in self.old_names
            and index.may_be_new(cache.handle.cache_name, self.index_size)
            and (is_of_one_create(self.label) or self._is_recent(cache, now, server_now))
        ]
        return max(ours, key=lambda cache: cache.created_at, default=None)

    def _is_recent(self, cache: CachedContext, now: datetime, server_now: datetime) -> bool:
        earliest = server_now - (now - self.at) - _SKEW
        return cache.created_at >= earliest and not cache.is_expired(server_now)


def living_under(label: str, caches: Iterable[CachedContext]) -> CachedContext | None:
    """The listed cache of exactly this *label* that lives longest, if there is one."""
    ours = [cache for cache in caches if cache.display_name == label]
    return max(ours, key=lambda cache: cache.expires_at, default=None)
