"""
What a cache's thresholds are measured by: its settings, and the life that it was granted.
"""

from __future__ import annotations

from datetime import timedelta

from provisioner.model import (
    Adopt,
    Change,
    Create,
    DesiredCache,
    Keep,
    LiveCache,
    Note,
    RecordedCache,
    Refresh,
    Replace,
    Settings,
    Ttl,
)


def settings_of(change: Change) -> Settings | None:
    """What is asked for, or what is on record where nothing is; None for annotations."""
    match change.want, change.record:
        case DesiredCache(settings=settings), _:
            return settings
        case None, RecordedCache(settings=settings):
            return settings
        case _:
            return None


def granted_of(change: Change) -> timedelta | None:
    """The life that the window is measured by, or will be."""
    match change:
        case Refresh(live=own) | Note(live=own) | Keep(live=LiveCache() as own):
            return timedelta(seconds=round(own.granted.total_seconds()))
        case Create(want=want) | Replace(want=want) | Adopt(want=want):
            return want.life.span if isinstance(want.life, Ttl) else None
        case _:
            return None
