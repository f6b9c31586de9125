"""
Durations and moments as text: the one spelling, read and written here.

A duration is whole numbers with `s m h d`, summed: `1h30m`.  A moment is RFC 3339 with
an offset and up to nine digits of fraction; it comes out as aware UTC and goes in as `Z`.
The date of an HTTP header is read only.  This module knows no clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

HORIZON = timedelta(days=3650)
"""The longest span that a person may mean: forecasts, waits and moments ahead end there."""
_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:\d{1,9}[smhd])+", re.ASCII)
_STEP = re.compile(r"(\d+)([smhd])", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII
)


def parse_duration(text: str) -> timedelta:
    """Read `90m` or `1d12h`.  Raises ValueError with what a duration looks like."""
    if not _DURATION.fullmatch(text):
        raise ValueError("a duration is whole numbers with s, m, h or d, such as 90m or 1d12h")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _STEP.findall(text))
    try:
        return timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError("this duration is longer than 999,999,999 days") from error


@lru_cache(maxsize=256)
def duration_text(span: timedelta) -> str:
    """Spell *span* in whole seconds, largest unit first: `1h30m`.  Negative is `0s`."""
    rest = max(0, int(span.total_seconds()))
    parts = []
    for unit, size in _UNITS.items():
        number, rest = divmod(rest, size)
        if number:
            parts.append(f"{number}{unit}")
    return "".join(parts) or "0s"


def parse_moment(text: str) -> datetime:
    """
    Read an RFC 3339 moment as aware UTC; digits past the microsecond are cut.

    Raises ValueError for anything else, a moment without an offset included.
    """
    if not _MOMENT.fullmatch(text):
        raise ValueError("a moment is RFC 3339 with an offset, such as 2026-12-24T18:00:00Z")
    try:
        moment = datetime.fromisoformat(text.upper())
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("this moment lies outside the years 1 to 9999") from error


def moment_text(moment: datetime) -> str:
    """Spell an aware *moment* as RFC 3339 in UTC, with a fraction only if it has one."""
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return f"{utc.isoformat().removesuffix('+00:00')}Z"


@lru_cache(maxsize=16)
def read_http_date(text: str) -> datetime | None:
    """Read the date of a header as aware UTC; None if it is none."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # help reads no header

    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
