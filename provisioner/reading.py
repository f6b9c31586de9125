"""
A plan in JSON read back as the view that it was made from.

The file may come from somebody who is not trusted, and what is made of it may be published
by somebody who is: nothing is believed that can be worked out, and whatever is not exactly
of the schema's shape is refused.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from types import MappingProxyType

import orjson
from jsonschema_rs import Draft202012Validator

from provisioner.cache import Json
from provisioner.errors import CtxprovError
from provisioner.model import Edit, Plan, Reason
from provisioner.model.words import parse_after, parse_life, parse_settings
from provisioner.pricing import totals
from provisioner.render.counts import counts
from provisioner.render.escape import plain
from provisioner.render.layout import clip
from provisioner.render.limits import BrokenLimit
from provisioner.render.money_json import Shaped, parse_cost, parse_totals
from provisioner.render.row import Row
from provisioner.render.side import Side, Tokens
from provisioner.render.view import PlanView
from provisioner.render.wording import EDITS, SECTIONS, heading_of
from provisioner.shapes import schema_bytes
from provisioner.times import parse_moment

LARGEST = 256 * 2**20
"""Bytes; some hundred thousand caches."""

_HEADINGS: Mapping[str, str] = MappingProxyType({word: name for name, word in SECTIONS.items()})
_IDLE = frozenset({"keep", "leave", "blocked"})
_EDITED = {Reason.PROVIDER, Reason.MODEL, Reason.CONTENT, Reason.LIFE, Reason.SETTINGS}
_DEAD = {Reason.EXPIRED, Reason.MISSING}
_REASONS: Mapping[str, Collection[Reason]] = MappingProxyType(
    {
        "create": {*_EDITED, *_DEAD, Reason.NEW, Reason.IMPORTED, Reason.REQUESTED},
        "replace": {*_EDITED, Reason.REQUESTED},
        "adopt": {*_EDITED, *_DEAD, Reason.IMPORTED, Reason.FOUND},
        "refresh": {Reason.LIFE, Reason.SETTINGS, Reason.SHORTENED, Reason.EXPIRING},
        "note": {Reason.SETTINGS},
        "annotate": {*_EDITED, Reason.NEW},
        "keep": {Reason.CURRENT, Reason.ENDED},
        "move": {Reason.MOVED},
        "retire": {Reason.UNDECLARED, Reason.RETIRING},
        "delete": {Reason.UNDECLARED, Reason.STRAY},
        "forget": {Reason.UNDECLARED, Reason.RETIRED},
        "leave": {Reason.RETIRING, Reason.STRAY},
        "blocked": {*_EDITED, Reason.IMPORTED, Reason.UNDECLARED},
    }
)
"""What the planner's tables give as reasons for each verb."""
_WORDS = 200


def plan_views_from_json(raw: bytes, *, where: str) -> tuple[PlanView, ...]:
    """Read a plan, or the plans of several stacks.  Raises CtxprovError for anything else."""
    try:
        return tuple(map(_plan, _documents(raw)))
    except (ValueError, RecursionError, OverflowError) as error:
        raise CtxprovError(
            f"{where} is not a plan of this version ({clip(plain(str(error)), _WORDS)}). "
            "Make one with: ctxprov plan --out json=plan.json"
        ) from error


def _documents(raw: bytes) -> list[Json]:
    if len(raw) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 2**20} MiB")
    match orjson.loads(raw):
        case {"format_version": 1, "stacks": []}:
            raise ValueError("it holds no plan")
        case {"format_version": 1, "stacks": list(several)}:
            return several
        case one:
            return [one]


