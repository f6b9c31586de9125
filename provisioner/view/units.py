"""
Bytes, tokens, spans and moments as people read them: two digits that matter, one unit.

Machines get whole numbers and RFC 3339 instead.  What is measured, and when, is not known
here.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def bytes_text(size: int) -> str:
    """Spell *size* with decimal units: `842 B`, `8.1 kB`, `812 kB`, `1.2 MB`."""
    number, unit = _scaled(size, ("", "k", "M", "G", "T"))
    return f"{number} {unit}B"


def size_text(size: int | None) -> str:
    """Spell *size* as `bytes_text` does, or say that it is unknown."""
    return bytes_text(size) if size else "unknown size"


def tokens_text(count: int, *, estimated: bool = False) -> str:
    """
    Spell *count* as `842`, `8.1k`, `201k` or `1.2M`; `~` says that it is an estimate.

    Zero is a count that is unknown: `?`.
    """
    if not count:
        return "?"
    number, unit = _scaled(count, ("", "k", "M", "G", "T"))
    return f"{'~' if estimated else ''}{number}{unit}"


def span_text(span: timedelta) -> str:
    """Spell *span* with its two largest units, rounded down: `3h 20m`.  Negative is `0s`."""
    rest = max(0, int(span.total_seconds()))
    for (large, unit), (small, below) in pairwise(_UNITS):
        if rest >= large:
            few = rest % large // small
            return f"{rest // large}{unit} {few}{below}" if few else f"{rest // large}{unit}"
    return f"{rest}s"


def listed(names: Sequence[str], most: int) -> str:
    """The first of *names*, and how many more there are than *most*: `a, b, 3 more`."""
    more = [f"{len(names) - most:,} more"] if len(names) > most else []
    return ", ".join([*names[:most], *more])


def moment_short(moment: datetime, *, at: datetime) -> str:
    """Spell *moment* in UTC, with its date unless that is the date of *at*: `14:05Z`."""
    there, here = moment.astimezone(UTC), at.astimezone(UTC)
    return f"{there:%H:%M}Z" if there.date() == here.date() else f"{there:%Y-%m-%d %H:%M}Z"


def when(moment: datetime, *, at: datetime) -> str:
    """Spell *moment* with how far it lies ahead of *at*: `14:05Z (in 3h 20m)`."""
    return f"{moment_short(moment, at=at)} (in {span_text(moment - at)})"


def _scaled(number: int, units: tuple[str, ...]) -> tuple[str, str]:
    """Divide by thousands until three digits are left; a decimal only below ten."""
    scaled, step = float(number), 0
    while round(scaled) >= 1000 and step < len(units) - 1:  # noqa: PLR2004  # as the SI has it
        scaled, step = scaled / 1000, step + 1
    short = step and round(scaled, 1) < 10  # noqa: PLR2004  # 9.96 reads as 10
    return (f"{scaled:.1f}" if short else f"{scaled:.0f}"), units[step]
