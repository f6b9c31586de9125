"""
Creates, each carried out once whatever happens to its answers.

Decides when a create may be sent again: never blindly, because the server makes a second
cache of a second request.  After a lost answer the next try waits for its permit first;
then the list and the second request go out as one unit under that permit, so that the list
is as young as it can be.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from provisioner.cache import CachedContext
from provisioner.errors import CacheError, Interrupted, NetworkError, ParseError
from provisioner.providers.gemini import wire
from provisioner.providers.gemini.governor import Permit, Verb
from provisioner.providers.gemini.listing import Drained, Listing
from provisioner.providers.gemini.recovery import CacheIndex, Sent, living_under
from provisioner.providers.gemini.refusals import of_creation
from provisioner.providers.gemini.transport import Answer, Failed, Line, Request

_LATE: Final = 1.0
"""Seconds that a server gets at least to finish what it did not answer, before it is listed."""
_SETTLED_WITHIN: Final = 10.0
"""Seconds that closing waits for creates whose callers have gone."""

_Search = Callable[[list[CachedContext], datetime | None], CachedContext | None]


class Creations:
    """Those of one client."""

    def __init__(
        self,
        line: Line,
        listing: Listing,
        acquaintances: CacheIndex,
        clock: Callable[[], datetime],
    ) -> None:
        self._line = line
        self._listing = listing
        self._acquaintances = acquaintances
        self._clock = clock
        self._unanswered: Counter[str] = Counter()
        """How many requests went out under a label that may still make a cache."""
        self._ensuring: dict[str, asyncio.Task[CachedContext]] = {}

    @property
    def uncertain_labels(self) -> frozenset[str]:
        """Labels under which a request went out that may make a cache besides ours."""
        return frozenset(label for label in self._unanswered if label)

    async def make(
        self,
        request: Request,
        *,
        label: str,
        known: Collection[str],
        before: Callable[[], Awaitable[None]] | None,
    ) -> CachedContext:
        """Make one cache; *before* is awaited under each permit.  Raises CacheError."""
        sent = Sent(label=label, known=known, at=self._clock(), met=len(self._acquaintances))

        def search(caches: list[CachedContext], server: datetime | None) -> CachedContext | None:
            here = self._clock()
            return sent.found_in(caches, self._acquaintances, now=here, server_now=server or here)

        return await self._make(
            _Creation(request=request, label=label, search=search, before=before)
        )

    async def ensure(self, request: Request, *, label: str) -> CachedContext:
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
            await self._line.rest(_LATE)
        try:
            made = await self._line.persist(lambda: self._attempt(creation))
        except CacheError as error:
            late = None if creation.is_blind else await self._last_look(creation, error)
            if not late:
                raise error if creation.is_blind else of_creation(error) from error.__cause__
            made = late
        return self._acquaintances.claim(made)

    async def _attempt(self, creation: _Creation) -> CachedContext:
        """One try.  Raises a Failed only where another try makes no second cache."""
        async with self._line.permit(Verb.CREATE) as permit:
            if creation.before:
                await creation.before()
                permit.begin()
            if creation.lost or creation.looks_first:
                if made := await self._look(creation):
                    permit.unused()
                    return made
                permit.begin()
            return await self._send(creation, permit)

    async def _send(self, creation: _Creation, permit: Permit) -> CachedContext:
        self._unanswered[creation.label] += 1
        try:
            made = await self._line.once(creation.request, _context, permit)
        except Failed as failed:
            creation.lost = failed if failed.maybe_done else creation.lost
            if not failed.maybe_done:
                self._answered(creation.label)
            elif not creation.label:
                creation.is_blind = True
                self._answered(creation.label)
                raise _unknown(
                    failed, "and without a label there is nothing to look for"
                ) from failed
            raise Failed(
                of_creation(failed.error),
                maybe_done=failed.maybe_done,
                is_quota=failed.is_quota,
                least_pause=_LATE if failed.maybe_done else 0.0,
            ) from failed.__cause__
        self._answered(creation.label)
        return made

    async def _look(self, creation: _Creation) -> CachedContext | None:
        """Whether a create without an answer has made its cache all the same."""
        try:
            drained = await self._listing.drain()
            _check_readable(drained, creation.label)
        except CacheError as error:
            if creation.lost is None:
                raise
            creation.is_blind = True
            why = f"and the caches cannot be listed: {error}"
            raise _unknown(creation.lost, why) from error
        if made := creation.search(drained.caches, drained.at):
            self._answered(creation.label)
        return made

    async def _last_look(self, creation: _Creation, error: CacheError) -> CachedContext | None:
        """Look once more after the last try, if the outcome of any is unknown."""
        if creation.lost is None:
            return None
        if isinstance(error, Interrupted):
            raise creation.lost.error from error
        await self._line.rest(_LATE)
        return await self._look(creation)

    def _answered(self, label: str) -> None:
        """One request under *label* is accounted for."""
        self._unanswered[label] -= 1
        if self._unanswered[label] <= 0:
            del self._unanswered[label]


@dataclass(slots=True, kw_only=True)
class _Creation:
    """One cache on its way."""

    request: Request
    label: str
    search: _Search
    before: Callable[[], Awaitable[None]] | None = None
    looks_first: bool = False
    lost: Failed | None = None
    """The last try whose outcome is unknown."""
    is_blind: bool = False
    """There is no way to find out."""


def _check_readable(drained: Drained, label: str) -> None:
    """Raise ParseError if a cache of this *label* is there and cannot be read."""
    for one in drained.skipped:
        if label and one.label == label:
            raise ParseError(f"the cache labelled {label} is listed and cannot be read: {one.why}")


def _unknown(failed: Failed, why: str) -> NetworkError:
    return NetworkError(
        f"it is unknown whether the cache was made: {failed.error}; {why}",
        status=failed.error.status,
        words=failed.error.words,
    )


def _context(answer: Answer) -> CachedContext:
    return wire.read_context(answer.json)


def _retrieved(task: asyncio.Task[CachedContext]) -> None:
    """Take note of a failure that no caller waits for any more, so that asyncio logs nothing."""
    if not task.cancelled():
        task.exception()
