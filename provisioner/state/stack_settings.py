"""
The settings of a stack as a block of its state, and back.
"""

from __future__ import annotations

import re
from decimal import Decimal
from types import MappingProxyType

from provisioner.cache import Json
from provisioner.model import StackSettings
from provisioner.model.limits import HALF, Allowance, Bound, Limits
from provisioner.model.stack_settings import decimal_text
from provisioner.state.blocks import Block, Misshapen, block, count, each, maybe, text, text_like

_DIGEST = re.compile(r"[0-9a-f]{64}")
_AMOUNT = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_WHERE = "the state"
"""Where a bound stands that the last apply recorded."""


def stack_settings_json(settings: StackSettings) -> dict[str, Json]:
    limits = settings.limits
    return {
        "limits": {
            "delete": _allowance_json(limits.delete),
            "replace": _allowance_json(limits.replace),
            "rent_per_hour": _bound_json(limits.rent_per_hour),
            "rent_total_per_30_days": _bound_json(limits.rent_total),
        },
        "providers": {
            name: {"type": "gemini", "key_env": variable}
            for name, variable in settings.key_envs.items()
        },
        "publish": settings.publish,
        "state": settings.state,
    }


def parse_stack_settings(json: Json) -> StackSettings:
    """Read what `stack_settings_json` wrote.  Raises Misshapen if it is anything else."""
    fields = block(json, frozenset({"limits", "providers", "publish", "state"}))
    return StackSettings(
        limits=_limits(fields),
        key_envs=MappingProxyType(each(fields, "providers", _key_env)),
        publish=None if fields["publish"] is None else text(fields, "publish"),
        state=text_like(fields, "state", _DIGEST),
    )


def _allowance_json(allowance: Allowance) -> dict[str, Json]:
    return {
        "count": _bound_json(allowance.count),
        "percent": _bound_json(allowance.percent),
        "of_at_least": allowance.of_at_least,
    }


def _bound_json(bound: Bound | None) -> str | None:
    return decimal_text(bound.most) if bound else None


def _limits(fields: Block) -> Limits:
    keys = frozenset({"delete", "replace", "rent_per_hour", "rent_total_per_30_days"})
    try:
        limits = block(fields["limits"], keys)
        return Limits(
            delete=_allowance(limits, "delete"),
            replace=_allowance(limits, "replace"),
            rent_per_hour=maybe(limits, "rent_per_hour", _bound),
            rent_total=maybe(limits, "rent_total_per_30_days", _bound),
        )
    except Misshapen as wrong:
        raise wrong.under("limits") from wrong


def _allowance(limits: Block, key: str) -> Allowance:
    try:
        fields = block(limits[key], frozenset({"count", "percent", "of_at_least"}))
        allowance = Allowance(
            count=maybe(fields, "count", _bound),
            percent=maybe(fields, "percent", _bound),
            of_at_least=count(fields, "of_at_least"),
        )
    except Misshapen as wrong:
        raise wrong.under(key) from wrong
    return HALF if allowance == HALF else allowance


def _bound(json: Json) -> Bound:
    if isinstance(json, str) and _AMOUNT.fullmatch(json):
        return Bound(Decimal(json), _WHERE)
    raise Misshapen("", "this must be an amount, as text")


def _key_env(_: str, json: Json) -> str | None:
    fields = block(json, frozenset({"type", "key_env"}))
    if fields["type"] != "gemini":
        raise Misshapen("type", "this must be gemini")
    return None if fields["key_env"] is None else text(fields, "key_env")
