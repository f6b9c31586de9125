"""
What a change costs, as values; `pricing` works them out, `view` shows them.

Money is in whole nano-dollars, so that sums are exact in any order.  An amount knows
whether it rests on estimated tokens, and whether something in it has no price: an
unknown amount is never a zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Self, TypeAlias

from msgspec import Struct

NANO = 10**9
"""So many nano-dollars are a dollar."""


class Money(Struct, frozen=True):
    """An amount of USD, in nano-dollars; negative is a saving."""

    nano: int = 0
    estimated: bool = False
    """Whether it rests on an estimated count of tokens."""
    partial: bool = False
    """Whether something in it has no price; `nano` is then the rest, and 0 if that is all."""

    @property
    def usd(self) -> Decimal:
        return Decimal(self.nano).scaleb(-9)

    def __bool__(self) -> bool:
        """Whether there is anything in it, priced or not."""
        return self.nano != 0 or self.partial

    def __add__(self, other: Money) -> Money:
        return Money(
            self.nano + other.nano,
            self.estimated or other.estimated,
            self.partial or other.partial,
        )

    def __sub__(self, other: Money) -> Money:
        """No price, if either has something without: the rest of a difference means nothing."""
        if self.partial or other.partial:
            return NO_PRICE
        return Money(self.nano - other.nano, self.estimated or other.estimated)


NOTHING = Money()
NO_PRICE = Money(partial=True)


def total(amounts: Iterable[Money]) -> Money:
    return sum(amounts, NOTHING)


class _Amounts(Struct, frozen=True, kw_only=True):
    """Several amounts, which add up one by one."""

    def __add__(self, other: Self) -> Self:
        names = self.__struct_fields__
        return type(self)(**{name: getattr(self, name) + getattr(other, name) for name in names})


class Figures(_Amounts, frozen=True, kw_only=True):
    """What is paid at one moment's prices: once, and as rent per hour."""

    once: Money
    """For what the change makes."""
    before: Money
    """The rent of what lives now."""
    after: Money
    """The rent of what lives when the change is done and what it retires is gone."""
    delta: Money
    """What is added to the rent; for several changes, those with a price."""

    @classmethod
    def of(cls, once: Money, before: Money, after: Money) -> Self:
        return cls(once=once, before=before, after=after, delta=after - before)


class Rent(_Amounts, frozen=True, kw_only=True):
    """What a cache costs while it lives."""

    per_hour: Money
    month: Money
    """Of the next 30 days, in which a cache that is kept warm lives on."""


NO_RENT = Rent(per_hour=NOTHING, month=NOTHING)

FREE = Figures.of(NOTHING, NOTHING, NOTHING)


class CacheUse(Struct, frozen=True, kw_only=True):
    """
    Whether a live cache pays.

    Calls per hour are None if there are none from which it pays, or no price.
    """

    creation: Money
    """Paid at every edit and every re-creation."""
    pays_from: Decimal | None
    """Calls per hour from which it is cheaper than sending the content each time."""
    pays_from_implicit: Decimal | None
    """The same if implicit caching, which is free, hits anyway in a share of the calls."""
    implicit_hits: Decimal
    """That share."""
    net_per_hour: Money | None
    """What the declared calls save, less the rent; None if no calls are declared."""
    worst_rent: Decimal
    """How many times as high the rent is at worst, if every granted life is billed whole."""


class AnnotationUse(Struct, frozen=True, kw_only=True):
    """Whether writing a prefix pays.  Nothing is paid for the annotation itself."""

    write: Money
    """Paid by the first call of every lifetime."""
    pays_after: Decimal | None
    """Calls per lifetime, the one that writes included; None if never, or no price."""
    net_per_hour: Money | None
    """
    What the declared calls save, evenly spread, if a hit prolongs nothing; None if no
    calls are declared.
    """


Use: TypeAlias = CacheUse | AnnotationUse


class Step(Struct, frozen=True, kw_only=True):
    """What holds instead from a day on (UTC), because prices change."""

    on: date
    figures: Figures
    use: Use | None


class Cost(Struct, frozen=True, kw_only=True):
    """What one change costs, at the prices of one moment."""

    name: str
    figures: Figures
    overlap: Money
    """What the old cache costs until it is gone."""
    month: Money
    """The rent of the next 30 days, in which a cache that is kept warm lives on."""
    ends_on: date | None
    """The last day, UTC, on which it lives; None if it lives on after these 30 days."""
    old_ends_on: date | None
    """The same of what is there before, if nothing took its place."""
    steps: tuple[Step, ...]
    """The changes of price in these 30 days, by day."""
    use: Use | None
    """None for what is not declared, or not there."""

    @property
    def unpriced(self) -> bool:
        """Whether something in it has no price now."""
        match self.use:
            case CacheUse(creation=own) | AnnotationUse(write=own):
                pass
            case None:
                own = NOTHING
        now = self.figures
        return any(money.partial for money in (own, now.once, now.before, now.after))

    def on(self, day: date) -> Figures:
        """What holds on *day*; no rent if it is dead by then."""
        past = [step.figures for step in self.steps if step.on <= day]
        held = past[-1] if past else self.figures
        return Figures.of(
            held.once,
            held.before if _lasts(day, self.old_ends_on) else NOTHING,
            held.after if _lasts(day, self.ends_on) else NOTHING,
        )


def _lasts(day: date, end: date | None) -> bool:
    return end is None or day <= end


class Totals(Struct, frozen=True, kw_only=True):
    """What several changes cost together."""

    lines: int
    unpriced: int
    """How many lines have no price, wholly or in part."""
    figures: Figures
    overlap: Money
    month: Money
    net_per_hour: Money | None
    """Over the lines that declare their calls; None if none does."""
    steps: tuple[Step, ...]
    """The figures of all lines from each day on that changes any."""


class Spent(_Amounts, frozen=True, kw_only=True):
    """What a cache, or several, cost over a stretch of time."""

    first: Money
    """For making it."""
    again: Money
    """For making it again whenever it had died."""
    rent: Money
    """For the time lived."""
    rent_by_ttl: Money
    """The same, if every granted life is billed whole."""

    @property
    def creations(self) -> Money:
        return self.first + self.again


UNSPENT = Spent(first=NOTHING, again=NOTHING, rent=NOTHING, rent_by_ttl=NOTHING)
