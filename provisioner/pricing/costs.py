"""
What a plan costs, change by change and together, and what a cache has cost by now.

Every change is priced at one moment; where prices change within the month after it, the
figures from that day on stand beside it.  What is kept warm is added up by model, so that ten
thousand caches at rest cost a few sums: that is exact where an hour of a token costs whole
nano-dollars at any size of its cache.  Rent is paid for the time lived; if Google bills
what was granted instead, each grant is paid whole.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.changes import Blocked, Change, Keep, Refresh
from provisioner.model.model_catalog import Period
from provisioner.model.money import (
    FREE,
    NO_RENT,
    NOTHING,
    Cost,
    Figures,
    Money,
    Rent,
    Spent,
    Step,
    Totals,
    Use,
    total,
)
from provisioner.model.plan import Plan
from provisioner.model.records import DesiredCache, LiveCache, RecordedCache
from provisioner.pricing.break_even import IMPLICIT_HITS, use
from provisioner.pricing.effects import Effect, alive, effect, held_by, left
from provisioner.pricing.rates import MONTH, Held, Lookup, Tariff, Tariffs, last_day, tariffs


class Grant(Struct, frozen=True):
    """A life given at a moment, to a cache that was made then or lived already."""

    at: datetime
    until: datetime
    made: bool


def costs(
    plan: Plan, lookup: Lookup, *, at: datetime, implicit_hits: Decimal = IMPLICIT_HITS
) -> tuple[Cost, ...]:
    """
    Price each change of *plan* at *at* (aware UTC), in the order of its changes.

    A name may have several: its own, and one for each old cache of it that is still there.
    """
    by_model = tariffs(lookup)
    refreshed = {change.want.name for change in plan.changes if isinstance(change, Refresh)}
    return tuple(
        _cost(_once(change, refreshed), by_model, at, implicit_hits) for change in plan.changes
    )


def _once(change: Change, refreshed: Collection[str]) -> Change:
    """A blocked cache that is refreshed all the same is paid for by its refresh."""
    if isinstance(change, Blocked) and change.name in refreshed:
        return replace(change, live=None)
    return change


def cost(
    change: Change, lookup: Lookup, *, at: datetime, implicit_hits: Decimal = IMPLICIT_HITS
) -> Cost:
    """Price one change; *implicit_hits*, from 0 to 1, is the share that is cached for free."""
    return _cost(change, tariffs(lookup), at, implicit_hits)


def price_list(change: Change, lookup: Lookup, *, at: datetime) -> Period | None:
    """Whose rates *change* is priced by: those of what is declared, or else of what lives."""
    done = effect(change, tariffs(lookup), at)
    held = done.wanted or next(iter(done.before), None)
    return held.tariff.period(at.astimezone(UTC).date()) if held else None


def totals(costs: Iterable[Cost]) -> Totals:
    """Add up; the steps are those of all lines."""
    lines = tuple(costs)
    days = sorted({step.on for line in lines for step in line.steps})
    nets = [net for line in lines if line.use and (net := line.use.net_per_hour) is not None]
    return Totals(
        lines=len(lines),
        unpriced=sum(line.unpriced for line in lines),
        figures=sum((line.figures for line in lines), FREE),
        overlap=total(line.overlap for line in lines),
        month=total(line.month for line in lines),
        net_per_hour=total(nets) if nets else None,
        steps=tuple(
            Step(on=day, figures=sum((line.on(day) for line in lines), FREE), use=None)
            for day in days
        ),
    )


def totals_of(
    plan: Plan, lookup: Lookup, *, at: datetime, implicit_hits: Decimal = IMPLICIT_HITS
) -> Totals:
    """The totals of the `costs` of *plan*, without a cost for each of its changes."""
    by_model = tariffs(lookup)
    parted = part(plan.changes, by_model, at)
    lines = [_cost(change, by_model, at, implicit_hits) for change in parted.others]
    repeated = 0
    for (tariff, estimated), counts in parted.kept.items():
        held = Held(tariff, sum(counts), estimated)
        together = _priced("", Effect(before=(held,), after=held), at, implicit_hits)
        lines.append(replace(together, month=held.rent_of(counts, at, MONTH)))
        repeated += (len(counts) - 1) * together.unpriced
    whole = totals(lines)
    return replace(whole, lines=len(plan.changes), unpriced=whole.unpriced + repeated)


def rent(cache: LiveCache | RecordedCache, lookup: Lookup, *, at: datetime) -> Money:
    """What a cache, as it is seen or recorded, costs per hour at *at* (aware UTC)."""
    if cache.expires_at <= at:
        return NOTHING
    return held_by(cache, tariffs(lookup)).rent(at.astimezone(UTC).date())


def upkeep(cache: LiveCache | RecordedCache, lookup: Lookup, *, at: datetime) -> Rent:
    """
    What a cache costs from *at* (aware UTC) on, if it is kept as its record says.

    One that is only seen counts as kept warm.
    """
    if cache.expires_at <= at:
        return NO_RENT
    ahead = left(cache, cache, at) if isinstance(cache, RecordedCache) else MONTH
    return Rent(
        per_hour=rent(cache, lookup, at=at),
        month=held_by(cache, tariffs(lookup)).rent_over(at, ahead),
    )


def spent(want: DesiredCache, grants: Sequence[Grant], lookup: Lookup, *, until: datetime) -> Spent:
    """What *want* has cost by the moment *until*, given its *grants* in order."""
    tariff = Tariff(lookup(want.kind, want.model))
    held = Held(tariff, want.measure.tokens, estimated=not want.measure.counted)
    alive = [grant for grant in grants if grant.until > grant.at]
    made = [grant.at for grant in alive if grant.made]
    return Spent(
        first=_creations(held, made[:1]),
        again=_creations(held, made[1:]),
        rent=total(held.rent_over(begin, end - begin) for begin, end in _lived(alive, until)),
        rent_by_ttl=total(held.rent_over(grant.at, grant.until - grant.at) for grant in alive),
    )


def _cost(change: Change, by_model: Tariffs, at: datetime, implicit_hits: Decimal) -> Cost:
    return _priced(change.name, effect(change, by_model, at), at, implicit_hits)


def _priced(name: str, done: Effect, at: datetime, implicit_hits: Decimal) -> Cost:
    today = at.astimezone(UTC).date()
    return Cost(
        name=name,
        figures=_figures(done, today),
        overlap=done.fading.held.rent_over(at, done.fading.span) if done.fading else NOTHING,
        month=done.after.rent_over(at, done.lasts) if done.after else NOTHING,
        ends_on=_end(at, done.lasts),
        old_ends_on=_end(at, done.lasts if done.stays is None else done.stays),
        steps=_steps(done, at, implicit_hits),
        use=_use(done, today, implicit_hits),
    )


def _end(at: datetime, span: timedelta) -> date | None:
    return last_day(at, span) if span < MONTH else None


def _figures(done: Effect, day: date) -> Figures:
    return Figures.of(
        once=done.makes.creation(day) if done.makes else NOTHING,
        before=total(held.rent(day) for held in done.before),
        after=done.after.rent(day) if done.after else NOTHING,
    )


def _use(done: Effect, day: date, implicit_hits: Decimal) -> Use | None:
    if done.want is None or done.wanted is None:
        return None
    return use(done.want, done.wanted, day, implicit_hits=implicit_hits)


def _steps(done: Effect, at: datetime, implicit_hits: Decimal) -> tuple[Step, ...]:
    """By day, for all that the change has to do with, as long as it lives."""
    concerned = {held for held in (*done.before, done.after, done.wanted) if held}
    days = sorted({day for held in concerned for day in held.turns(at, done.lasts)})
    return tuple(
        Step(on=day, figures=_figures(done, day), use=_use(done, day, implicit_hits))
        for day in days
    )


@dataclass(slots=True)
class Parted:
    """Changes, those that are priced together apart from the others."""

    kept: dict[tuple[Tariff, bool], list[int]] = field(default_factory=lambda: defaultdict(list))
    """Tokens, by what one costs and by whether their count is an estimate."""
    others: list[Change] = field(default_factory=list)


def part(changes: Iterable[Change], tariffs: Tariffs, at: datetime) -> Parted:
    """Take *changes* apart, for a month from *at* on."""
    even = cache(lambda tariff: tariff.is_even(at, MONTH))
    parted = Parted()
    for change in changes:
        held = _held(change, tariffs)
        if held is None or not held.tokens or not even(held.tariff):
            parted.others.append(change)
            continue
        parted.kept[held.tariff, held.estimated].append(held.tokens)
    return parted


def _held(change: Change, tariffs: Tariffs) -> Held | None:
    """What a cache holds that is kept warm, and whose calls are not declared."""
    match change:
        case Keep(DesiredCache(calls_per_hour=None) as want, LiveCache() as own, record) if (
            want.is_warm
        ):
            return alive(own, record, tariffs)
        case _:
            return None


def _creations(held: Held, moments: Iterable[datetime]) -> Money:
    return total(held.creation(moment.astimezone(UTC).date()) for moment in moments)


def _lived(grants: Iterable[Grant], until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of time without a gap, up to *until*."""
    stretches: list[tuple[datetime, datetime]] = []
    for grant in grants:
        is_more = stretches and grant.at <= stretches[-1][1]
        begin = stretches.pop()[0] if is_more else grant.at
        stretches.append((begin, grant.until))
    return ((begin, min(end, until)) for begin, end in stretches)
