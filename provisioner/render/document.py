"""
A plan as JSON, in the shape of `schemas/plan.schema.json`.

Numbers are whole and moments RFC 3339; all else is for people and found in `why`.  Within a
`format_version` keys are only added.
"""

from __future__ import annotations

from datetime import datetime

from provisioner.cache import Json
from provisioner.escape import json_text
from provisioner.model import Edit, Leftover, SettingEdit
from provisioner.model.attributes import after_fields, life_fields, settings_fields
from provisioner.render.summary import leftover_command
from provisioner.times import moment_text
from provisioner.view.limits import BrokenLimit
from provisioner.view.money import cost_json, totals_json
from provisioner.view.plan import PlanView
from provisioner.view.row import Row
from provisioner.view.snapshot import Side
from provisioner.view.wording import SECTIONS

FORMAT_VERSION = 1


def plan_json(plan: PlanView) -> str:
    """Spell the whole of *plan*, with what stays as it is."""
    return json_text(
        {
            "format_version": FORMAT_VERSION,
            "stack": plan.stack,
            "at": moment_text(plan.at),
            "valid_until": _moment(plan.valid_until),
            "next_refresh": _moment(plan.next_refresh),
            "fingerprint": plan.fingerprint,
            "commit": plan.commit,
            "writes": list(plan.writes),
            "partial": plan.partial,
            "timeless": plan.timeless,
            "summary": dict(plan.counts),
            "limits": [_limit(one) for one in plan.limits],
            "totals": totals_json(plan.totals),
            "changes": [row_words(row) for row in plan.rows],
            "edits": [_named(edit) for edit in plan.edits],
            "desired": [_named(want) for want in plan.declared],
            "rested": [_named(edit) for edit in plan.rested],
            "settings": [_setting(edit) for edit in plan.settings],
            "leftover": _leftover(plan.leftover) if plan.leftover else None,
        }
    )


def row_words(row: Row) -> dict[str, Json]:
    """One change, as in a plan and in the result of an apply."""
    return {
        "name": row.name,
        "provider": row.provider,
        "section": SECTIONS[row.heading],
        "action": row.action,
        "reason": row.reason.value,
        "cause": row.cause.value if row.cause else None,
        "pending": row.pending,
        "why": row.why,
        "before": _side(row.before),
        "after": _side(row.after),
        "gone_at": _moment(row.gone_at),
        "cost": cost_json(row.cost) if row.cost else None,
    }


def _side(side: Side | None) -> Json:
    if side is None:
        return None
    return {
        "provider": side.provider,
        "model": side.model,
        "digest": side.digest,
        "life": life_fields(side.life) if side.life else None,
        "settings": settings_fields(side.settings) if side.settings else None,
        "paths": side.paths,
        "pieces": dict(side.pieces),
        "size": side.size,
        "tokens": side.tokens.count if side.tokens else None,
        "tokens_estimated": side.tokens.estimated if side.tokens else None,
        "created_at": _moment(side.created_at),
        "refresh_at": _moment(side.refresh_at),
        "expires_at": _moment(side.expires_at),
        "id": side.id,
    }


def _limit(limit: BrokenLimit) -> dict[str, Json]:
    return {
        "limit": limit.limit,
        "most": float(limit.most),
        "where": limit.where,
        "refused": limit.refused,
        "why": limit.why,
    }


def _named(edit: Edit) -> dict[str, Json]:
    return {"name": edit.name, "after": after_fields(edit.after) if edit.after else None}


def _leftover(leftover: Leftover) -> dict[str, Json]:
    return {
        "stack": leftover.stack,
        "successor": leftover.successor,
        "caches": list(leftover.caches),
        "state": leftover.state,
        "usual": leftover.usual,
        "key_envs": dict(leftover.key_envs),
        "command": leftover_command(leftover),
    }


def _setting(edit: SettingEdit) -> dict[str, Json]:
    return {"key": edit.key, "before": edit.before, "after": edit.after}


def _moment(moment: datetime | None) -> str | None:
    return moment_text(moment) if moment else None
