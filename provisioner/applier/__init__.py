"""
Carry out a plan: make, publish, retire.

First everything that creates, refreshes, adopts or writes down, in parallel; then the
state is saved and the handles are published; only then is anything retired or deleted.
Each change is a stream of facts, yielded the moment they are true.  A change that fails
stops itself and nothing else.  The applier knows neither files nor clocks, and nothing else
runs changes side by side.
"""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from provisioner.applier.dry_run import dry_run
from provisioner.applier.steps import MOST_CONTENT, ContentBudget, LiveCaches, Steps, perform
from provisioner.applier.surplus import retire_surplus
from provisioner.cache import CacheContent
from provisioner.errors import CacheError, CtxprovError, Interrupted
from provisioner.model import (
    Adopt,
    Change,
    DesiredCache,
    Done,
    Exists,
    Fact,
    Failed,
    Move,
    NotAttempted,
    Outcome,
    Plan,
    RecordedCache,
    Refresh,
    Result,
)

__all__ = ["LiveCaches", "apply", "dry_run", "retire_surplus"]

INTERRUPTED = "interrupted before its turn"
UNSHOWN = "the cache of this project that was made first does not show: check key and project"
LOST = "nothing is retired: this run has lost its lock"
HALF_WAY = "made and recorded; the next run retires the old cache"
_AT_ONCE = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


async def apply(
    plan: Plan,
    caches: Mapping[str, LiveCaches],
    read: Callable[[DesiredCache], CacheContent],
    record: Callable[[Fact], None],
    publish: Callable[[], Awaitable[None]],
    report: Callable[[Result], None],
    *,
    letters: Callable[[], str],
    due: Callable[[], Awaitable[Iterable[Refresh]]],
    parallelism: int,
    stopping: Callable[[], bool],
    renew_lock: Callable[[], Awaitable[bool]],
    probing: Collection[str] = (),
    probed: Callable[[str, bool], None] = lambda _provider, _shown: None,
) -> None:
    """
    Perform *plan*, at most *parallelism* changes at a time.

    *caches* holds each provider by its name; *read* returns the content of an entry, its
    digest checked again; *letters* returns four random letters, which end the label of one
    create; *record* receives every fact and *report* how each change ended; *publish* saves
    the state and writes the handles.  If it raises, nothing is retired and its error is
    raised here.  *due* is asked before each create, and returns the refreshes that came due
    since the plan was made: they are performed first.  *renew_lock* is asked immediately before
    each cache is retired or deleted, which is not attempted if the lock is lost.  Once *stopping*
    says so nothing new begins.  An error that is not a `CacheError` is a bug: it cancels what is
    in flight.

    Of the names in *probing* one of each provider is made first; the others wait until a GET
    shows that cache, and are not attempted if it does not.  *probed* receives the answer.
    """
    made: dict[str, RecordedCache] = {}

    def note(fact: Fact) -> None:
        if isinstance(fact, Exists):
            made[fact.record.name] = fact.record
        record(fact)

    workers = _Workers(note, report, parallelism, stopping, renew_lock)
    turn = asyncio.Lock()

    async def before_create() -> None:
        async with turn:
            if changes := tuple(await due()):
                refreshing = replace(steps, before_create=None, budget=ContentBudget(MOST_CONTENT))
                refreshes = [_Work(change, perform(change, refreshing)) for change in changes]
                await workers.run(sorted(refreshes, key=_urgency), workers.make)

    steps = Steps(plan, caches, read, _listed_ids(plan), letters, before_create)
    works = [_Work(change, perform(change, steps)) for change in plan.changes if change.acts]
    makes = sorted((work for work in works if work.change.makes), key=_urgency)
    first, waiting = _apart(makes, probing)
    half_way = await workers.run(first, workers.make)
    if waiting:
        shown = await _shown(waiting, probing, made, steps, probed)
        half_way += await workers.run(waiting, lambda work: workers.make_after(work, shown))
    rest = [*half_way, *(work for work in works if not work.change.makes)]
    try:
        await publish()
    except CtxprovError as error:
        for work in rest:
            report(Result(work.change, NotAttempted(f"nothing is retired, because: {error}")))
        raise
    await workers.run(rest, workers.finish)


