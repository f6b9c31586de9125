"""What is said beside the result, on standard error, made harmless."""

from __future__ import annotations

from collections.abc import Iterable

import click

from provisioner.errors import Problem
from provisioner.render.escape import plain


def tell_warnings(warnings: Iterable[Problem]) -> None:
    for warning in warnings:
        click.echo(plain(f"warning: {warning}"), err=True)


def tell(sentence: str) -> None:
    click.echo(plain(sentence), err=True)
