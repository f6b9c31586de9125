"""The wall clock, read here and passed on as a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

HORIZON = timedelta(days=3650)
"""No command looks farther ahead, and none waits longer."""

SOONEST = timedelta(seconds=30)
"""How soon `apply --watch` runs again at the earliest."""
BRIEF = timedelta(minutes=2)
"""How long a command that only looks waits for a quota that lets nothing through."""
PATIENT = timedelta(minutes=15)
"""And one that changes something."""


def now() -> datetime:
    """This moment, aware UTC."""
    return datetime.now(UTC)
