"""The wall clock, read here and passed on as a value."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from provisioner.times import duration_text, parse_duration, parse_moment

HORIZON = timedelta(days=3650)
"""No command looks farther ahead, and none waits longer."""


def now() -> datetime:
    """This moment, aware UTC."""
    return datetime.now(UTC)


class Moment(click.ParamType[datetime]):
    """`+6h` from now, or an RFC 3339 moment."""

    name = "moment"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        if isinstance(value, datetime):
            return value
        here = now()
        try:
            ahead = _ahead(value, here)
        except ValueError:
            self.fail(f"{value!r} is neither +6h nor 2026-12-24T18:00:00Z", param, ctx)
        if ahead > HORIZON:
            self.fail(f"{value!r} is more than {duration_text(HORIZON)} ahead", param, ctx)
        return here + ahead


def _ahead(text: str, here: datetime) -> timedelta:
    if text.startswith("+"):
        return parse_duration(text.removeprefix("+"))
    return parse_moment(text) - here
