"""
A forecast as text and JSON, and the sentence that says whether a schedule fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct

from provisioner.escape import json_text, plain
from provisioner.model.money import UNSPENT, Spent
from provisioner.render.layout import Column, table
from provisioner.times import duration_text
from provisioner.view.money import money_view
from provisioner.view.money_text import usd

_COLUMNS = (
    Column(title="NAME"),
    *(
        Column(title=title, right=True)
        for title in ("REFRESHES", "MADE AGAIN", "COLD", "TO CREATE", "RENT", "AT WORST")
    ),
)


def schedule_sentence(
    name: str | None, *, ttl: timedelta, window: timedelta, every: timedelta
) -> str:
    """Whether runs *every* so often keep the most demanding cache warm."""
    if name is None:
        return "Nothing is kept warm, so no schedule is needed."
    often = duration_text(every)
    if every > window:
        return plain(
            f"A run every {often} does not keep {name} warm (ttl {duration_text(ttl)}): "
            f"run at least every {duration_text(window)}."
        )
    return plain(
        f"A run every {often} keeps all caches warm. If runs stop, {name} expires first, "
        f"after {duration_text(window)}."
    )


class CacheFuture(Struct, frozen=True, kw_only=True):
    """What becomes of one cache, as it is shown."""

    name: str
    refreshes: int
    creations: int
    """Besides the first."""
    cold: timedelta
    spent: Spent


class Future(Struct, frozen=True, kw_only=True):
    """What becomes of a stack."""

    stack: str
    runs: int
    missed: int
    schedule: str
    """Whether the schedule fits, in a sentence."""
    caches: tuple[CacheFuture, ...]

    @property
    def spent(self) -> Spent:
        return sum((one.spent for one in self.caches), UNSPENT)


def forecast_text(future: Future) -> str:
    cells = []
    for one in future.caches:
        paid = one.spent.creations, one.spent.rent, one.spent.rent_by_ttl
        counts = str(one.refreshes), str(one.creations), duration_text(one.cold)
        cells.append((plain(one.name), *counts, *map(usd, paid)))
    lines = table(_COLUMNS, cells)
    runs = f"{future.runs} runs, {future.missed} missed."
    sentences = [runs, future.schedule, *_money(future.spent)]
    return "\n".join([*lines, "", *sentences]) + "\n"


def forecast_json(future: Future) -> str:
    caches = [
        {
            "name": one.name,
            "refreshes": one.refreshes,
            "creations": one.creations,
            "cold_seconds": int(one.cold.total_seconds()),
            **_spent_json(one.spent),
        }
        for one in future.caches
    ]
    return json_text(
        {
            "format_version": 1,
            "stack": future.stack,
            "runs": future.runs,
            "missed": future.missed,
            "schedule": future.schedule,
            "totals": _spent_json(future.spent),
            "caches": caches,
        }
    )


def _money(spent: Spent) -> Iterator[str]:
    """What all of it costs, and what the schedule has to do with it."""
    if spent.creations or spent.rent:
        again = f", {usd(spent.again)} of it for what had died" if spent.again else ""
        yield f"Money: {usd(spent.creations)} to create{again}; {usd(spent.rent)} of rent."
    if spent.rent_by_ttl != spent.rent:
        yield f"If every granted life is billed whole, the rent is {usd(spent.rent_by_ttl)}."


def _spent_json(spent: Spent) -> dict[str, object]:
    return {
        "paid_to_create": money_view(spent.first),
        "paid_to_create_again": money_view(spent.again),
        "rent": money_view(spent.rent),
        "rent_billed_by_ttl": money_view(spent.rent_by_ttl),
    }
