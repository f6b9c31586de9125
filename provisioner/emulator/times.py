"""Moments and durations as Google's JSON spells them, kept as whole nanoseconds.

It decides the two spellings. A `datetime` would lose the last three of nine digits, so it is
only met at the clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = -62_135_596_800 * _SECOND
_LAST: Final = 253_402_300_800 * _SECOND - 1
_LONGEST: Final = 315_576_000_000 * _SECOND
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)


def nanoseconds(moment: datetime) -> int:
    """The aware *moment* since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def is_moment(value: int) -> bool:
    """Whether *value* lies in the years 1 to 9999, the only ones that have a spelling."""
    return _FIRST <= value <= _LAST


def parse_moment(text: str) -> int:
    """Raises ValueError for anything but RFC 3339 with an offset and at most nine digits."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("timestamps must end with 'Z' or have a valid timezone offset")
    whole, digits, zone = match.groups()
    offset = "+00:00" if zone == "Z" else zone
    value = _since_epoch(whole, offset) + int((digits or "").ljust(9, "0"))
    if not is_moment(value):
        raise ValueError("timestamp out of range")
    return value


def parse_duration(text: str) -> int:
    """Raises ValueError for anything but seconds ending in `s`, within 10,000 years."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("duration must end with 's'")
    sign, whole, digits = match.groups()
    value = int(whole) * _SECOND + int((digits or "").ljust(9, "0"))
    if value > _LONGEST:
        raise ValueError("duration out of range")
    return -value if sign else value


def spell_moment(value: int) -> str:
    """`Z`, with 0, 3, 6 or 9 digits: as few as say it all."""
    whole, rest = divmod(value, _SECOND)
    text = (_EPOCH + timedelta(seconds=whole)).isoformat()[:19]
    digits = f"{rest:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def _since_epoch(whole: str, offset: str) -> int:
    """The offset is subtracted by hand: a datetime cannot leave the year 1 or 9999."""
    local = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    seconds = (local - _EPOCH) // timedelta(seconds=1)
    shift = ahead // timedelta(seconds=1)
    return (seconds - shift if offset[0] == "+" else seconds + shift) * _SECOND
