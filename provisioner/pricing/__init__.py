"""
What a plan costs, change by change and together, and what a cache has cost by now.

Every change is priced at one moment; where prices change within the month after it, the
figures from that day on stand beside it.  What is kept warm is added up by model, so that ten
thousand caches at rest cost a few sums: that is exact where an hour of a token costs whole
nano-dollars at any size of its cache.  Rent is paid for the time lived; if Google bills
what was granted instead, each grant is paid whole.

Tokens are the provider's count of what lives, or of the very content it once counted, else
an estimate.  Pure: the caller passes a moment and a lookup of models.  What has no price is
`NO_PRICE`, never nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model import changes
from provisioner.model.changes import Change
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
from provisioner.model.rates import (
    MONTH,
    Held,
    Lookup,
    Period,
    Tariff,
    Tariffs,
    day_of,
    last_day,
    tariffs,
)
from provisioner.model.records import (
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
    made_of,
)

IMPLICIT_HITS = Decimal("0.5")
"""
The share of calls that implicit caching is taken to serve, where no one has measured it.

It promises nothing: traffic that comes in bursts hits nearly always, a call now and then
nearly never.
"""


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
    refreshed = {change.want.name for change in plan.changes if isinstance(change, changes.Refresh)}
    return tuple(
        _cost(_once(change, refreshed), by_model, at, implicit_hits) for change in plan.changes
    )


def _once(change: Change, refreshed: Collection[str]) -> Change:
    """A blocked cache that is refreshed all the same is paid for by its refresh."""
    if isinstance(change, changes.Blocked) and change.name in refreshed:
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
    return held.tariff.period(day_of(at)) if held else None


def totals(costs: Iterable[Cost]) -> Totals:
    """Add up; the steps are those of all lines."""
    lines = tuple(costs)
    days = sorted({step.on for line in lines for step in line.steps})
    nets = [net for line in lines if line.use and (net := line.use.net_per_hour) is not None]
    return made_of(
        Totals,
        sum(lines, FREE),
        lines=len(lines),
        unpriced=sum(line.unpriced for line in lines),
        overlap=total(line.overlap for line in lines),
        rent_30_days=total(line.rent_30_days for line in lines),
        net_per_hour=total(nets) if nets else None,
        steps=tuple(
            made_of(Step, sum((line.on(day) for line in lines), FREE), on=day, use=None)
            for day in days
        ),
    )


def totals_of(
    plan: Plan, lookup: Lookup, *, at: datetime, implicit_hits: Decimal = IMPLICIT_HITS
) -> Totals:
    """The totals of the `costs` of *plan*, without a cost for each of its changes."""
    by_model = tariffs(lookup)
    kept, others = part(plan.changes, by_model, at)
    lines = [_cost(change, by_model, at, implicit_hits) for change in others]
    repeated = 0
    for (tariff, estimated), counts in kept.items():
        held = Held(tariff, sum(counts), estimated)
        together = _priced(Effect(before=(held,), after=held), at, implicit_hits)
        lines.append(replace(together, rent_30_days=held.rent_of(counts, at, MONTH)))
        repeated += (len(counts) - 1) * together.unpriced
    whole = totals(lines)
    return replace(whole, lines=len(plan.changes), unpriced=whole.unpriced + repeated)


def rent(cache: LiveCache | RecordedCache, lookup: Lookup, *, at: datetime) -> Money:
    """What a cache, as it is seen or recorded, costs per hour at *at* (aware UTC)."""
    if cache.expires_at <= at:
        return NOTHING
    return _held_by(cache, tariffs(lookup)).rent(day_of(at))


def upkeep(cache: LiveCache | RecordedCache, lookup: Lookup, *, at: datetime) -> Rent:
    """
    What a cache costs from *at* (aware UTC) on, if it is kept as its record says.

    One that is only seen counts as kept warm.
    """
    if cache.expires_at <= at:
        return NO_RENT
    ahead = _left(cache, cache.expires_at, at) if isinstance(cache, RecordedCache) else MONTH
    return Rent(
        rent_per_hour=rent(cache, lookup, at=at),
        rent_30_days=_held_by(cache, tariffs(lookup)).rent_over(at, ahead),
    )


def spent(want: DesiredCache, grants: Sequence[Grant], lookup: Lookup, *, until: datetime) -> Spent:
    """What *want* has cost by the moment *until*, given its *grants* in order."""
    tariff = Tariff(lookup(want.kind, want.model))
    held = Held(tariff, want.measure.tokens, estimated=not want.measure.counted)
    alive = [grant for grant in grants if grant.until > grant.at]
    creations = [held.creation(day_of(grant.at)) for grant in alive if grant.made]
    return Spent(
        paid_to_create=total(creations[:1]),
        paid_to_create_again=total(creations[1:]),
        rent=total(held.rent_over(begin, end - begin) for begin, end in _lived(alive, until)),
        rent_billed_by_ttl=total(
            held.rent_over(grant.at, grant.until - grant.at) for grant in alive
        ),
    )


class Effect(Struct, frozen=True, kw_only=True):
    """What a change does to what is paid for.  No price is known here."""

    makes: Held | None = None
    before: tuple[Held, ...] = ()
    """An old cache that is retired is the last of them."""
    after: Held | None = None
    lasts: timedelta = MONTH
    """How long of a month this concerns: what is kept warm lives on, the rest dies."""
    stays: timedelta | None = None
    """How long of it the old cache would have lived on; None if that is no shorter or longer."""
    fades: timedelta = timedelta()
    """How long the old cache lives on after its change."""
    want: Desired | None = None
    """What is declared, and there."""
    wanted: Held | None = None
    """Its content."""


def effect(change: Change, tariffs: Tariffs, at: datetime) -> Effect:
    """Carry out *change* at *at*, on paper."""
    old = change.old
    match change:
        case changes.Create(want, record) | changes.Replace(want, record=record):
            held = _content(want, record, tariffs)
            lasts = _left(want, want.life.end(at), at)
            done = Effect(makes=held, after=held, lasts=lasts, want=want, wanted=held)
        case changes.Adopt(want, live, record=record) | changes.Refresh(want, live, record):
            lasts = _left(want, want.life.end(at), at)
            done = _living(_alive(live, record, tariffs), lasts, want)
        case changes.Note(want, live, record) | changes.Keep(
            DesiredCache() as want, LiveCache() as live, record
        ):
            lasts = _left(want, live.expires_at, at)
            done = _living(_alive(live, record, tariffs), lasts, want)
        case changes.Annotate(want, record=record) | changes.Keep(
            DesiredAnnotation() as want, record=record
        ):
            done = Effect(want=want, wanted=_content(want, record, tariffs))
        case changes.Retire(live, record):
            old, done = live, Effect(lasts=_left(record, live.expires_at, at))
        case changes.Delete(live, record):
            held = _alive(live, record, tariffs)
            done = Effect(before=(held,), lasts=_left(record, live.expires_at, at))
        case changes.Leave(live, record) | changes.Blocked(live=LiveCache() as live, record=record):
            held = _alive(live, record, tariffs)
            done = _living(held, _left(record, live.expires_at, at), None)
        case changes.Keep() | changes.Blocked() | changes.Move() | changes.Forget():
            done = Effect()
    return _with_old(done, old, change.record, tariffs, at) if old else done


def _living(held: Held, lasts: timedelta, want: DesiredCache | None) -> Effect:
    return Effect(before=(held,), after=held, lasts=lasts, want=want, wanted=held if want else None)


def _with_old(
    done: Effect,
    old: LiveCache,
    record: Recorded | RetiringCache | None,
    tariffs: Tariffs,
    at: datetime,
) -> Effect:
    """The same, with an old cache that is retired by its record."""
    if not isinstance(record, RecordedCache | RetiringCache):
        return done
    return replace(
        done,
        before=(*done.before, _alive(old, record, tariffs)),
        stays=_left(record, old.expires_at, at),
        fades=max(timedelta(), min(record.retire_after, old.expires_at - at)),
    )


def _held_by(cache: LiveCache | RecordedCache, tariffs: Tariffs) -> Held:
    """What a cache holds, by the provider's word alone, or by what is on record."""
    tariff = tariffs(cache.kind, cache.model)
    match cache:
        case LiveCache(tokens=tokens):
            return Held(tariff, tokens, estimated=False)
        case RecordedCache(measure=measure):
            return Held(tariff, measure.tokens, estimated=not measure.counted)


