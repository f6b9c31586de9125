"""
A forecast as text and JSON, and the sentence that says whether a schedule fits.
"""

from __future__ import annotations

from datetime import timedelta

from provisioner.cache import Json
from provisioner.render.escape import json_text, plain
from provisioner.render.layout import table
from provisioner.times import duration_text


def schedule_sentence(
    name: str | None, *, ttl: timedelta, window: timedelta, every: timedelta
) -> str:
    """Whether runs *every* so often keep the most demanding cache warm."""
    if name is None:
        return "Nothing is kept warm, so no schedule is needed."
    often = duration_text(every)
    if every > window:
        return plain(
            f"Every {often} cannot keep a {duration_text(ttl)} ttl warm ({name}): "
            f"run at least every {duration_text(window)}."
        )
    return plain(
        f"Every {often} keeps everything warm and survives a dead schedule of "
        f"{duration_text(window)} ({name} is the first to go cold)."
    )


def forecast_text(
    rows: list[tuple[str, int, int, timedelta]], *, runs: int, missed: int, sentence: str
) -> str:
    """*rows* are name, refreshes, creations besides the first, and time without a cache."""
    header = ("NAME", "REFRESHES", "MADE AGAIN", "COLD")
    cells = [
        (plain(name), str(refreshes), str(creations), duration_text(cold))
        for name, refreshes, creations, cold in rows
    ]
    lines = table([header, *cells], right=frozenset({1, 2, 3}))
    return "\n".join([*lines, "", f"{runs} runs, {missed} missed.", sentence]) + "\n"


def forecast_json(
    rows: list[tuple[str, int, int, timedelta]],
    *,
    runs: int,
    missed: int,
    sentence: str,
) -> str:
    caches: list[Json] = [
        {
            "name": name,
            "refreshes": refreshes,
            "creations": creations,
            "cold_seconds": int(cold.total_seconds()),
        }
        for name, refreshes, creations, cold in rows
    ]
    return json_text(
        {
            "format_version": 1,
            "runs": runs,
            "missed": missed,
            "schedule": sentence,
            "caches": caches,
        }
    )
