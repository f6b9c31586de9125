"""What is said beside the result, on standard error, made harmless."""

from __future__ import annotations

from collections.abc import Iterable

import click

from provisioner.errors import CtxprovError, ManifestError, Problem
from provisioner.render.escape import plain


def tell_warnings(warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        click.echo(plain(f"warning: {warning}"), err=True)


def tell(sentence: str) -> None:
    click.echo(plain(sentence), err=True)


def tell_error(error: CtxprovError) -> None:
    """Print an expected failure on standard error, made harmless."""
    if isinstance(error, ManifestError):
        for problem in error.problems:
            click.echo(plain(str(problem)), err=True)
        count = len(error.problems)
        click.echo(f"{count} problem{'s' * (count != 1)}; nothing was changed.", err=True)
    else:
        click.echo(f"Error: {plain(str(error))}", err=True)
