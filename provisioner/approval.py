"""
Whether what would be done now is what somebody approved then.

A plan is approved as a document and applied later, elsewhere, after time has passed.  What
counts is what each name asks for: an edit is approved if its *after* is the approved one for
that name, a removal if it was approved.  What is done already, less, time and drift go
through; anything more whose cause is an edit does not.  Pure; files are read elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from provisioner.errors import Refused
from provisioner.model import After, Cause, Plan, Reason, name_of_change
from provisioner.render.view import PlanView


class Approval(Struct, frozen=True, kw_only=True):
    """What was approved: the *after* of every declared cache, kept ones too, and removals."""

    stack: str
    fingerprint: str
    desired: Mapping[str, After]
    removed: frozenset[str]
    requested: frozenset[str]
    """Names that were to be replaced on request."""


class Objection(Struct, frozen=True, kw_only=True):
    """An edit that nobody approved; an *after* of None is a removal, or nothing at all."""

    name: str
    reason: Reason
    approved: After | None
    wanted: After | None


def approval_of(view: PlanView) -> Approval:
    """What approving *view* approves.  Raises Refused for a part of a plan."""
    if view.partial:
        raise Refused(
            f"The plan of {view.stack} is a part of a plan, selected by name. "
            "Make a whole one with: ctxprov plan --out json=plan.json"
        )
    return Approval(
        stack=view.stack,
        fingerprint=view.fingerprint,
        desired={want.name: want.after for want in view.declared if want.after},
        removed=frozenset(edit.name for edit in view.edits if edit.after is None),
        requested=frozenset(row.name for row in view.rows if row.reason is Reason.REQUESTED),
    )


def objections(plan: Plan, approval: Approval) -> tuple[Objection, ...]:
    """What *plan* would do because of edits that *approval* does not hold."""
    after = {edit.name: edit.after for edit in plan.edits}
    return tuple(
        Objection(
            name=name,
            reason=change.reason,
            approved=approval.desired.get(name),
            wanted=after.get(name),
        )
        for change in plan.pending
        if change.reason.cause is Cause.EDIT
        for name in (name_of_change(change),)
        if not _is_approved(name, change.reason, after, approval)
    )


def is_expected(plan: Plan, fingerprint: str) -> bool:
    """Whether *plan* holds exactly the edits of that fingerprint, or none any more."""
    return not plan.edits or plan.fingerprint == fingerprint


def _is_approved(
    name: str, reason: Reason, after: Mapping[str, After | None], approval: Approval
) -> bool:
    if reason is Reason.REQUESTED and name not in approval.requested:
        return False
    wanted = after.get(name)
    if name in after and wanted is None:
        return name in approval.removed
    return wanted is None or approval.desired.get(name) == wanted
