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

from provisioner.applier.steps import (
    MOST_CONTENT,
    ContentBudget,
    LiveCaches,
    LockGone,
    ProviderCalls,
    Read,
    perform,
    while_locked,
)
from provisioner.errors import CacheError, CtxprovError, Interrupted
from provisioner.model.changes import Adopt, Change, Move, Refresh
from provisioner.model.facts import Done, Exists, Fact, Failed, NotAttempted, Outcome, Result
from provisioner.model.plan import Plan
from provisioner.model.records import RecordedCache

INTERRUPTED = "interrupted before its turn"
UNSHOWN = "the cache of this project that was made first does not show: check key and project"
HALF_WAY = "made and recorded; the next run retires the old cache"
_AT_ONCE = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


async def apply(
    plan: Plan,
    caches: Mapping[str, LiveCaches],
    read: Read,
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
    since the plan was made: they are performed first.  *renew_lock* is asked each time that the
    quota would let a call out which retires or deletes; none is sent once the lock is lost.  Once
    *stopping* says so nothing new begins, and what still waited is not sent.  An error that
    is not a `CacheError` is a bug: it cancels what is in flight.

    Of the names in *probing* one of each provider is made first; the others wait until a GET
    shows that cache, and are not attempted if it does not.  *probed* receives the answer.
    """
    made: dict[str, RecordedCache] = {}

    def note(fact: Fact) -> None:
        if isinstance(fact, Exists):
            made[fact.record.name] = fact.record
        record(fact)

    workers = _Workers(note, report, parallelism, stopping)
    turn = asyncio.Lock()

    async def before_create() -> None:
        async with turn:
            if changes := tuple(await due()):
                refreshing = replace(calls, before_create=None, budget=ContentBudget(MOST_CONTENT))
                refreshes = [_Attempt(change, perform(change, refreshing)) for change in changes]
                await workers.run(sorted(refreshes, key=_urgency), workers.make)
        await before_extending()

    async def before_extending() -> None:
        if stopping():
            raise Interrupted(INTERRUPTED)

    calls = ProviderCalls(
        plan,
        caches,
        read,
        _listed_ids(plan),
        letters,
        before_create,
        before_extending,
        while_locked(renew_lock),
    )
    attempts = [_Attempt(change, perform(change, calls)) for change in plan.changes if change.acts]
    makes = sorted((attempt for attempt in attempts if attempt.change.makes), key=_urgency)
    first, waiting = _apart(makes, probing)
    half_way = await workers.run(first, workers.make)
    if waiting:
        shown = await _shown(waiting, probing, made, calls, probed)
        half_way += await workers.run(waiting, lambda attempt: workers.make_after(attempt, shown))
    rest = [*half_way, *(attempt for attempt in attempts if not attempt.change.makes)]
    try:
        await publish()
    except CtxprovError as error:
        for attempt in rest:
            report(Result(attempt.change, NotAttempted(f"nothing is retired, because: {error}")))
        raise
    await workers.run(rest, workers.finish)


class _Attempt(Struct, frozen=True):
    change: Change
    facts: AsyncGenerator[Fact, None]


class _Workers(Struct, frozen=True):
    """Perform attempts, a few at a time, and report how each ends."""

    record: Callable[[Fact], None]
    report: Callable[[Result], None]
    parallelism: int
    stopping: Callable[[], bool]

    async def run(
        self, attempts: Sequence[_Attempt], step: Callable[[_Attempt], Awaitable[bool]]
    ) -> list[_Attempt]:
        """Take a *step* of each attempt; return those that are not at their end."""
        queue = iter(attempts)
        unfinished: list[_Attempt] = []

        async def serve() -> None:
            unfinished.extend([attempt for attempt in queue if await step(attempt)])

        async with asyncio.TaskGroup() as group:
            for _ in attempts[: self.parallelism]:
                group.create_task(serve())
        return unfinished

    async def make(self, attempt: _Attempt) -> bool:
        """Go as far as the first fact; True if there is an old cache still to retire."""
        if self.stopping():
            return self._end(attempt, NotAttempted(INTERRUPTED))
        try:
            self.record(await anext(attempt.facts))
        except Interrupted:
            return self._end(attempt, NotAttempted(INTERRUPTED))
        except CacheError as error:
            return self._end(attempt, Failed(error))
        return attempt.change.old is not None or self._end(attempt, Done())

    async def make_after(self, attempt: _Attempt, shown: Collection[str]) -> bool:
        """The same, if the probe of its provider is *shown*."""
        if attempt.change.provider in shown:
            return await self.make(attempt)
        return self._end(attempt, NotAttempted(UNSHOWN, refused=True))

    async def finish(self, attempt: _Attempt) -> bool:
        """Go on to the end."""
        why = HALF_WAY if attempt.change.makes else INTERRUPTED
        try:
            async with aclosing(attempt.facts):
                if self.stopping():
                    return self._end(attempt, NotAttempted(why))
                async for fact in attempt.facts:
                    self.record(fact)
        except LockGone as gone:
            return self._end(attempt, NotAttempted(str(gone)))
        except Interrupted:
            return self._end(attempt, NotAttempted(why))
        except CacheError as error:
            return self._end(attempt, Failed(error))
        return self._end(attempt, Done())

    def _end(self, attempt: _Attempt, outcome: Outcome) -> bool:
        self.report(Result(attempt.change, outcome))
        return False


def _apart(
    attempts: Iterable[_Attempt], probing: Collection[str]
) -> tuple[list[_Attempt], list[_Attempt]]:
    """What begins at once, the first of *probing* in each provider included, and what waits."""
    first: list[_Attempt] = []
    waiting: list[_Attempt] = []
    probed: set[str] = set()
    for attempt in attempts:
        name, provider = attempt.change.name, attempt.change.provider
        waits = name in probing and provider in probed
        if name in probing:
            probed.add(provider)
        (waiting if waits else first).append(attempt)
    return first, waiting


async def _shown(
    waiting: Iterable[_Attempt],
    probing: Collection[str],
    made: Mapping[str, RecordedCache],
    calls: ProviderCalls,
    probed: Callable[[str, bool], None],
) -> frozenset[str]:
    """The providers that show what was made first in them."""
    shown = set()
    for provider in sorted({attempt.change.provider for attempt in waiting}):
        made_here = (made[name] for name in probing if name in made)
        probe = next((record for record in made_here if record.provider == provider), None)
        if probe is None:
            continue
        try:
            is_shown = await calls.shows(probe)
        except CacheError:
            continue  # nothing is proven; the next run looks again
        probed(provider, is_shown)
        if is_shown:
            shown.add(provider)
    return frozenset(shown)


def _urgency(attempt: _Attempt) -> datetime:
    """After names, what keeps a live cache from dying, the nearest expiry first."""
    match attempt.change:
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
