"""The wall clock, read here and passed on as a value."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from provisioner.times import parse_duration, parse_moment


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
        try:
            if value.startswith("+"):
                return now() + parse_duration(value.removeprefix("+"))
            return parse_moment(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is neither +6h nor 2026-12-24T18:00:00Z", param, ctx)
