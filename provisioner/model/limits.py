"""
How much the edits of one run may change and cost, where each limit stands, and its breaches.

A limit binds edits.  What time or drift does may go beyond it, and is then a warning: each breach
holds whether it refuses the run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal, TypeAlias

from msgspec import Struct

from provisioner.model.money import Money


class Limit(StrEnum):
    """What can be limited, by its key in a manifest."""

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
    rent_total: Bound | None = None
    """Of 30 days."""


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