def _plan(document: Json) -> PlanView:
    shaped = _shaped(document)
    edits, found = _edits(shaped["edits"]), tuple(map(_row, shaped["changes"]))
    at = parse_moment(shaped["at"])
    number = counts((row.action, row.reason) for row in found)
    plan = Plan(stack=shaped["stack"], at=at, changes=(), edits=frozenset(edits))
    priced = totals(row.cost for row in found if row.cost)
    if shaped["summary"] != number:
        raise ValueError("its summary does not count its changes")
    if shaped["fingerprint"] != plan.fingerprint:
        raise ValueError("its fingerprint is not that of its edits")
    if parse_totals(shaped["totals"]) != priced or priced.lines != len(found):
        raise ValueError("its totals are not those of its changes")
    view = PlanView(
        stack=plan.stack,
        at=at,
        valid_until=_moment(shaped["valid_until"]),
        next_refresh=_moment(shaped["next_refresh"]),
        fingerprint=plan.fingerprint,
        partial=shaped["partial"],
        timeless=shaped["timeless"],
        commit=shaped["commit"],
        counts=number,
        edits=edits,
        declared=_edits(shaped["desired"]),
        rows=found,
        limits=tuple(map(_limit, shaped["limits"])),
        totals=priced,
    )
    for edit in view.unshown:
        if edit.after:  # a removal without a row is told by name
            raise ValueError(f"no change shows the edit of {edit.name}")
    return view


def _shaped(document: Json) -> Shaped:
    for error in _validator().iter_errors(document):
        place = ".".join(map(str, error.instance_path))
        raise ValueError(f"{place}: {error.message}" if place else error.message)
    assert isinstance(document, Mapping)  # noqa: S101  # so says the schema
    return document


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(schema_bytes("plan")))


def _limit(shaped: Shaped) -> BrokenLimit:
    return BrokenLimit(
        limit=shaped["limit"],
        most=Decimal(str(shaped["most"])),
        where=shaped["where"],
        refused=shaped["refused"],
        why=shaped["why"],
    )


def _edits(shaped: Iterable[Shaped]) -> tuple[Edit, ...]:
    return tuple(
        Edit(one["name"], None if one["after"] is None else parse_after(one["after"]))
        for one in shaped
    )


def _row(shaped: Shaped) -> Row:
    cost, reason = shaped["cost"], Reason(shaped["reason"])
    row = Row(
        heading=_HEADINGS[shaped["section"]],
        action=shaped["action"],
        name=shaped["name"],
        reason=reason,
        cause=reason.cause,
        pending=shaped["pending"],
        why=shaped["why"],
        before=_side(shaped["before"]),
        after=_side(shaped["after"]),
        gone_at=_moment(shaped["gone_at"]),
        cost=None if cost is None else parse_cost(shaped["name"], cost),
    )
    if shaped["cause"] != row.cause or not _follows(row):
        raise ValueError(f"the change of {row.name} does not follow from its reason")
    return row


def _follows(row: Row) -> bool:
    """Whether its reason is one that its verb can have, and it stands where both put it."""
    if row.reason not in _REASONS[row.action]:
        return False
    idle = row.action in _IDLE or (row.action, row.reason) == ("forget", Reason.RETIRED)
    unmet = (row.action, row.reason, row.heading) == ("keep", Reason.ENDED, EDITS)
    return row.pending is not idle and (unmet or row.heading == heading_of(row.action, row.reason))


def _side(shaped: Shaped | None) -> Side | None:
    if shaped is None:
        return None
    life, settings, paths = shaped["life"], shaped["settings"], shaped["paths"]
    return Side(
        provider=shaped["provider"],
        model=shaped["model"],
        digest=shaped["digest"],
        life=None if life is None else parse_life(life),
        settings=None if settings is None else parse_settings(settings),
        paths=None if paths is None else tuple(paths),
        pieces=MappingProxyType(shaped["pieces"]),
        size=shaped["size"],
        tokens=_tokens(shaped["tokens"], estimated=shaped["tokens_estimated"]),
        created_at=_moment(shaped["created_at"]),
        refresh_at=_moment(shaped["refresh_at"]),
        expires_at=_moment(shaped["expires_at"]),
        id=shaped["id"],
    )


def _tokens(count: int | None, *, estimated: bool | None) -> Tokens | None:
    return None if count is None else Tokens(count, estimated=bool(estimated))


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_moment(text)
