"""
A simulated future: what a schedule will do with a stack, decided by the real planner.

Every cache is made at the start; then runs come at their interval, some of them missed, and
each plans and carries out what it plans.  No provider is asked; chance comes from a seed, so the
same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.model.attributes import Ttl
from provisioner.model.changes import Create, Refresh
from provisioner.model.facts import State
from provisioner.model.rates import Lookup
from provisioner.model.records import Desired, DesiredCache, LiveCache, RecordedCache
from provisioner.operations.load import load_stack
from provisioner.operations.session import Session
from provisioner.planner import plan
from provisioner.planner.hypothetical import as_if_applied
from provisioner.pricing import Grant, spent
from provisioner.view.forecast import Forecast, Outlook, Tolerance

_SEED = 1


async def forecast_stack(
    session: Session, stack: Path, *, span: timedelta, every: timedelta, miss_rate: float
) -> Forecast:
    """
    Let *span* pass from now on for the stack of a folder or manifest; the rest is as in `forecast`.

    A cancel ends the simulation as well.  Raises ManifestError with every problem.
    """
    is_awaited = True

    def simulate() -> Forecast:
        now = session.ports.now()
        manifest, desired = load_stack(session, stack, now=now, allow_empty=True)
        return forecast(
            desired,
            stack=manifest.stack,
            now=now,
            span=span,
            every=every,
            miss_rate=miss_rate,
            lookup=load_catalog(session.options.models).find,
            goes_on=lambda: is_awaited,
        )

    try:
        return await session.ports.read(simulate)
    finally:
        is_awaited = False


def tolerance(desired: Iterable[Desired]) -> Tolerance | None:
    """The warm cache with the shortest window; None if nothing is kept warm."""
    tolerances = [
        Tolerance(name=want.name, ttl=want.life.span, window=want.settings.window(want.life.span))
        for want in desired
        if isinstance(want, DesiredCache) and isinstance(want.life, Ttl) and want.is_warm
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
    goes_on: Callable[[], bool] = lambda: True,
) -> Forecast:
    """
    Let *span* pass from *now* on, with a run *every* so often.

    Each run is missed with the probability *miss_rate*, from 0 to 1.  *goes_on* is asked before
    each run; the simulation ends once it says no.
    """
    state, _ = as_if_applied(desired, stack=stack, now=now)
    grants = {record.name: [_grant(record, made=True)] for record in state.live_records}
    chance = Random(_SEED)  # noqa: S311  # repeatable on purpose
    runs = missed = 0
    moment = now + every
    while moment <= now + span and goes_on():
        if chance.random() < miss_rate:
            missed += 1
        else:
            runs += 1
            state = _run(desired, state, moment, grants)
        moment += every
    return Forecast(
        stack=stack,
        every=every,
        runs=runs,
        missed=missed,
        tightest=tolerance(desired),
        outlooks=tuple(
            _outlook(want, grants[want.name], lookup, until=now + span)
            for want in desired
            if isinstance(want, DesiredCache)
        ),
    )


def _run(
    desired: tuple[Desired, ...], state: State, now: datetime, grants: Mapping[str, list[Grant]]
) -> State:
    """Plan at *now*, and obey at once: a provider and a state do as the plan says."""
    live = [LiveCache.recorded(record) for record in state.live_records if record.expires_at > now]
    caches = dict(state.caches)
    for change in plan(desired, state, live, stack=state.stack, now=now).changes:
        match change:
            case Refresh(want, record=record) | Create(want, RecordedCache() as record):
                renewed = replace(record, updated_at=now, expires_at=want.life.end(now))
                caches[want.name] = renewed
                grants[want.name].append(_grant(renewed, made=isinstance(change, Create)))
            case _:
                pass
    return replace(state, caches=caches)


def _outlook(
    want: DesiredCache, grants: Sequence[Grant], lookup: Lookup, *, until: datetime
) -> Outlook:
    creations = sum(grant.made for grant in grants)
    begins = (*(grant.at for grant in grants[1:]), until)
    gaps = (begin - grant.until for begin, grant in zip(begins, grants, strict=True))
    return Outlook(
        name=want.name,
        refreshes=len(grants) - creations,
        creations=creations - 1,
        cold=timedelta(seconds=sum(int(gap.total_seconds()) for gap in gaps if gap > timedelta())),
        spent=spent(want, grants, lookup, until=until),
    )


def _grant(record: RecordedCache, *, made: bool) -> Grant:
    return Grant(record.updated_at, record.expires_at, made)
