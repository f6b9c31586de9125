"""
Until when a plan is true.
"""

from __future__ import annotations

from datetime import datetime

from provisioner.model import (
    TOLERANCE,
    Annotate,
    Blocked,
    Change,
    Create,
    DesiredCache,
    Keep,
    LiveCache,
    Note,
    Plan,
    RecordedCache,
    Until,
)
from provisioner.planner.reasons import alike, refresh_due
from provisioner.planner.schedule import recorded_want


def valid_until(plan: Plan) -> datetime | None:
    """
    The earliest moment at which a change of *plan* would be of another type.

    By the clock of the provider that decides it.
    """
    moments = ((_flips(change), plan.now_of(change.provider)) for change in plan.changes)
    return min((at for at, now in moments if at is not None and at > now), default=None)


def next_refresh(plan: Plan) -> datetime | None:
    """When the first of the caches that are kept is to be refreshed."""
    kept = ((c.want, c.live) for c in plan.changes if isinstance(c, Keep))
    dues = (refresh_due(want, own) for want, own in kept if own and isinstance(want, DesiredCache))
    return min((at for at in dues if at is not None), default=None)


def _flips(change: Change) -> datetime | None:
    match change:
        case Keep(DesiredCache() as want, LiveCache() as own) | Note(want, own):
            return refresh_due(want, own) or own.expires_at
        case Blocked(live=LiveCache() as live, record=RecordedCache() as record) if (
            live.id == record.id
        ):
            return refresh_due(recorded_want("", record), live) or live.expires_at
        case Blocked(live=None, record=RecordedCache() as record):
            return record.expires_at - TOLERANCE
        case Create(DesiredCache(life=Until(moment))):
            return moment
        case Create(want, RecordedCache() as record) if want.settings.keep == "once":
            return record.expires_at - TOLERANCE if alike(want, record) else None
        case Annotate():
            return None
        case _:
            return change.live.expires_at if change.live else None