class _Work(Struct, frozen=True):
    change: Change
    facts: AsyncGenerator[Fact, None]


class _Workers(Struct, frozen=True):
    """Perform works, a few at a time, and report how each ends."""

    record: Callable[[Fact], None]
    report: Callable[[Result], None]
    parallelism: int
    stopping: Callable[[], bool]
    renew_lock: Callable[[], Awaitable[bool]]

    async def run(
        self, works: Sequence[_Work], step: Callable[[_Work], Awaitable[bool]]
    ) -> list[_Work]:
        """Take a *step* of each work; return those that are not at their end."""
        queue = iter(works)
        unfinished: list[_Work] = []

        async def serve() -> None:
            unfinished.extend([work for work in queue if await step(work)])

        async with asyncio.TaskGroup() as group:
            for _ in works[: self.parallelism]:
                group.create_task(serve())
        return unfinished

    async def make(self, work: _Work) -> bool:
        """Go as far as the first fact; True if there is an old cache still to retire."""
        if self.stopping():
            return self._end(work, NotAttempted(INTERRUPTED))
        try:
            self.record(await anext(work.facts))
        except Interrupted:
            return self._end(work, NotAttempted(INTERRUPTED))
        except CacheError as error:
            return self._end(work, Failed(error))
        return work.change.old is not None or self._end(work, Done())

    async def make_after(self, work: _Work, shown: Collection[str]) -> bool:
        """The same, if the probe of its provider is *shown*."""
        if work.change.provider in shown:
            return await self.make(work)
        return self._end(work, NotAttempted(UNSHOWN, refused=True))

    async def finish(self, work: _Work) -> bool:
        """Go on to the end."""
        try:
            async with aclosing(work.facts):
                if self.stopping():
                    why = HALF_WAY if work.change.makes else INTERRUPTED
                    return self._end(work, NotAttempted(why))
                if not await self.renew_lock():
                    return self._end(work, NotAttempted(LOST))
                async for fact in work.facts:
                    self.record(fact)
        except Interrupted:
            return self._end(work, NotAttempted(HALF_WAY if work.change.makes else INTERRUPTED))
        except CacheError as error:
            return self._end(work, Failed(error))
        return self._end(work, Done())

    def _end(self, work: _Work, outcome: Outcome) -> bool:
        self.report(Result(work.change, outcome))
        return False


def _apart(works: Iterable[_Work], probing: Collection[str]) -> tuple[list[_Work], list[_Work]]:
    """What begins at once, the first of *probing* in each provider included, and what waits."""
    first: list[_Work] = []
    waiting: list[_Work] = []
    probed: set[str] = set()
    for work in works:
        name, provider = work.change.name, work.change.provider
        waits = name in probing and provider in probed
        if name in probing:
            probed.add(provider)
        (waiting if waits else first).append(work)
    return first, waiting


async def _shown(
    waiting: Iterable[_Work],
    probing: Collection[str],
    made: Mapping[str, RecordedCache],
    steps: Steps,
    probed: Callable[[str, bool], None],
) -> frozenset[str]:
    """The providers that show what was made first in them."""
    shown = set()
    for provider in sorted({work.change.provider for work in waiting}):
        probes = [
            made[name] for name in probing if name in made and made[name].provider == provider
        ]
        try:
            is_shown = bool(probes) and await steps.shows(probes[0])
        except CacheError:
            continue  # nothing is proven; the next run looks again
        if probes:
            probed(provider, is_shown)
        if is_shown:
            shown.add(provider)
    return frozenset(shown)


def _urgency(work: _Work) -> datetime:
    """After names, what keeps a live cache from dying, the nearest expiry first."""
    match work.change:
        case Move():
            return _AT_ONCE
        case Refresh(live=cache) | Adopt(live=cache):
            return cache.expires_at
        case _:
            return _NEVER


def _listed_ids(plan: Plan) -> frozenset[str]:
    """Ids of the live caches that the plan lists: what a lost answer cannot have made."""
    seen = (cache for change in plan.changes for cache in (change.live, change.old))
    return frozenset(cache.id for cache in seen if cache)
