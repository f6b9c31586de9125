"""
What is known of a model, as its sources give it, and what some of its tokens cost on a day.

The prices of a day come from the period that holds on it, and from its rate for so many
tokens.  A cache is priced by its own tokens: the rest of a prompt is not known here, so a
cache just below the edge of a rate may be read at the higher one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, cached_property
from typing import TypeAlias

from msgspec import Struct

from provisioner.model.money import NO_PRICE, NOTHING, Money, total

HOUR = timedelta(hours=1)
MONTH = timedelta(days=30)

_MILLION = 1_000_000
_DAY = timedelta(days=1)
_MICROSECOND = timedelta(microseconds=1)


class Rate(Struct, frozen=True, kw_only=True):
    """Prices of a request whose prompt has more than `above` tokens: USD per million tokens."""

    above: int
    input: Decimal
    cached_input: Decimal
    storage_per_hour: Decimal | None
    """USD per million tokens and hour; None where nothing can be stored."""


class Period(Struct, frozen=True, kw_only=True):
    """What holds from one day to another, both included, in UTC; None leaves an end open."""

    valid_from: date | None
    valid_to: date | None
    as_of: date
    """When the source was read."""
    source: str
    """A URL, or what a user's file calls it."""
    uncertain: bool
    """Whether the figures rest on one unverified report or on an inference."""
    rates: tuple[Rate, ...]
    """By `above`: the last one that is exceeded holds, or else the first."""


class Offer(Struct, frozen=True, kw_only=True):
    """A life that annotations of a model can have, and what a write costs for it."""

    ttl: timedelta
    write: Decimal
    """A multiple of the input price."""
    apis: tuple[str, ...]
    """The only APIs that take it; empty if all do."""


class Model(Struct, frozen=True, kw_only=True):
    """One model.  None means not known, never no."""

    provider: str
    name: str
    min_tokens: int | None
    explicit_caching: bool | None
    """False: implicit caching only.  Always None for claude and openai."""
    retires_on: date | None
    """The first day on which it is gone."""
    offers: tuple[Offer, ...]
    """The provider's default comes first; empty for gemini."""
    prices: tuple[Period, ...]
    note: str | None


Lookup: TypeAlias = Callable[[str, str], Model | None]
"""Finds a model by the type of its provider and its name."""

Tariffs: TypeAlias = "Callable[[str, str], Tariff]"


class Tariff:
    """The prices of one model, day by day; an unknown model has none."""

    def __init__(self, model: Model | None) -> None:
        self.offers = model.offers if model else ()
        self._periods = model.prices if model else ()
        self.period = cache(self._period)
        """What holds on a day."""

    def is_even(self, at: datetime, span: timedelta) -> bool:
        """
        Whether an hour of a token costs whole nano-dollars, however many there are.

        On each day of *span*, that is, which may have prices of its own.
        """
        first, last = day_of(at), day_of(at + span)
        days = (first, *(day for day in self.days if first < day <= last))
        periods = [period for day in days if (period := self.period(day))]
        rates = [rate for period in periods for rate in period.rates]
        return len(rates) <= len(periods) and not any(
            _nano(rate.storage_per_hour or Decimal()) % _MILLION for rate in rates
        )

    def _period(self, day: date) -> Period | None:
        for period in self._periods:
            if (period.valid_from or date.min) <= day <= (period.valid_to or date.max):
                return period
        return None

    @cached_property
    def days(self) -> tuple[date, ...]:
        """On which a period begins or has just ended, in order."""
        begun = {period.valid_from for period in self._periods if period.valid_from}
        ends = (period.valid_to for period in self._periods)
        return tuple(sorted(begun | {end + _DAY for end in ends if end and end < date.max}))


def tariffs(lookup: Lookup) -> Tariffs:
    """Look every model up once."""
    return cache(lambda provider, model: Tariff(lookup(provider, model)))


def day_of(moment: datetime) -> date:
    """The day, UTC, of an aware *moment*."""
    return moment.astimezone(UTC).date()


def last_day(at: datetime, span: timedelta) -> date:
    """The day, UTC, on which *span* from *at* on ends; at midnight it is the one before."""
    return day_of(at + max(timedelta(), span - _MICROSECOND))


class Held(Struct, frozen=True):
    """
    Tokens of a model, in a cache or about to be.

    No tokens are tokens without a count: a cache is never empty.
    """

    tariff: Tariff
    tokens: int
    estimated: bool

    def rate(self, day: date) -> Rate | None:
        """None if there is no price on *day*."""
        period = self.tariff.period(day)
        if period is None or not self.tokens:
            return None
        exceeded = [rate for rate in period.rates if rate.above < self.tokens]
        return exceeded[-1] if exceeded else period.rates[0]

    def creation(self, day: date) -> Money:
        rate = self.rate(day)
        return self.money(rate.input) if rate else NO_PRICE

    def rent(self, day: date) -> Money:
        """Per hour."""
        return self._storage(day, HOUR, (self.tokens,))

    def rent_over(self, at: datetime, span: timedelta) -> Money:
        """For *span* from *at* on, each day at its own prices."""
        return self.rent_of((self.tokens,), at, span)

    def rent_of(self, counts: Collection[int], at: datetime, span: timedelta) -> Money:
        """The same for several caches of so many tokens each, if they have the rates of this."""
        turns = [datetime.combine(day, time(), UTC) for day in self.turns(at, span)]
        begins, ends = [at, *turns], [*turns, at + span]
        return total(
            self._storage(day_of(begin), end - begin, counts)
            for begin, end in zip(begins, ends, strict=True)
        )

    def turns(self, at: datetime, span: timedelta) -> tuple[date, ...]:
        """The days within *span* from *at* on whose prices are not those of the day before."""
        first, last = day_of(at), last_day(at, span)
        return tuple(
            day
            for day in self.tariff.days
            if first < day <= last and self.rate(day) != self.rate(day - _DAY)
        )

    def money(self, per_million: Decimal, times: int = 1, per: int = 1) -> Money:
        """All these tokens at a price in USD, *times* over for each *per*."""
        paid = _nano(per_million) * self.tokens * times
        return Money.of(_nearest(paid, _MILLION * per), estimated=self.estimated)

    def _storage(self, day: date, span: timedelta, counts: Collection[int]) -> Money:
        if not span:
            return NOTHING
        rate = self.rate(day)
        if rate is None or rate.storage_per_hour is None:
            return NO_PRICE
        paid = _nano(rate.storage_per_hour) * (span // _MICROSECOND)
        per = _MILLION * (HOUR // _MICROSECOND)
        nano = sum(_nearest(paid * count, per) for count in counts)
        return Money.of(nano, estimated=self.estimated)


@cache
def _nano(usd: Decimal) -> int:
    """In whole nano-dollars; no price list is finer than that per million tokens."""
    return int(usd.scaleb(9).to_integral_value())


def _nearest(number: int, divisor: int) -> int:
    return (2 * number + divisor) // (2 * divisor)
