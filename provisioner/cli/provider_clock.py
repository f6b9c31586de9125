"""
How far a provider's clock is ahead of this machine's, and whether a person should know.

Decides by the Date of the provider's answers, carried on by the seconds since boot; without
one by the newest time that a cache bears.  Two clocks differ only as far as the answer proves
it: it was written between the sending of its request and its arrival.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from provisioner.cache import CachedContext
from provisioner.providers.gemini.api import ServerDate
from provisioner.times import moment_text

_WORTH_A_WARNING = timedelta(minutes=2)
_RESOLUTION = timedelta(seconds=1)
"""A Date has whole seconds."""


class ProviderClock(Struct, frozen=True, kw_only=True):
    """How far a provider's clock is *ahead* of the local one, and what to warn of."""

    ahead: timedelta = timedelta()
    warning: str | None = None


def clock_of(
    dated: ServerDate | None,
    caches: Iterable[CachedContext],
    *,
    where: str,
    local: datetime,
    boot: float,
) -> ProviderClock:
    """
    Compare the clock at *where* with *local*, which was read at *boot* seconds since boot.

    *caches* are what the provider listed.  None of them can be newer than its present.
    """
    ahead = timedelta() if dated is None else _difference(dated, local, boot)
    newest = max((max(c.created_at, c.updated_at) for c in caches), default=local + ahead)
    if newest - _RESOLUTION > local + ahead:
        ahead = newest - local
    if dated is None:
        return ProviderClock(ahead=ahead, warning=_undated(where, local + ahead))
    return ProviderClock(ahead=ahead, warning=_wrong(where, local, ahead))


def _difference(dated: ServerDate, local: datetime, boot: float) -> timedelta:
    """Zero if the answer may have been written when the local clock says that it was."""
    sent = local - timedelta(seconds=boot - dated.sent)
    received = local - timedelta(seconds=boot - dated.received)
    if sent - _RESOLUTION < dated.date <= received:
        return timedelta()
    return dated.date - received


def _undated(where: str, now: datetime) -> str:
    return (
        f"the answers of {where} bear no Date: what expires is decided as if it were "
        f"{_seconds(now)} there, by the clock of this machine and the newest cache."
    )


def _wrong(where: str, local: datetime, ahead: timedelta) -> str | None:
    if abs(ahead) <= _WORTH_A_WARNING:
        return None
    return (
        f"the clock of this machine says {_seconds(local)}, and {where} says "
        f"{_seconds(local + ahead)}: what expires is decided by the latter. Set this machine's "
        "clock."
    )


def _seconds(moment: datetime) -> str:
    return moment_text(moment.replace(microsecond=0))