def _alive(live: LiveCache, record: Recorded | RetiringCache | None, tariffs: Tariffs) -> Held:
    """
    What a live cache holds.

    A provider that tells no count leaves us with ours; and in a comparison of revisions,
    what is alive is only as sure as its record.
    """
    match record:
        case RecordedCache(id=live.id, measure=measure):
            count = live.tokens or measure.tokens
            tariff = tariffs(live.kind, live.model)
            return Held(tariff, count, estimated=not (measure.counted and live.tokens))
        case _:
            return _held_by(live, tariffs)


def _content(want: Desired, record: Recorded | None, tariffs: Tariffs) -> Held:
    """What *want* would hold, counted if its very content was."""
    match record:
        case RecordedCache(digest=want.digest, measure=measure) if measure.counted:
            pass
        case _:
            measure = want.measure
    return Held(tariffs(want.kind, want.model), measure.tokens, estimated=not measure.counted)


def _left(
    kept: DesiredCache | Recorded | RetiringCache | None, end: datetime, at: datetime
) -> timedelta:
    """How long of a month a life lasts that ends at *end*, unless it is kept warm."""
    is_warm = isinstance(kept, DesiredCache | RecordedCache) and kept.is_warm
    return MONTH if is_warm else max(timedelta(), min(end - at, MONTH))


