"""
The settings of a stack that are no cache's: limits, keys, and where things are kept.

A limit binds edits.  What time or drift does may go beyond it, and is then a warning: each breach
holds whether it refuses the run.

The state records those of the last apply, so that a change of them is an edit like any
other: shown, approved and then recorded.  A schedule uses the recorded ones.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256
from typing import Annotated, Literal, TypeAlias

from msgspec import Struct

from provisioner.documents import must
from provisioner.model.money import Money

_Value: TypeAlias = Annotated[str, must("be text of at most 8,192 characters", max_length=8192)]


class Limit(StrEnum):
    """What can be limited, by its key in a manifest, which is its field in `Limits` too."""

    DELETE = "delete"
    REPLACE = "replace"
    RENT_PER_HOUR = "rent_per_hour"
    RENT_TOTAL = "rent_total_per_30_days"


@dataclass(frozen=True, slots=True)
class Bound:
    """At most so much: caches, percent or USD."""

    most: Decimal
    where: str | None = field(compare=False)
    """`file:line:column`; None for a limit that holds without being set."""


class Allowance(Struct, frozen=True, kw_only=True):
    """How many of the caches on record edits may take."""

    count: Bound | None = None
    percent: Bound | None = None
    of_at_least: int = 0
    """The percentage holds from so many on record."""


HALF = Allowance(percent=Bound(Decimal(50), None), of_at_least=5)
"""What edits may delete, and what they may replace, if the manifest sets no limit."""


class Limits(Struct, frozen=True, kw_only=True):
    """The limits of one stack."""

    delete: Allowance = HALF
    replace: Allowance = HALF
    rent_per_hour: Bound | None = None
    rent_total_per_30_days: Bound | None = None


class TooMany(Struct, frozen=True, kw_only=True):
    """Edits take more caches than they may."""

    limit: Limit
    key: Literal["count", "percent"]
    bound: Bound
    names: tuple[str, ...]
    of: int
    """So many are on record."""
    refuses: bool = True

    @property
    def dotted(self) -> str:
        """Its key in a manifest."""
        return f"{self.limit}.{self.key}"


class TooDear(Struct, frozen=True, kw_only=True):
    """What lives after the plan costs more than it may, or something of it has no price."""

    limit: Limit
    bound: Bound
    rent: Money
    unpriced: tuple[str, ...]
    """Names without a price."""
    refuses: bool
    """Whether edits add to it."""

    @property
    def dotted(self) -> str:
        """Its key in a manifest."""
        return str(self.limit)


Breach: TypeAlias = TooMany | TooDear


class StackSettings(Struct, frozen=True, kw_only=True):
    """What a manifest says of a whole stack, in one of its environments if it has any."""

    limits: Limits
    key_envs: Mapping[str, str | None]
    """For each provider that keeps caches, the variable that holds its key, if it names one."""
    publish: str | None
    state: str
    """SHA-256 of the state's address, as hexadecimal digits."""

    def texts(self) -> dict[str, str]:
        """Every setting by its dotted key, as text that is equal only for equal settings."""
        texts = {
            **{f"limits.{key}": _limit_text(getattr(self.limits, key)) for key in Limit},
            **{
                f"providers.{name}": f"gemini, key_env {variable}" if variable else "gemini"
                for name, variable in self.key_envs.items()
            },
            "publish": self.publish,
            "state": f"sha256:{self.state}",
        }
        return {key: text for key, text in texts.items() if text is not None}


class SettingEdit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    How the repository differs from the record in one setting.

    before: As it is on record; null if it is not.
    after: As the repository has it; null if it does not.
    """

    key: Annotated[str, must("be text of at most 512 characters", max_length=512)]
    before: _Value | None
    after: _Value | None

    def digest(self, stack: str) -> str:
        """SHA-256 over stack and environment, key and after, unlike that of any cache's edit."""
        fields = [stack, "setting", self.key, self.after]
        return sha256(json.dumps(fields).encode()).hexdigest()


def setting_edits(recorded: StackSettings | None, wanted: StackSettings) -> tuple[SettingEdit, ...]:
    """What *wanted* changes of *recorded*, by key; nothing if nothing is recorded."""
    if recorded is None:
        return ()
    old, new = recorded.texts(), wanted.texts()
    return tuple(
        SettingEdit(key=key, before=old.get(key), after=new.get(key))
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    )


def with_settings(
    recorded: StackSettings | None, wanted: StackSettings, keys: Collection[str]
) -> StackSettings:
    """*recorded* with the settings under *keys* as *wanted* has them."""
    if recorded is None:
        return wanted

    def source(key: str) -> StackSettings:
        return wanted if key in keys else recorded

    key_envs = {
        name: source(f"providers.{name}").key_envs
        for name in sorted({*recorded.key_envs, *wanted.key_envs})
    }
    return StackSettings(
        limits=Limits(**{key.value: getattr(source(f"limits.{key}").limits, key) for key in Limit}),
        key_envs={name: envs[name] for name, envs in key_envs.items() if name in envs},
        publish=source("publish").publish,
        state=source("state").state,
    )


def _limit_text(limit: Allowance | Bound | None) -> str | None:
    if limit is None:
        return None
    if isinstance(limit, Bound):
        return f"{decimal_text(limit.most)} USD"
    bounds = [
        f"{decimal_text(bound.most)}{unit}"
        for bound, unit in ((limit.count, " caches"), (limit.percent, "%"))
        if bound
    ]
    least = f" of {limit.of_at_least} or more" if limit.of_at_least else ""
    return (" and ".join(bounds) or "any") + least


def decimal_text(amount: Decimal) -> str:
    """*amount* without trailing zeros or an exponent: equal amounts read the same."""
    return format(amount.normalize(), "f")
