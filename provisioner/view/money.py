"""
What a plan costs, as it may be shown: structs that are the JSON of it.

Dollars are numbers, and null is what has no price.  What costs how much is worked out
elsewhere, in whole nano-dollars; up to a million dollars no amount loses any of them here.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, TypeAlias

from msgspec import UNSET, Meta, Struct, UnsetType

from provisioner.documents import must
from provisioner.model.money import (
    NANO,
    AnnotationUse,
    CacheUse,
    Cost,
    Figures,
    Money,
    Step,
    Totals,
    Use,
)

_MOST = 10**12

Count: TypeAlias = Annotated[int, must("be a whole number from 0 to 10^15", ge=0, le=10**15)]
Day: TypeAlias = Annotated[
    date, must("be a day, such as 2026-12-24", extra_json_schema={"pattern": r"^\d{4}-\d\d-\d\d$"})
]
Calls: TypeAlias = Annotated[float, must("be a number from 0 to 10^12", ge=0, le=_MOST)]


Usd: TypeAlias = Annotated[
    float, must("be a number of at most 10^9 dollars", ge=-(10**9), le=10**9)
]


class MoneyView(Struct, frozen=True, forbid_unknown_fields=True):
    """
    An amount of US dollars.

    usd: Null if nothing in it has a price; that is never the same as 0.
    estimated: Whether it rests on tokens that the provider has not counted.
    partial: Whether something in it has no price.
    """

    usd: Usd | None
    estimated: bool
    partial: bool

    @property
    def nano(self) -> int:
        """In nano-dollars; 0 if nothing in it has a price."""
        return 0 if self.usd is None else round(self.usd * NANO)

    @property
    def money(self) -> Money:
        return Money(self.nano, self.estimated, self.partial)

    def __bool__(self) -> bool:
        """Whether there is anything in it, known or not."""
        return bool(self.usd) or self.partial


class UseView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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

    creation: MoneyView | UnsetType = UNSET
    pays_from_calls_per_hour: Calls | UnsetType | None = UNSET
    pays_from_calls_per_hour_implicit: Calls | UnsetType | None = UNSET
    implicit_hits: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    write: MoneyView | UnsetType = UNSET
    pays_after_calls: Calls | UnsetType | None = UNSET
    net_per_hour: MoneyView | None
    worst_rent: Annotated[float, Meta(ge=1, le=_MOST)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        keys = {key for key in self.__struct_fields__ if getattr(self, key) is not UNSET}
        if keys not in (_OF_CACHE, _OF_ANNOTATION):
            raise ValueError("this must have the keys of a cache or those of an annotation")

    @property
    def is_annotation(self) -> bool:
        return self.write is not UNSET

    @property
    def made(self) -> MoneyView:
        """What one creation, or one write, costs."""
        made = self.creation if self.write is UNSET else self.write
        assert made is not UNSET  # noqa: S101  # so says __post_init__
        return made


_OF_ANNOTATION = {"write", "pays_after_calls", "net_per_hour"}
_OF_CACHE = {*UseView.__struct_fields__} - {"write", "pays_after_calls"}

MaybeUse: TypeAlias = Annotated[
    UseView | None,
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


class StepView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds instead from a day on."""

    on: Day
    once: MoneyView
    rent_per_hour_before: MoneyView
    rent_per_hour_after: MoneyView
    rent_per_hour_change: MoneyView
    use: MaybeUse


Steps: TypeAlias = Annotated[
    tuple[StepView, ...],
    Meta(
        max_length=100,
        description="What holds instead from a day on (UTC), because prices change within the "
        "30 days.",
    ),
]


