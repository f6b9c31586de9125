"""A plan on the terminal."""

from __future__ import annotations

import click

from provisioner.cli import terminal
from provisioner.model import Plan
from provisioner.planner import next_refresh, valid_until
from provisioner.render.text import plan_text


def show_plan(told: Plan, *, colour: bool, verbose: bool = False) -> None:
    text = plan_text(
        told,
        width=terminal.width(),
        colour=colour,
        valid_until=valid_until(told),
        next_refresh=next_refresh(told),
        verbose=verbose,
    )
    click.echo(text, nl=False, color=True)
