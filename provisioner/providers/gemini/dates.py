"""
What time it is for a provider, by the Date of its answers.

Decides which of several answers tells the time best.  Measures by the seconds since boot, so
that a wall clock that is wrong, or set in the middle, changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from provisioner.providers.gemini.refusals import read_http_date

_YEARS = range(2000, 9000)
"""What else a header says is no date, and would overflow a sum."""
_AGE = re.compile(r"\d{1,8}", re.ASCII)


class Dated(Struct, frozen=True, kw_only=True):
    """The Date of one answer (aware UTC, whole seconds), plus its Age if a cache gave it."""

    date: datetime
    sent: float
    """When its request went out, in seconds since boot."""
    received: float
    """When the answer was there, in seconds since boot."""

    @property
    def beginning(self) -> datetime:
        """When this machine booted, if the answer is right: the latest of several is."""
        return self.date - timedelta(seconds=self.received)


def read_dated(headers: Mapping[str, str], *, sent: float, received: float) -> Dated | None:
    """Read what an answer says of the time; None if it says nothing that can be read."""
    date = read_http_date(headers.get("date", ""))
    if date is None or date.year not in _YEARS:
        return None
    age = headers.get("age", "")
    seconds = int(age) if _AGE.fullmatch(age) else 0
    return Dated(date=date + timedelta(seconds=seconds), sent=sent, received=received)


def better(one: Dated | None, other: Dated | None) -> Dated | None:
    """Of two answers the one that puts the present later."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda dated: dated.beginning)
