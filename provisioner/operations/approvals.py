"""
Approval from elsewhere: by a plan that was reviewed, or by the word that `approved` prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from provisioner.approval import Approval, Undone, approval_of
from provisioner.errors import CtxprovError, Refused
from provisioner.files import read_whole
from provisioner.model.plan import Plan
from provisioner.operations.session import Misuse
from provisioner.render.difference import objection_lines
from provisioner.view.plan import PlanView
from provisioner.view.plan_reader import read_plans
from provisioner.view.snapshot import after_view


def approval_by(plan_file: Path | None, expect: Approval | None, *, stack: str) -> Approval | None:
    """What was approved elsewhere; None if the person who runs this approves."""
    if plan_file and expect:
        raise Misuse("--plan and --expect are two ways to say the same: give one.")
    if plan_file is None:
        return expect
    return approval_among(plan_views(plan_file), stack=stack, where=str(plan_file))


def approval_among(views: Iterable[PlanView], *, stack: str, where: str) -> Approval:
    """What the plan of *stack* approves that is in *where*.  Raises Refused if none is."""
    by_stack = {view.stack: view for view in views}
    if stack not in by_stack:
        others = ", ".join(sorted(by_stack))
        raise Refused(f"{where} is a plan of the stack {others}, not of {stack}.")
    return approval_of(by_stack[stack])


def undone_lines(undone: Undone, plan: Plan, approval: Approval) -> Iterator[str]:
    """Name the edits of *plan* that are not approved, each with what is another in it."""
    wanted = {edit.name: after_view(edit.after) for edit in plan.edits if edit.after}
    names = sorted(undone.names)
    yield "Not approved, and left undone:"
    yield from objection_lines(
        ((name, approval.desired.get(name), wanted.get(name)) for name in names),
        sorted(undone.settings),
    )


def plan_views(file: Path) -> tuple[PlanView, ...]:
    """
    Read the plan in *file*, which may come from a job that is not trusted, or those of several.

    Raises CtxprovError for anything else.
    """
    return read_plans(content_of(file), where=str(file))


def content_of(file: Path) -> bytes:
    """Read a *file* that holds an approval.  Raises CtxprovError."""
    try:
        return read_whole(file, follow=True)
    except OSError as error:
        raise CtxprovError(f"{file} cannot be read: {error.strerror}.") from error
