"""
Money as JSON and back: dollars as numbers, and null for what has no price.

Whoever reads has checked the shape before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, TypeAlias

from provisioner.cache import Json
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

Shaped: TypeAlias = Mapping[str, Any]
"""A piece of a plan, of the shape that its schema gives."""


def money_json(money: Money | None) -> dict[str, Json] | None:
    """In dollars; `usd` is null if nothing in it has a price."""
    if money is None:
        return None
    unknown = money.partial and not money.nano
    return {
        "usd": None if unknown else float(money.usd),
        "estimated": money.estimated,
        "partial": money.partial,
    }


def cost_json(cost: Cost) -> dict[str, Json]:
    return {
        **_figures_json(cost.figures),
        "overlap": money_json(cost.overlap),
        "rent_30_days": money_json(cost.month),
        "ends_on": _day(cost.ends_on),
        "old_ends_on": _day(cost.old_ends_on),
        "use": _use_json(cost.use),
        "steps": [_step_json(step) for step in cost.steps],
    }


def totals_json(totals: Totals) -> dict[str, Json]:
    return {
        "lines": totals.lines,
        "unpriced": totals.unpriced,
        **_figures_json(totals.figures),
        "overlap": money_json(totals.overlap),
        "rent_30_days": money_json(totals.month),
        "net_per_hour": money_json(totals.net_per_hour),
        "steps": [_step_json(step) for step in totals.steps],
    }


def _figures_json(figures: Figures) -> dict[str, Json]:
    return {
        "once": money_json(figures.once),
        "rent_per_hour_before": money_json(figures.before),
        "rent_per_hour_after": money_json(figures.after),
        "rent_per_hour_change": money_json(figures.delta),
    }


def _day(day: date | None) -> str | None:
    return day.isoformat() if day else None


def _step_json(step: Step) -> dict[str, Json]:
    return {
        "on": step.on.isoformat(),
        **_figures_json(step.figures),
        "use": _use_json(step.use),
    }


def _use_json(use: Use | None) -> dict[str, Json] | None:
    match use:
        case CacheUse():
            return {
                "creation": money_json(use.creation),
                "pays_from_calls_per_hour": _ratio(use.pays_from),
                "pays_from_calls_per_hour_implicit": _ratio(use.pays_from_implicit),
                "implicit_hits": float(use.implicit_hits),
                "net_per_hour": money_json(use.net_per_hour),
                "worst_rent": _ratio(use.worst_rent),
            }
        case AnnotationUse():
            return {
                "write": money_json(use.write),
                "pays_after_calls": _ratio(use.pays_after),
                "net_per_hour": money_json(use.net_per_hour),
            }
        case None:
            return None


def _ratio(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)


def parse_cost(name: str, json: Shaped) -> Cost:
    """Read what `cost_json` wrote of the change of *name*."""
    return Cost(
        name=name,
        figures=_parse_figures(json),
        overlap=parse_money(json["overlap"]),
        month=parse_money(json["rent_30_days"]),
        ends_on=_parse_day(json.get("ends_on")),
        old_ends_on=_parse_day(json.get("old_ends_on")),
        steps=tuple(map(_parse_step, json["steps"])),
        use=_parse_use(json["use"]),
    )


def parse_totals(json: Shaped) -> Totals:
    """Read what `totals_json` wrote."""
    return Totals(
        lines=json["lines"],
        unpriced=json["unpriced"],
        figures=_parse_figures(json),
        overlap=parse_money(json["overlap"]),
        month=parse_money(json["rent_30_days"]),
        net_per_hour=_parse_maybe(json["net_per_hour"]),
        steps=tuple(map(_parse_step, json["steps"])),
    )


def parse_money(json: Shaped) -> Money:
    """Read what `money_json` wrote of an amount."""
    usd = json["usd"]
    nano = 0 if usd is None else round(Decimal(str(usd)) * NANO)
    return Money(nano, json["estimated"], json["partial"])


def _parse_maybe(json: Shaped | None) -> Money | None:
    return None if json is None else parse_money(json)


def _parse_figures(json: Shaped) -> Figures:
    return Figures(
        once=parse_money(json["once"]),
        before=parse_money(json["rent_per_hour_before"]),
        after=parse_money(json["rent_per_hour_after"]),
        delta=parse_money(json["rent_per_hour_change"]),
    )


def _parse_day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _parse_step(json: Shaped) -> Step:
    return Step(
        on=date.fromisoformat(json["on"]),
        figures=_parse_figures(json),
        use=_parse_use(json["use"]),
    )


def _parse_use(json: Shaped | None) -> Use | None:
    match json:
        case None:
            return None
        case {"creation": creation}:
            return CacheUse(
                creation=parse_money(creation),
                pays_from=_parse_ratio(json["pays_from_calls_per_hour"]),
                pays_from_implicit=_parse_ratio(json["pays_from_calls_per_hour_implicit"]),
                implicit_hits=Decimal(str(json["implicit_hits"])),
                net_per_hour=_parse_maybe(json["net_per_hour"]),
                worst_rent=Decimal(str(json["worst_rent"])),
            )
        case _:
            return AnnotationUse(
                write=parse_money(json["write"]),
                pays_after=_parse_ratio(json["pays_after_calls"]),
                net_per_hour=_parse_maybe(json["net_per_hour"]),
            )


def _parse_ratio(number: float | None) -> Decimal | None:
    return None if number is None else Decimal(str(number))
