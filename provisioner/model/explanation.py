"""
The nouns of an explanation: one change, what led to it, what it calls and when it turns.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from provisioner.model.attributes import Life
from provisioner.model.changes import Change
from provisioner.model.model_catalog import Period
from provisioner.model.money import Cost


class Call(Struct, frozen=True, kw_only=True):
    """A request to the provider, without its content and its key."""

    method: Literal["POST", "PATCH", "DELETE"]
    path: str
    life: Life | None = None


class Flip(Struct, frozen=True, kw_only=True):
    """From this moment on the decision is another one; None if there is nothing to decide."""

    at: datetime
    change: Change | None


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a plan holds *change*, and what comes of it."""

    change: Change
    at: datetime
    """The moment of the plan."""
    declared: str | None
    """Where its entry stands: `file:line:column`."""
    window: datetime | None
    """When its cache is to be refreshed."""
    calls: tuple[Call, ...]
    flips: tuple[Flip, ...]
    """The next of them, if no run happens until then."""
    cost: Cost
    prices: Period | None
    """What the cost is worked out from; None if the model has no price that day."""
