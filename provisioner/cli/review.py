"""`ctxprov render`, `changed`, `comment` and `approved`: what a review needs, without a key."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from provisioner import runtime
from provisioner.cache import Json
from provisioner.catalog import load_catalog
from provisioner.cli import console, terminal
from provisioner.cli.documents import plan_page, write
from provisioner.cli.options import Out, with_json
from provisioner.cli.status import Status
from provisioner.cli.terminal import program_ports
from provisioner.environment import process_environment
from provisioner.escape import json_text, plain
from provisioner.manifest import load_frame
from provisioner.model.plan import Plan
from provisioner.operations.approvals import plan_views
from provisioner.operations.checkout import git_around
from provisioner.operations.compare_revisions import StackChanges
from provisioner.render.plan_table import plan_text
from provisioner.review.job import approval_under, merged_review, review_of_job, write_under
from provisioner.view.plan import PlanView

_STALE = "No open request for review has this commit at its head any more; nothing is written."


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


def list_changed_stacks(folder: Path, base: str, *, models: Path | None, as_json: bool) -> Status:
    """List the stacks that a branch edits."""
    console.output_is_the_work()
    ports = program_ports()
    changes = StackChanges(ports, git_around(ports, folder), base, load_catalog(models))
    edited = [
        (stack, environment)
        for stack, environments in sorted(changes.edited())
        for environment in environments
    ]
    if as_json:
        rows: list[Json] = [
            {
                "stack": str(stack),
                "env": environment or "",
                "removed": changes.is_removed(stack, environment),
            }
            for stack, environment in edited
        ]
        console.document(json_text({"include": rows}), form="json")
    else:
        for stack, environment in edited:
            console.say(plain(f"{stack} --env {environment}" if environment else str(stack)))
    return Status.OK


def write_comment(files: tuple[Path, ...], *, number: int | None, author: str | None) -> Status:
    """Show plans in one comment under a pull request or merge request."""
    views = [view for file in files for view in plan_views(file)]
    forge = review_of_job(process_environment(), number, author)
    console.say(write_under(forge, views) if forge else _STALE)
    return Status.OK


def print_approval(stack: Path, *, environment: str | None, author: str | None) -> Status:
    """Print what the review of this commit approved, for apply --expect."""
    console.output_is_the_work()
    name = load_frame(stack, environment=environment).stack
    approval = approval_under(merged_review(process_environment(), author), name)
    nothing = Plan(stack=name, at=runtime.SYSTEM.now(), changes=(), edits=frozenset())
    console.say(str(approval or nothing.fingerprint))
    return Status.OK
