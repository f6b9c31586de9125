"""
A plan as JSON, in the shape of `schemas/plan.schema.json`.

Numbers are whole and moments RFC 3339; all else is for people and found in `why`.  Within a
`format_version` keys are only added.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from provisioner.cache import Json
from provisioner.model import (
    After,
    Change,
    Delete,
    Desired,
    Forget,
    Leave,
    Plan,
    Retire,
)
from provisioner.model.limits import Breach
from provisioner.model.words import after_words, life_words, settings_words
from provisioner.render.escape import json_text
from provisioner.render.limits import breach_words
from provisioner.render.row import Row, rows
from provisioner.render.side import Side
from provisioner.render.summary import counts
from provisioner.times import moment_text

FORMAT_VERSION = 1


def plan_json(plan: Plan, *, valid_until: datetime | None, breaches: Iterable[Breach] = ()) -> str:
    """Spell the whole of *plan*, with what stays as it is."""
    edits = sorted(plan.edits, key=lambda edit: edit.name)
    declared = sorted(
        (want for want in map(_wanted, plan.changes) if want), key=lambda want: want.name
    )
    return json_text(
        {
            "format_version": FORMAT_VERSION,
            "stack": plan.stack,
            "at": moment_text(plan.at),
            "valid_until": moment_text(valid_until) if valid_until else None,
            "fingerprint": plan.fingerprint,
            "partial": plan.is_partial,
            "summary": counts(plan),
            "limits": [breach_words(breach) for breach in breaches],
            "changes": [row_words(row) for row in rows(plan)],
            "edits": [_named(edit.name, edit.after) for edit in edits],
            "desired": [_named(want.name, want.after) for want in declared],
        }
    )


def row_words(row: Row) -> dict[str, Json]:
    """One change, as in a plan and in the result of an apply."""
    return {
        "name": row.name,
        "provider": row.provider,
        "action": row.action,
        "reason": row.reason.value,
        "cause": row.cause.value if row.cause else None,
        "pending": row.pending,
        "why": row.sentence,
        "before": _side(row.before),
        "after": _side(row.after),
    }


def _side(side: Side | None) -> Json:
    if side is None:
        return None
    return {
        "provider": side.provider,
        "model": side.model,
        "digest": side.digest,
        "life": life_words(side.life) if side.life else None,
        "settings": settings_words(side.settings) if side.settings else None,
        "paths": side.paths,
        "size": side.size,
        "tokens": side.tokens.count if side.tokens else None,
        "tokens_estimated": side.tokens.estimated if side.tokens else None,
        "expires_at": moment_text(side.expires_at) if side.expires_at else None,
        "id": side.id,
    }


def _named(name: str, after: After | None) -> dict[str, Json]:
    return {"name": name, "after": after_words(after) if after else None}


def _wanted(change: Change) -> Desired | None:
    match change:
        case Retire() | Delete() | Forget() | Leave():
            return None
        case _:
            return change.want
