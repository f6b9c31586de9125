"""
The one reader of plan documents: of those that show a plan and of the one that applies it.

So nothing can be approved that is not shown.  The document is untrusted, and a trusted job
may publish what is made of it: what can be worked out is worked out again and compared, and
what is not exactly of the shape of `PlanView` is refused.  Where the bytes come from is not
known here.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from hashlib import sha256
from itertools import islice
from operator import itemgetter
from typing import get_args

from msgspec import convert
from msgspec.structs import replace

from provisioner.documents import Fault, NotJson, faults_of_document, newer, parse_json
from provisioner.errors import CtxprovError, clipped
from provisioner.escape import plain
from provisioner.model.attributes import after_fields
from provisioner.model.changes import Change, Reason
from provisioner.model.plan import fingerprint_of
from provisioner.planner.decision_table import REASONS
from provisioner.pricing import totals
from provisioner.view.plan import (
    DeclaredView,
    EditView,
    PlanView,
    RowView,
    leftover_command,
    summary,
)
from provisioner.view.snapshot import AfterView, Snapshot
from provisioner.view.wording import Section, section_of

_IDLE = frozenset(kind.verb for kind in get_args(Change) if not kind.acts)
_LONGEST = 200
_MOST_FAULTS = 100


def read_plans(raw: bytes, *, where: str) -> tuple[PlanView, ...]:
    """
    Read the plan document *raw*, or that of several stacks, each once; *where* names it.

    Raises CtxprovError for any other document, also for one that a newer ctxprov wrote.
    """
    try:
        views = tuple(_plan(document, place) for place, document in _documents(raw))
        _check_once("stack", (view.stack for view in views))
    except (ValueError, RecursionError, OverflowError) as error:
        sentence = f"it {error}" if isinstance(error, NotJson) else str(error)
        why = clipped(plain(sentence), _LONGEST)
        if isinstance(error, Fault) and error.is_new:
            raise CtxprovError(newer(where, why)) from error
        raise CtxprovError(
            f"{where} is not a plan of this version ({why}). "
            "Make one with: ctxprov plan --out json=plan.json"
        ) from error
    return views


def _documents(raw: bytes) -> Iterator[tuple[str, object]]:
    """Each plan with its place in the document."""
    match parse_json(raw):
        case {"format_version": 1, "stacks": []}:
            raise NotJson("holds no plan")
        case {"format_version": 1, "stacks": list(several)}:
            yield from ((f"stacks.{at}", document) for at, document in enumerate(several))
        case document:
            yield "", document


def _plan(document: object, place: str) -> PlanView:
    try:
        view = convert(document, PlanView)
    except ValueError as error:
        raise _fault(document, place) or error from error
    view = _upgraded(view)
    _check_terms(view)
    _check_worked_out(view)
    _check_shown(view)
    return view


def _upgraded(view: PlanView) -> PlanView:
    """
    A plan from before settings were edits, with the fingerprint that its edits have today.

    The earlier fingerprint was SHA-256 over the name of the stack and the sorted edits
    themselves.  It has to be that of the edits, too; any other plan is returned as it is.
    """
    edits = [[edit.name, edit.after and after_fields(edit.after.after)] for edit in view.edits]
    text = json.dumps([view.stack, sorted(edits, key=itemgetter(0))], sort_keys=True)
    if view.settings or view.rested or view.fingerprint != sha256(text.encode()).hexdigest():
        return view
    return replace(view, fingerprint=fingerprint_of(view.stack, view.digests))


def _fault(document: object, place: str) -> Fault | None:
    """What to report of *document*: an unknown key only if nothing else is wrong."""
    faults = islice(faults_of_document(document, PlanView), _MOST_FAULTS)
    fault = min(faults, key=lambda fault: fault.is_new, default=None)
    return fault.under(place) if fault and place else fault


def _check_terms(view: PlanView) -> None:
    """Refuse moments in another zone, and durations and shares that are out of bounds."""
    snapshots = [side for row in view.rows for side in (row.before, row.after) if side]
    entries: tuple[EditView | DeclaredView, ...] = (*view.edits, *view.rested, *view.declared)
    parts: list[AfterView | Snapshot] = [entry.after for entry in entries if entry.after]
    parts += snapshots
    lives = {part.life for part in parts if part.life}
    for life in lives:
        life.life()
    for settings in {part.settings for part in parts if part.settings}:
        settings.settings()
    moments = [view.at, view.valid_until, view.next_refresh, *(row.gone_at for row in view.rows)]
    for side in snapshots:
        moments += (side.created_at, side.refresh_at, side.expires_at)
    for moment in (*moments, *(life.expires_at for life in lives)):
        if isinstance(moment, datetime) and moment.tzinfo is not UTC:
            raise ValueError(f"the moment {moment.isoformat()} is not in UTC: end it with Z")


def _check_worked_out(view: PlanView) -> None:
    """Hold what can be worked out against what the document says."""
    costs = [row.cost for row in view.rows if row.cost]
    if view.summary != summary((row.action, row.reason) for row in view.rows):
        raise ValueError("its summary does not count its changes")
    if view.fingerprint != fingerprint_of(view.stack, view.digests):
        raise ValueError("its fingerprint is not that of its edits")
    if view.totals != totals(costs) or len(costs) != len(view.rows):
        raise ValueError("its totals are not those of its changes")
    if view.leftover and view.leftover.command != leftover_command(view.leftover):
        raise ValueError("the command of its leftover is another than its parts make")
    for row in view.rows:
        if row.cause != row.reason.cause or not _follows(row):
            raise ValueError(f"the change of {row.name} does not follow from its reason")


def _follows(row: RowView) -> bool:
    """Whether its reason is one that its verb can have, and it stands where both put it."""
    if row.reason not in REASONS[row.action]:
        return False
    idle = row.action in _IDLE or (row.action, row.reason) == ("forget", Reason.RETIRED)
    unmet = (row.action, row.reason, row.section) == ("keep", Reason.ENDED, Section.EDITS)
    return row.pending is not idle and (unmet or row.section is section_of(row.action, row.reason))


def _check_shown(view: PlanView) -> None:
    """Hold edits and declared entries against each other and against the rows."""
    edits = (*view.edits, *view.rested)
    _check_once("edit", (edit.name for edit in edits))
    _check_once("setting", (edit.key for edit in view.settings))
    _check_once("declared entry", (want.name for want in view.declared))
    declared = {want.name: want.after for want in view.declared}
    for edit in edits:
        if declared.get(edit.name) != edit.after:
            raise ValueError(f"the edit of {edit.name} is not what it declares")
    for edit in view.unshown:
        if edit.after:  # a removal without a row is shown by name
            raise ValueError(f"no change shows the edit of {edit.name}")
    kept = declared.keys() - {edit.name for edit in edits}
    shown = {row.name for row in view.rows if _shows_as_kept(row, declared.get(row.name))}
    for name in sorted(kept - shown):
        raise ValueError(f"no change shows what {name} declares")
    for row in view.rows:
        if row.provider != (row.after or row.before or row).provider:
            raise ValueError(f"the provider of {row.name} is not the one that its change shows")


def _shows_as_kept(row: RowView, declared: AfterView | None) -> bool:
    """Whether *row* shows what is declared both as recorded and as asked for."""
    sides = (row.before, row.after)
    return declared is not None and all(side and side.asked == declared for side in sides)


def _check_once(what: str, names: Iterable[str]) -> None:
    for name, number in Counter(names).items():
        if number > 1:
            raise ValueError(f"the {what} {name} is there twice")
