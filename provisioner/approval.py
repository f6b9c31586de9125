"""
Whether what would be done now is what somebody approved then.

A plan is approved as a document and applied later, elsewhere, after time has passed.  What
counts is what each name asks for: an edit is approved if its *after* is the approved one for
that name, a removal if it was approved.  What is done already, less, time and drift go
through; anything more whose cause is an edit does not.  Pure; files are read elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import orjson
from msgspec import Struct

from provisioner.cache import Json
from provisioner.errors import CtxprovError
from provisioner.model import After, Cause, Plan, Reason, name_of_change
from provisioner.model.words import parse_after


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


def parse_approval(raw: bytes, *, where: str) -> Approval:
    """Read a plan in JSON.  Raises CtxprovError if *raw* is anything else."""
    try:
        return _approval(orjson.loads(raw))
    except ValueError as error:
        raise CtxprovError(
            f"{where} is not a plan of this version ({error}). "
            "Make one with: ctxprov plan --out json=plan.json"
        ) from error


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


def _approval(document: Json) -> Approval:
    match document:
        case {
            "format_version": 1,
            "partial": False,
            "stack": str(stack),
            "fingerprint": str(fingerprint),
            "edits": list(edits),
            "desired": list(desired),
            "changes": list(changes),
        }:
            return Approval(
                stack=stack,
                fingerprint=fingerprint,
                desired={name: parse_after(after) for name, after in _named(desired)},
                removed=frozenset(name for name, after in _named(edits) if after is None),
                requested=frozenset(_requested(changes)),
            )
        case {"partial": True}:
            raise ValueError("it is a part of a plan, selected by name")
        case _:
            raise ValueError("format_version, stack, edits and desired are not all there")


def _named(rows: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    for row in rows:
        match row:
            case {"name": str(name), "after": after}:
                yield name, after
            case _:
                raise ValueError("an edit lacks its name or its after")


def _requested(changes: Iterable[Json]) -> Iterator[str]:
    for change in changes:
        match change:
            case {"name": str(name), "reason": "requested"}:
                yield name
            case _:
                pass
