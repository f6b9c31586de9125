"""
Approval from elsewhere: by a plan that was reviewed, or by the word that `approved` prints.
"""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.approval import Approval, Undone, approval_of
from provisioner.cli.documents import plan_views
from provisioner.cli.messages import tell
from provisioner.errors import Refused
from provisioner.model.plan import Plan
from provisioner.render.difference import objection_lines
from provisioner.view.snapshot import after_view


def approval_by(plan_file: Path | None, expect: Approval | None, *, stack: str) -> Approval | None:
    """What was approved elsewhere; None if the person who runs this approves."""
    if plan_file and expect:
        raise click.UsageError("--plan and --expect are two ways to say the same: give one.")
    return _by_plan(plan_file, stack) if plan_file else expect


def tell_undone(undone: Undone, plan: Plan, approval: Approval) -> None:
    """Name the edits of *plan* that are not approved, each with what is another in it."""
    wanted = {edit.name: after_view(edit.after) for edit in plan.edits if edit.after}
    names = sorted(undone.names)
    tell("Not approved, and left undone:")
    lines = objection_lines(
        ((name, approval.desired.get(name), wanted.get(name)) for name in names),
        sorted(undone.settings),
    )
    for line in lines:
        tell(line)


def _by_plan(file: Path, stack: str) -> Approval:
    views = plan_views(file)
    view = next((one for one in views if one.stack == stack), None)
    if view is None:
        others = ", ".join(sorted(one.stack for one in views))
        raise Refused(f"{file} is a plan of the stack {others}, not of {stack}.")
    return approval_of(view)
