"""
The limits of a stack, each with the place where it stands.

The schema has seen them already: an amount of money is a number or, with a fraction, text.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from provisioner.manifest.document import Place
from provisioner.model.limits import HALF, Allowance, Bound, Limits

_Keys: TypeAlias = Mapping[str, Any]


def limits_of(keys: _Keys, place: Place) -> Limits:
    """What is said; half where nothing is said of deleting or replacing."""
    return Limits(
        delete=_allowance(keys, "delete", place),
        replace=_allowance(keys, "replace", place),
        rent_per_hour=_bound(keys, "rent_per_hour", place),
        rent_total=_bound(keys, "rent_total_per_30_days", place),
    )


def _allowance(keys: _Keys, key: str, place: Place) -> Allowance:
    if key not in keys:
        return HALF
    said = keys[key]
    return Allowance(
        count=_bound(said, "count", place / key), percent=_bound(said, "percent", place / key)
    )


def _bound(keys: _Keys, key: str, place: Place) -> Bound | None:
    return Bound(Decimal(keys[key]), (place / key).address) if key in keys else None
