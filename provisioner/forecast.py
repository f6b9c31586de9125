"""
A simulated future: what a schedule will do with a stack, decided by the real planner.

Every cache is made at the start; then runs come at their interval, some of them missed, and
each plans and carries out what it plans.  No provider is asked, no clock is read; chance
comes from a seed, so the same question has the same answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.attributes import Ttl
from provisioner.model.changes import Create, Refresh
from provisioner.model.facts import State
from provisioner.model.money import Spent
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, DesiredCache, LiveCache, RecordedCache
from provisioner.planner import plan
from provisioner.planner.hypothetical import as_if_applied
from provisioner.pricing.costs import Grant, spent
from provisioner.pricing.rates import Lookup

_SEED = 1


class Outlook(Struct, frozen=True, kw_only=True):
    """What becomes of one cache."""

    name: str
    refreshes: int
    creations: int
    """Besides the first."""
    cold: timedelta
    """How long no application can use it."""
    spent: Spent


class Forecast(Struct, frozen=True, kw_only=True):
    """What becomes of a stack."""

    runs: int
    missed: int
    outlooks: tuple[Outlook, ...]


class Tolerance(Struct, frozen=True, kw_only=True):
    """How a schedule fits the cache that needs it most."""

    name: str
    ttl: timedelta
    window: timedelta
    """Between two runs no more time may pass, or the cache can go cold."""

    def holds(self, every: timedelta) -> bool:
        return every <= self.window


def tolerance(desired: Iterable[Desired]) -> Tolerance | None:
    """The warm cache with the shortest window; None if nothing is kept warm."""
    tolerances = [
        Tolerance(name=want.name, ttl=want.life.span, window=want.settings.window(want.life.span))
        for want in desired
        if isinstance(want, DesiredCache)
        and isinstance(want.life, Ttl)
        and want.settings.keep == "warm"
    ]
    return min(tolerances, key=lambda one: (one.window, one.name), default=None)


def forecast(
    desired: tuple[Desired, ...],
    *,
    stack: str,
    now: datetime,
    span: timedelta,
    every: timedelta,
    miss_rate: float,
    lookup: Lookup,
) -> Forecast:
    """
    Let *span* pass from *now* on, with a run *every* so often.

    Each run is missed with the probability *miss_rate*, from 0 to 1.
    """
    state, live = as_if_applied(desired, stack=stack, now=now)
    world = _World(stack=stack, state=state, live={cache.id: cache for cache in live})
    chance = Random(_SEED)  # noqa: S311  # repeatable on purpose
    moments = list(_moments(now, span, every))
    missed = 0
    for moment in moments:
        if chance.random() < miss_rate:
            missed += 1
        else:
            world.run(desired, moment)
    world.pass_until(now + span)
    return Forecast(
        runs=len(moments) - missed,
        missed=missed,
        outlooks=world.outlooks(desired, lookup, until=now + span),
    )


def _moments(now: datetime, span: timedelta, every: timedelta) -> Iterator[datetime]:
    moment = now + every
    while moment <= now + span:
        yield moment
        moment += every


class _World:
    """A provider and a state that obey at once."""

    def __init__(self, *, stack: str, state: State, live: dict[str, LiveCache]) -> None:
        self.stack = stack
        self.state = state
        self.live = live
        self.refreshes: Counter[str] = Counter()
        self.creations: Counter[str] = Counter()
        self.cold: Counter[str] = Counter()
        self.grants = {name: [_grant(record)] for name, record in _records(state)}

    def run(self, desired: tuple[Desired, ...], now: datetime) -> None:
        listed = [cache for cache in self.live.values() if cache.expires_at > now]
        self._obey(plan(desired, self.state, listed, stack=self.stack, now=now))

    def pass_until(self, end: datetime) -> None:
        """Count the time that is cold at the end."""
        for name, record in _records(self.state):
            self._chill(name, record, end)

    def outlooks(
        self, desired: Iterable[Desired], lookup: Lookup, *, until: datetime
    ) -> tuple[Outlook, ...]:
        return tuple(
            Outlook(
                name=want.name,
                refreshes=self.refreshes[want.name],
                creations=self.creations[want.name],
                cold=timedelta(seconds=self.cold[want.name]),
                spent=spent(want, self.grants[want.name], lookup, until=until),
            )
            for want in desired
            if isinstance(want, DesiredCache)
        )

    def _obey(self, plan: Plan) -> None:
        caches = dict(self.state.caches)
        for change in plan.changes:
            match change:
                case Refresh(want, _, record):
                    self.refreshes[want.name] += 1
                    caches[want.name] = self._renewed(want, record, plan.at, made=False)
                case Create(want, RecordedCache() as record):
                    self.creations[want.name] += 1
                    self._chill(want.name, record, plan.at)
                    caches[want.name] = self._renewed(want, record, plan.at, made=True)
                case _:
                    pass
        self.state = replace(self.state, caches=caches)

    def _renewed(
        self, want: DesiredCache, record: RecordedCache, now: datetime, *, made: bool
    ) -> RecordedCache:
        end = want.life.end(now)
        self.live[record.id] = LiveCache(
            provider=record.provider,
            id=record.id,
            label=None,
            model=record.model,
            created_at=now,
            updated_at=now,
            expires_at=end,
            tokens=record.measure.tokens,
        )
        self.grants[want.name].append(Grant(now, end, made))
        return replace(record, updated_at=now, expires_at=end)

    def _chill(self, name: str, record: RecordedCache, now: datetime) -> None:
        self.cold[name] += max(0, int((now - record.expires_at).total_seconds()))


def _records(state: State) -> Iterator[tuple[str, RecordedCache]]:
    return ((name, one) for name, one in state.caches.items() if isinstance(one, RecordedCache))


def _grant(record: RecordedCache) -> Grant:
    return Grant(record.updated_at, record.expires_at, made=True)
