"""
Edits that rest: approved, and not to be done any more.

An entry whose time has ended, a removal of what is protected: the run that is to perform
them cannot, and neither can any later one.  The state remembers such an edit by its digest,
so that it is open no longer; another after, or a replacement on request, takes it up again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from provisioner.model import Blocked, Edit, Plan, Reason, State


def rested_among(
    edits: Iterable[Edit], state: State, *, stack: str, replace: Collection[str] = ()
) -> frozenset[Edit]:
    """Those of *edits* that rest."""
    return frozenset(
        edit
        for edit in edits
        if edit.name in state.rested
        and edit.name not in replace
        and state.rested[edit.name] == edit.digest(stack)
    )


def rested_by(plan: Plan, before: Mapping[str, str]) -> Mapping[str, str]:
    """The digests of the edits that rest once *plan* is performed, by name; *before* did so far."""
    names = {change.name for change in plan.changes}
    stuck = {
        change.name
        for change in plan.changes
        if isinstance(change, Blocked) or change.reason is Reason.ENDED
    }
    rested = (edit for edit in (*plan.rested, *plan.edits) if edit.name in stuck)
    return {
        **{name: digest for name, digest in before.items() if name not in names},
        **{edit.name: edit.digest(plan.stack) for edit in rested},
    }
