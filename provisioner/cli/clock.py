"""The wall clock, read here and passed on as a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from provisioner.times import duration_text, parse_duration, parse_moment

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


class MomentParam(click.ParamType[datetime | timedelta]):
    """`+6h` from a provider's now, as a span; or an RFC 3339 moment."""

    name = "moment"

    def convert(
        self,
        value: str | datetime | timedelta,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> datetime | timedelta:
        if not isinstance(value, str):
            return value
        try:
            when = _read(value)
        except ValueError:
            self.fail(f"{value!r} is neither +6h nor 2026-12-24T18:00:00Z", param, ctx)
        ahead = when if isinstance(when, timedelta) else when - now()
        if ahead > HORIZON:
            self.fail(f"{value!r} is more than {duration_text(HORIZON)} ahead", param, ctx)
        return when


def _read(text: str) -> datetime | timedelta:
    if text.startswith("+"):
        return parse_duration(text.removeprefix("+"))
    return parse_moment(text)