def _cost(change: Change, by_model: Tariffs, at: datetime, implicit_hits: Decimal) -> Cost:
    return _priced(effect(change, by_model, at), at, implicit_hits)


def _priced(done: Effect, at: datetime, implicit_hits: Decimal) -> Cost:
    today = day_of(at)
    return made_of(
        Cost,
        _figures(done, today),
        overlap=done.before[-1].rent_over(at, done.fades) if done.fades else NOTHING,
        rent_30_days=done.after.rent_over(at, done.lasts) if done.after else NOTHING,
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
    from provisioner.pricing.break_even import use  # noqa: PLC0415  # for what is not at rest

    return use(done.want, done.wanted, day, implicit_hits=implicit_hits)


def _steps(done: Effect, at: datetime, implicit_hits: Decimal) -> tuple[Step, ...]:
    """By day, for all that the change has to do with, as long as it lives."""
    concerned = {held for held in (*done.before, done.after, done.wanted) if held}
    days = sorted({day for held in concerned for day in held.turns(at, done.lasts)})
    return tuple(
        made_of(Step, _figures(done, day), on=day, use=_use(done, day, implicit_hits))
        for day in days
    )


def part(
    every: Iterable[Change], tariffs: Tariffs, at: datetime
) -> tuple[Mapping[tuple[Tariff, bool], Collection[int]], Sequence[Change]]:
    """
    Take apart what is priced together, for a month from *at* on, and all other changes.

    Together are caches that are kept warm and whose calls are not declared: their tokens, by
    what one costs and by whether the count is an estimate.
    """
    even = cache(lambda tariff: tariff.is_even(at, MONTH))
    kept: dict[tuple[Tariff, bool], list[int]] = defaultdict(list)
    others: list[Change] = []
    for change in every:
        match change:
            case changes.Keep(
                DesiredCache(calls_per_hour=None, is_warm=True), LiveCache() as live, record
            ) if (held := _alive(live, record, tariffs)).tokens and even(held.tariff):
                kept[held.tariff, held.estimated].append(held.tokens)
            case _:
                others.append(change)
    return kept, others


def _lived(grants: Iterable[Grant], until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of time without a gap, up to *until*."""
    stretches: list[tuple[datetime, datetime]] = []
    for grant in grants:
        is_more = stretches and grant.at <= stretches[-1][1]
        begin = stretches.pop()[0] if is_more else grant.at
        stretches.append((begin, grant.until))
    return ((begin, min(end, until)) for begin, end in stretches)
