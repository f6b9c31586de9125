"""
What of a plan goes beyond the limits of its stack, as sentences, and how to go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Literal, TypeAlias

from msgspec import Struct, convert

from provisioner.documents import ShownText, must
from provisioner.model.money import NANO, Money
from provisioner.model.stack_settings import Breach, Limit, TooDear, TooMany
from provisioner.view.units import listed, usd

_NAMED = 5
"""So many caches are named; the rest is counted."""


LimitKey: TypeAlias = Literal[
    "delete.count",
    "delete.percent",
    "replace.count",
    "replace.percent",
    "rent_per_hour",
    "rent_total_per_30_days",
]


class BrokenLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What goes beyond a limit.

    limit: Its key in a manifest, dotted.
    most: Caches, percent or USD.
    where: file:line:column; null for what holds without a limit in the manifest.
    refused: Whether apply refuses the plan because of it; else it is a warning.
    """

    limit: LimitKey
    most: Annotated[float, must("be a number from 0 to 10^15", ge=0, le=10**15)]
    where: ShownText | None
    refused: bool
    why: ShownText


def broken_limits(breaches: Iterable[Breach]) -> tuple[BrokenLimit, ...]:
    return tuple(
        BrokenLimit(
            limit=convert(breach.dotted, LimitKey),
            most=float(breach.bound.most),
            where=breach.bound.where,
            refused=breach.refuses,
            why=breach_text(breach),
        )
        for breach in breaches
    )


def limit_sentences(limits: Sequence[BrokenLimit]) -> Iterator[str]:
    """Say of each whether it is refused, and in the end how to go beyond all of them."""
    for limit in limits:
        yield f"{'Refused' if limit.refused else 'Warning'}: {limit.why}"
    if refused := [limit.limit for limit in limits if limit.refused]:
        yield way_out(refused)


def breach_text(breach: Breach) -> str:
    """Name what goes beyond a limit, the limit, its bound and where it stands."""
    match breach:
        case TooMany():
            return _too_many(breach)
        case TooDear():
            return _too_dear(breach)


def way_out(refused: Iterable[str]) -> str:
    """Say how to go beyond the *refused* limits all the same."""
    limits = dict.fromkeys(limit.partition(".")[0] for limit in refused)
    options = " ".join(f"--override {limit}" for limit in limits)
    return (
        f"If that is meant, add {options}, or have the plan approved and apply it with --plan "
        "or --expect."
    )


def _too_many(breach: TooMany) -> str:
    taken = (
        f"These edits {breach.limit} {len(breach.names):,} of {breach.of:,} caches on record "
        f"({listed(breach.names, _NAMED)}), "
    )
    if breach.bound.where is None:
        return f"{taken}more than half of them, and no limits.{breach.limit} allows that."
    percent = "%" if breach.key == "percent" else ""
    return f"{taken}{_allowed(breach, f'{breach.bound.most}{percent}')}"


def _too_dear(breach: TooDear) -> str:
    span, unit = (" for 30 days", "") if breach.limit is Limit.RENT_TOTAL else ("", "/h")
    unknown = f"unknown, for {listed(breach.unpriced, _NAMED)} has no price"
    rent = unknown if breach.unpriced else usd(breach.rent, unit)
    most = usd(Money.of(int(breach.bound.most * NANO)), unit)
    return f"The rent{span} of what stays after this plan is {rent}, {_allowed(breach, most)}"


def _allowed(breach: Breach, most: str) -> str:
    return f"and limits.{breach.dotted} ({breach.bound.where}) allows {most}."
