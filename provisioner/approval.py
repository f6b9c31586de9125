"""
Which edits of a plan may be performed, by an approval that was given elsewhere and earlier.

An approval is a set of edits, each known by its digest over stack, name and after.  A run
performs those of them that are still to be done, and what time and drift ask for; an edit
beyond them is left undone and named.  A fingerprint alone approves the whole set that has
it: that of the plan, or the one that the state remembers from the run that was first to
perform it.  Pure; files and comments are read elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from msgspec import Struct, field

from provisioner.model.changes import Reason
from provisioner.model.facts import ApprovedEdits
from provisioner.model.plan import ApprovalText, Plan, fingerprint_of
from provisioner.view.plan import PlanView
from provisioner.view.snapshot import AfterView


class Approval(ApprovalText, frozen=True, kw_only=True):
    """What was approved."""

    requested: frozenset[str] | None = None
    """Names whose replacement was requested then; None if that is for the command line to say."""
    desired: Mapping[str, AfterView] = field(default_factory=lambda: MappingProxyType({}))
    """What entries were to be then, where that is known, to tell what is another now."""


class Undone(Struct, frozen=True, kw_only=True):
    """What is left undone, because it is not approved."""

    names: frozenset[str] = frozenset()
    """Of entries."""
    settings: frozenset[str] = frozenset()
    """Keys of settings of the stack."""

    def __bool__(self) -> bool:
        return bool(self.names or self.settings)

    def __or__(self, other: Undone) -> Undone:
        return Undone(names=self.names | other.names, settings=self.settings | other.settings)


def approval_of(view: PlanView) -> Approval:
    """What approving *view* approves."""
    return Approval(
        fingerprint=view.fingerprint,
        digests=view.digests,
        limits=frozenset(limit.limit for limit in view.limits if limit.refused),
        requested=frozenset(row.name for row in view.rows if row.reason is Reason.REQUESTED),
        desired={want.name: want.after for want in view.declared},
    )


def approved_digests(
    approval: Approval, plans: Iterable[Plan], remembered: ApprovedEdits | None
) -> frozenset[str]:
    """
    Those edits of *plans*, a whole one and a part of it, that are approved.

    *remembered* are those that an earlier run was to perform by an approval.
    """
    return frozenset(digest for plan in plans for digest in _approved(approval, plan, remembered))


def undone(approval: Approval, plan: Plan, approved: Collection[str]) -> Undone:
    """
    What of *plan* is left undone, if the edits with the digests *approved* are approved.

    What is alive under its label needs none: the label proves that it was applied before.
    """
    labelled, requests = _names(plan, Reason.FOUND), _names(plan, Reason.REQUESTED)
    edits = {edit.name for edit in plan.edits if edit.digest(plan.stack) not in approved}
    refused = frozenset() if approval.requested is None else requests - approval.requested
    return Undone(
        names=frozenset(edits - labelled) | refused,
        settings=frozenset(
            edit.key for edit in plan.settings if edit.digest(plan.stack) not in approved
        ),
    )


def _approved(approval: Approval, plan: Plan, remembered: ApprovedEdits | None) -> frozenset[str]:
    digests = plan.digests
    if fingerprint_of(plan.stack, approval.digests) == approval.fingerprint:
        return digests & approval.digests
    if plan.fingerprint == approval.fingerprint:
        return digests
    if remembered and remembered.fingerprint == approval.fingerprint:
        return digests.intersection(remembered.digests)
    return frozenset()


def _names(plan: Plan, reason: Reason) -> frozenset[str]:
    return frozenset(change.name for change in plan.changes if change.reason is reason)
