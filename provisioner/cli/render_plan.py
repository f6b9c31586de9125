"""`ctxprov render`: a plan in JSON as another document."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from provisioner.cli import console, terminal
from provisioner.cli.documents import plan_page, plan_views, write
from provisioner.cli.options import Out, with_json
from provisioner.cli.status import Status
from provisioner.render.plan_table import plan_text
from provisioner.view.plan import PlanView


def render_plan(file: Path, *, verbose: bool, outs: tuple[Out, ...], colour: bool | None) -> Status:
    """Render a plan in JSON as another document, offline, without a key."""
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
