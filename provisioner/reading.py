"""
A plan in JSON read back as the view that it was made from.

The one reader of plans, for commands that show a plan and for the one that applies it, so
that nothing can be approved that is not shown.  The file is untrusted, and a trusted job may
publish what is made of it: nothing is believed that can be worked out, and what is not
exactly of the schema's shape is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache
from itertools import islice
from types import MappingProxyType
from typing import get_args

import orjson
from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from provisioner.cache import Json
from provisioner.documents import newer, utf8
from provisioner.errors import CtxprovError
from provisioner.escape import plain
from provisioner.files import LARGEST
from provisioner.model import After, Change, Edit, Leftover, Plan, Reason, SettingEdit
from provisioner.model.attributes import parse_after, parse_life, parse_settings
from provisioner.planner.decision_table import REASONS
from provisioner.pricing import totals
from provisioner.render.document import FORMAT_VERSION
from provisioner.render.layout import clip
from provisioner.render.summary import leftover_command
from provisioner.shapes import schema_bytes
from provisioner.times import parse_moment
from provisioner.view.counts import counts
from provisioner.view.limits import BrokenLimit
from provisioner.view.money import Shaped, parse_cost, parse_totals
from provisioner.view.plan import PlanView
from provisioner.view.row import Row
from provisioner.view.snapshot import Side, Tokens
from provisioner.view.wording import EDITS, SECTIONS, heading_of

_HEADINGS: Mapping[str, str] = MappingProxyType({word: name for name, word in SECTIONS.items()})
_IDLE = frozenset(kind.verb for kind in get_args(Change) if not kind.acts)
_WORDS = 200
_MOST_ERRORS = 100


class _Newer(ValueError):
    """The document has a version or a key that this schema does not have."""


def plan_views_from_json(raw: bytes, *, where: str) -> tuple[PlanView, ...]:
    """
    Read a plan, or the plans of several stacks, each once.

    Raises CtxprovError for anything else, also for a plan that a newer ctxprov wrote.
    """
    try:
        views = tuple(map(_plan, _documents(raw)))
        _check_once("stack", (view.stack for view in views))
    except _Newer as error:
        raise CtxprovError(newer(where, clip(plain(str(error)), _WORDS))) from error
    except (ValueError, RecursionError, OverflowError) as error:
        raise CtxprovError(
            f"{where} is not a plan of this version ({clip(plain(str(error)), _WORDS)}). "
            "Make one with: ctxprov plan --out json=plan.json"
        ) from error
    return views


def _documents(raw: bytes) -> list[Json]:
    if len(raw) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST // 2**20} MiB")
    match orjson.loads(utf8(raw)):
        case {"format_version": int(version)} if version > FORMAT_VERSION:
            raise _Newer(f"its format_version is {version}, not {FORMAT_VERSION}")
        case {"format_version": 1, "stacks": []}:
            raise ValueError("it holds no plan")
        case {"format_version": 1, "stacks": list(several)}:
            return several
        case one:
            return [one]


def _plan(document: Json) -> PlanView:
    shaped = _shaped(document)
    edits, rows = _edits(shaped["edits"]), tuple(map(_row, shaped["changes"]))
    at = parse_moment(shaped["at"])
    number = counts((row.action, row.reason) for row in rows)
    settings = tuple(map(_setting, shaped.get("settings", ())))
    plan = Plan(stack=shaped["stack"], at=at, changes=(), edits=frozenset(edits), settings=settings)
    priced = totals(row.cost for row in rows if row.cost)
    if shaped["summary"] != number:
        raise ValueError("its summary does not count its changes")
    if shaped["fingerprint"] != plan.fingerprint:
        raise ValueError("its fingerprint is not that of its edits")
    if parse_totals(shaped["totals"]) != priced or priced.lines != len(rows):
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
        writes=tuple(shaped.get("writes", ())),
        counts=number,
        edits=edits,
        settings=settings,
        leftover=_leftover(shaped.get("leftover")),
        rested=_edits(shaped.get("rested", ())),
        declared=_edits(shaped["desired"]),
        rows=rows,
        limits=tuple(map(_limit, shaped["limits"])),
        totals=priced,
    )
    _check_shown(view)
    return view


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


def _shows_as_kept(row: Row, declared: After | None) -> bool:
    """Whether *row* shows what is declared both as recorded and as asked for."""
    sides = (row.before, row.after)
    return declared is not None and all(side and side.asked == declared for side in sides)


def _check_once(what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"the {what} {name} is there twice")
        seen.add(name)


def _shaped(document: Json) -> Shaped:
    errors = list(islice(_validator().iter_errors(document), _MOST_ERRORS))
    if errors and all(_is_newer(error) for error in errors):
        raise _Newer(errors[0].message)
    for error in errors:
        place = ".".join(map(str, error.instance_path))
        raise ValueError(f"{place}: {error.message}" if place else error.message)
    assert isinstance(document, Mapping)  # noqa: S101  # so says the schema
    return document


def _is_newer(error: ValidationError) -> bool:
    """Whether nothing is wrong but a key more, here or in one of the shapes allowed here."""
    match error.kind:
        case ValidationErrorKind.AdditionalProperties():
            return True
        case ValidationErrorKind.OneOfNotValid(context=shapes):
            return any(shape and all(map(_is_newer, shape)) for shape in shapes)
        case _:
            return False


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


def _leftover(shaped: Shaped | None) -> Leftover | None:
    if shaped is None:
        return None
    leftover = Leftover(
        stack=shaped["stack"],
        successor=shaped["successor"],
        caches=tuple(shaped["caches"]),
        state=shaped["state"],
        usual=shaped["usual"],
        key_envs=shaped["key_envs"],
    )
    if shaped["command"] != leftover_command(leftover):
        raise ValueError("the command of its leftover is another than its parts make")
    return leftover


def _setting(shaped: Shaped) -> SettingEdit:
    return SettingEdit(key=shaped["key"], before=shaped["before"], after=shaped["after"])


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
    if row.reason not in REASONS[row.action]:
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
