"""What is said beside the result, on standard error, made harmless."""

from __future__ import annotations

from collections.abc import Sequence

import click

from provisioner.errors import Problem
from provisioner.render.escape import plain


def tell_warnings(warnings: Sequence[Problem], *, most: int | None) -> None:
    """Tell the first *most* of them; the rest is counted."""
    for warning in warnings[:most]:
        tell(f"warning: {warning}")
    rest = 0 if most is None else len(warnings) - most
    if rest > 0:
        tell(f"… and {rest:,} more warnings; ctxprov validate tells all of them.")


def tell(sentence: str) -> None:
    click.echo(plain(sentence), err=True)
