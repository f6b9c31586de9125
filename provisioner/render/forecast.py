"""
A forecast as text and JSON, and the sentence that says whether a schedule fits.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from msgspec.structs import asdict

from provisioner.escape import json_text, plain
from provisioner.model.money import Spent
from provisioner.render.layout import Column, table
from provisioner.times import duration_text
from provisioner.view.forecast import Forecast, Tolerance
from provisioner.view.units import usd

_COLUMNS = (
    Column(title="NAME"),
    *(
        Column(title=title, right=True)
        for title in ("REFRESHES", "MADE AGAIN", "COLD", "TO CREATE", "RENT", "AT WORST")
    ),
)


def schedule_sentence(tightest: Tolerance | None, every: timedelta) -> str:
    """Whether runs *every* so often keep the most demanding cache warm."""
    if tightest is None:
        return "Nothing is kept warm, so no schedule is needed."
    name, often, window = tightest.name, duration_text(every), duration_text(tightest.window)
    if every > tightest.window:
        return plain(
            f"A run every {often} does not keep {name} warm (ttl {duration_text(tightest.ttl)}): "
            f"run at least every {window}."
        )
    return plain(
        f"A run every {often} keeps all caches warm. If runs stop, {name} expires first, "
        f"after {window}."
    )


def forecast_text(forecast: Forecast) -> str:
    """A line per cache, and below it whether the schedule fits and what it costs."""
    cells = []
    for outlook in forecast.outlooks:
        spent = outlook.spent
        paid = spent.creations, spent.rent, spent.rent_billed_by_ttl
        counts = str(outlook.refreshes), str(outlook.creations), duration_text(outlook.cold)
        cells.append((plain(outlook.name), *counts, *map(usd, paid)))
    lines = table(_COLUMNS, cells)
    runs = f"{forecast.runs} runs, {forecast.missed} missed."
    schedule = schedule_sentence(forecast.tightest, forecast.every)
    return "\n".join([*lines, "", runs, schedule, *_money(forecast.spent)]) + "\n"


def forecast_json(forecast: Forecast) -> str:
    """The same as a document."""
    caches = [
        {
            "name": outlook.name,
            "refreshes": outlook.refreshes,
            "creations": outlook.creations,
            "cold_seconds": int(outlook.cold.total_seconds()),
            **asdict(outlook.spent),
        }
        for outlook in forecast.outlooks
    ]
    return json_text(
        {
            "format_version": 1,
            "stack": forecast.stack,
            "runs": forecast.runs,
            "missed": forecast.missed,
            "schedule": schedule_sentence(forecast.tightest, forecast.every),
            "totals": forecast.spent,
            "caches": caches,
        }
    )


def _money(spent: Spent) -> Iterator[str]:
    """What all of it costs, and what the schedule has to do with it."""
    if spent.creations or spent.rent:
        again = (
            f", {usd(spent.paid_to_create_again)} of it for what had died"
            if spent.paid_to_create_again
            else ""
        )
        yield f"Money: {usd(spent.creations)} to create{again}; {usd(spent.rent)} of rent."
    if spent.rent_billed_by_ttl != spent.rent:
        yield f"If every granted life is billed whole, the rent is {usd(spent.rent_billed_by_ttl)}."
