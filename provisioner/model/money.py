"""
What a change costs, as values; `pricing` works them out, `view` shows them.

The structs are the JSON of a plan: dollars are numbers, and null is what has no price.  Sums
are made in whole nano-dollars, so that they are exact in any order; up to a million dollars
no amount loses any of them in JSON.  An amount knows whether it rests on estimated tokens,
and whether something in it has no price: an unknown amount is never a zero.  The bounds of a
number hold where a document is read, not where an amount is worked out.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Self, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from provisioner.documents import Count, must

NANO = 10**9
"""So many nano-dollars are a dollar."""

_EXACT = 10**6
"""Below so many dollars a float tells every nano-dollar; beyond, `Money` keeps them, too."""

_MOST = 10**12

Day: TypeAlias = Annotated[
    date, must("be a day, such as 2026-12-24", extra_json_schema={"pattern": r"^\d{4}-\d\d-\d\d$"})
]
Calls: TypeAlias = Annotated[float, must("be a number from 0 to 10^12", ge=0, le=_MOST)]
Usd: TypeAlias = Annotated[
    float, must("be a number of at most 10^9 dollars", ge=-(10**9), le=10**9)
]


class Money(Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """
    An amount of US dollars.

    usd: Null if nothing in it has a price; that is never the same as 0.
    estimated: Whether it rests on tokens that the provider has not counted.
    partial: Whether something in it has no price.
    """

    usd: Usd | None
    estimated: bool
    partial: bool

    @classmethod
    def of(cls, nano: int, *, estimated: bool = False, partial: bool = False) -> Self:
        """So many nano-dollars; negative is a saving."""
        money = cls(nano / NANO if nano or not partial else None, estimated, partial)
        if abs(nano) >= _EXACT * NANO:
            money.__dict__["nano"] = nano
        return money

    @property
    def nano(self) -> int:
        """In nano-dollars; 0 if nothing in it has a price."""
        if self.usd is None:
            return 0
        nano = round(self.usd * NANO)
        return nano if abs(self.usd) < _EXACT else self.__dict__.get("nano", nano)

    def __bool__(self) -> bool:
        """Whether there is anything in it, priced or not."""
        return bool(self.usd) or self.partial

    def __add__(self, other: Money) -> Money:
        if self is NOTHING or other is NOTHING:
            return other if self is NOTHING else self
        return Money.of(
            self.nano + other.nano,
            estimated=self.estimated or other.estimated,
            partial=self.partial or other.partial,
        )

    def __sub__(self, other: Money) -> Money:
        """No price, if either has something without: the rest of a difference means nothing."""
        if self.partial or other.partial:
            return NO_PRICE
        if other is NOTHING:
            return self
        return Money.of(self.nano - other.nano, estimated=self.estimated or other.estimated)

    def __mul__(self, times: int) -> Money:
        return Money.of(self.nano * times, estimated=self.estimated, partial=self.partial)


NOTHING = Money.of(0)
NO_PRICE = Money.of(0, partial=True)


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
    rent_per_hour_before: Money
    """The rent of what lives now."""
    rent_per_hour_after: Money
    """The rent of what lives when the change is done and what it retires is gone."""
    rent_per_hour_change: Money
    """What is added to the rent; for several changes, those with a price."""

    @classmethod
    def of(cls, once: Money, before: Money, after: Money) -> Figures:
        return Figures(
            once=once,
            rent_per_hour_before=before,
            rent_per_hour_after=after,
            rent_per_hour_change=after - before,
        )


class Rent(_Amounts, frozen=True, kw_only=True):
    """What a cache costs while it lives."""

    rent_per_hour: Money
    rent_30_days: Money
    """Of the next 30 days, in which a cache that is kept warm lives on."""


NO_RENT = Rent(rent_per_hour=NOTHING, rent_30_days=NOTHING)

FREE = Figures.of(NOTHING, NOTHING, NOTHING)


class Use(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Whether what is declared pays: a cache has a creation, an annotation a write.

    creation: Paid at every edit and every re-creation.
    pays_from_calls_per_hour: From so many it is cheaper than no caching; null if from none,
        or without a price.
    pays_from_calls_per_hour_implicit: The same where implicit caching hits in a share of
        the calls.
    write: Paid by the first call of every lifetime.
    pays_after_calls: Calls per lifetime, the one that writes included; null if never, or
        without a price.
    worst_rent: How many times as high the rent is if every granted life is billed whole.
    """

    creation: Money | UnsetType = UNSET
    pays_from_calls_per_hour: Calls | UnsetType | None = UNSET
    pays_from_calls_per_hour_implicit: Calls | UnsetType | None = UNSET
    implicit_hits: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    write: Money | UnsetType = UNSET
    pays_after_calls: Calls | UnsetType | None = UNSET
    net_per_hour: Money | None
    worst_rent: Annotated[float, Meta(ge=1, le=_MOST)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        keys = {key for key in self.__struct_fields__ if getattr(self, key) is not UNSET}
        if keys not in (_OF_CACHE, _OF_ANNOTATION):
            raise ValueError("this must have the keys of a cache or those of an annotation")

    @property
    def is_annotation(self) -> bool:
        return self.write is not UNSET

    @property
    def made(self) -> Money:
        """What one creation, or one write, costs."""
        made = self.creation if self.write is UNSET else self.write
        assert made is not UNSET  # noqa: S101  # so says __post_init__
        return made


_OF_ANNOTATION = {"write", "pays_after_calls", "net_per_hour"}
_OF_CACHE = {*Use.__struct_fields__} - {"write", "pays_after_calls"}

MaybeUse: TypeAlias = Annotated[
    Use | None,
    Meta(
        description="Whether what is declared pays; null if it is not declared, or not there.",
        extra_json_schema={
            "oneOf": [
                *(
                    {"type": "object", "required": sorted(keys), "maxProperties": len(keys)}
                    for keys in (_OF_CACHE, _OF_ANNOTATION)
                ),
                {"type": "null"},
            ]
        },
    ),
]


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds instead from a day on."""

    on: Day
    once: Money
    rent_per_hour_before: Money
    rent_per_hour_after: Money
    rent_per_hour_change: Money
    use: MaybeUse


Steps: TypeAlias = Annotated[
    tuple[Step, ...],
    Meta(
        max_length=100,
        description="What holds instead from a day on (UTC), because prices change within the "
        "30 days.",
    ),
]


class Cost(Figures, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What a change costs at the prices of the plan's moment.

    once: Paid for what it makes.
    overlap: What the old cache costs until it is gone.
    rent_30_days: The rent of the next 30 days, in which a cache that is kept warm lives on.
    ends_on: The last day (UTC) on which it lives; null, or absent in older plans, if it
        lives on after the 30 days.
    old_ends_on: The last day (UTC) on which what is there before would have lived; null or
        absent likewise.
    """

    overlap: Money
    rent_30_days: Money
    ends_on: Day | None = None
    old_ends_on: Day | None = None
    use: MaybeUse
    steps: Steps

    @property
    def unpriced(self) -> bool:
        """Whether something in it has no price now."""
        own = (self.use.made,) if self.use else ()
        now = (self.once, self.rent_per_hour_before, self.rent_per_hour_after)
        return any(money.partial for money in (*own, *now))

    def on(self, day: date) -> Figures:
        """What holds on *day*; no rent if it is dead by then."""
        held = next((step for step in reversed(self.steps) if step.on <= day), self)
        return Figures.of(
            held.once,
            held.rent_per_hour_before if _lasts(day, self.old_ends_on) else NOTHING,
            held.rent_per_hour_after if _lasts(day, self.ends_on) else NOTHING,
        )


def _lasts(day: date, end: date | None) -> bool:
    return end is None or day <= end


class Totals(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What all the changes cost together.

    unpriced: How many changes have no price, wholly or in part.
    net_per_hour: Over the caches whose calls are declared; null if there are none.
    """

    lines: Count
    unpriced: Count
    once: Money
    rent_per_hour_before: Money
    rent_per_hour_after: Money
    rent_per_hour_change: Money
    overlap: Money
    rent_30_days: Money
    net_per_hour: Money | None
    steps: Steps

    @property
    def has_rent(self) -> bool:
        """Whether there is rent to pay when all of it is done."""
        return bool(self.rent_per_hour_after or self.rent_30_days)


class Spent(_Amounts, frozen=True, kw_only=True):
    """What a cache, or several, cost over a stretch of time."""

    paid_to_create: Money
    """For making it."""
    paid_to_create_again: Money
    """For making it again whenever it had died."""
    rent: Money
    """For the time lived."""
    rent_billed_by_ttl: Money
    """The same, if every granted life is billed whole."""

    @property
    def creations(self) -> Money:
        return self.paid_to_create + self.paid_to_create_again


UNSPENT = Spent(
    paid_to_create=NOTHING, paid_to_create_again=NOTHING, rent=NOTHING, rent_billed_by_ttl=NOTHING
)
