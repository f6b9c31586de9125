"""`ctxprov render`: a plan in JSON as another document."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from provisioner.cli import console, options, terminal
from provisioner.cli.outputs import Out, out_option, with_json, write
from provisioner.cli.plan_file import plan_views
from provisioner.cli.show_plan import plan_page
from provisioner.cli.status import Status
from provisioner.render.plan_table import plan_text
from provisioner.view.plan import PlanView


@click.command("render")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-v", "--verbose", is_flag=True, help="Show every change attribute by attribute.")
@out_option
@options.colour_option
def command(file: Path, *, verbose: bool, outs: tuple[Out, ...], colour: bool | None) -> Status:
    """
    Render a plan in JSON as another document; asks nobody, needs no key.

    FILE is what ctxprov plan --out json=FILE wrote. It may come from a job that is not
    trusted: whatever is not exactly a plan is refused, and nothing in it can act. Without
    --out the plan is shown as text.

    \b
    Examples:
      ctxprov render plan.json
      ctxprov render plan.json --out markdown=comment.md
    """
    views = plan_views(file)
    if outs:
        pages = [plan_page(partial(_same, view), verbose=verbose) for view in views]
        write(with_json(outs, as_json=False), pages)
        return Status.OK
    painted = terminal.wants_colour(colour)
    for view in views:
        text = plan_text(view, width=terminal.width(), colour=painted, verbose=verbose)
        console.show(text)
    return Status.OK


def _same(view: PlanView) -> PlanView:
    return view