class CostView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
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

    once: MoneyView
    rent_per_hour_before: MoneyView
    rent_per_hour_after: MoneyView
    rent_per_hour_change: MoneyView
    overlap: MoneyView
    rent_30_days: MoneyView
    ends_on: Day | None = None
    old_ends_on: Day | None = None
    use: MaybeUse
    steps: Steps

    def cost(self, name: str) -> Cost:
        """The same in nano-dollars, for sums: of its use only what sums need."""
        return Cost(
            name=name,
            figures=_figures_of(self),
            overlap=self.overlap.money,
            month=self.rent_30_days.money,
            ends_on=self.ends_on,
            old_ends_on=self.old_ends_on,
            steps=tuple(Step(on=s.on, figures=_figures_of(s), use=None) for s in self.steps),
            use=_use_of(self.use) if self.use else None,
        )


class TotalsView(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What all the changes cost together.

    unpriced: How many changes have no price, wholly or in part.
    net_per_hour: Over the caches whose calls are declared; null if there are none.
    """

    lines: Count
    unpriced: Count
    once: MoneyView
    rent_per_hour_before: MoneyView
    rent_per_hour_after: MoneyView
    rent_per_hour_change: MoneyView
    overlap: MoneyView
    rent_30_days: MoneyView
    net_per_hour: MoneyView | None
    steps: Steps

    @property
    def has_rent(self) -> bool:
        """Whether there is rent to pay when all of it is done."""
        return bool(self.rent_per_hour_after or self.rent_30_days)


@lru_cache(4096)
def money_view(money: Money) -> MoneyView:
    nano, partial = money.nano, money.partial
    return MoneyView(nano / NANO if nano or not partial else None, money.estimated, partial)


def cost_view(cost: Cost) -> CostView:
    return CostView(
        **_figure_views(cost.figures),
        overlap=money_view(cost.overlap),
        rent_30_days=money_view(cost.month),
        ends_on=cost.ends_on,
        old_ends_on=cost.old_ends_on,
        use=_use_view(cost.use),
        steps=tuple(map(_step_view, cost.steps)),
    )


def totals_view(totals: Totals) -> TotalsView:
    return TotalsView(
        lines=totals.lines,
        unpriced=totals.unpriced,
        **_figure_views(totals.figures),
        overlap=money_view(totals.overlap),
        rent_30_days=money_view(totals.month),
        net_per_hour=_net(totals.net_per_hour),
        steps=tuple(map(_step_view, totals.steps)),
    )


def _step_view(step: Step) -> StepView:
    return StepView(on=step.on, **_figure_views(step.figures), use=_use_view(step.use))


def _figure_views(figures: Figures) -> dict[str, MoneyView]:
    return {
        "once": money_view(figures.once),
        "rent_per_hour_before": money_view(figures.before),
        "rent_per_hour_after": money_view(figures.after),
        "rent_per_hour_change": money_view(figures.delta),
    }


def _use_view(use: Use | None) -> UseView | None:
    match use:
        case CacheUse():
            return UseView(
                creation=money_view(use.creation),
                pays_from_calls_per_hour=_ratio(use.pays_from),
                pays_from_calls_per_hour_implicit=_ratio(use.pays_from_implicit),
                implicit_hits=float(use.implicit_hits),
                net_per_hour=_net(use.net_per_hour),
                worst_rent=float(use.worst_rent),
            )
        case AnnotationUse():
            return UseView(
                write=money_view(use.write),
                pays_after_calls=_ratio(use.pays_after),
                net_per_hour=_net(use.net_per_hour),
            )
        case None:
            return None


def _net(money: Money | None) -> MoneyView | None:
    return None if money is None else money_view(money)


def _ratio(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def _figures_of(view: CostView | StepView) -> Figures:
    return Figures(
        once=view.once.money,
        before=view.rent_per_hour_before.money,
        after=view.rent_per_hour_after.money,
        delta=view.rent_per_hour_change.money,
    )


def _use_of(view: UseView) -> Use:
    net = None if view.net_per_hour is None else view.net_per_hour.money
    return AnnotationUse(write=view.made.money, pays_after=None, net_per_hour=net)
