"""
The limits of a stack, each with the place where it stands.

The schema has seen them already: an amount of money is a number or, with a fraction, text.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from provisioner.manifest.overlays import Keys, Layer, merged, place_in
from provisioner.manifest.source_map import Place
from provisioner.model.limits import HALF, Allowance, Bound, Limits


def limits_of(layers: Sequence[Layer]) -> Limits:
    """What is said, the nearest first; half where nothing is said of deleting or replacing."""
    keys = merged(layers) if layers else {}

    def allowance(key: str) -> Allowance:
        if key not in keys:
            return HALF
        said, place = keys[key], place_in(layers, (key,))
        return Allowance(
            count=_bound(said, "count", place / "count"),
            percent=_bound(said, "percent", place / "percent"),
        )

    def money(key: str) -> Bound | None:
        return _bound(keys, key, place_in(layers, (key,))) if key in keys else None

    return Limits(
        delete=allowance("delete"),
        replace=allowance("replace"),
        rent_per_hour=money("rent_per_hour"),
        rent_total=money("rent_total_per_30_days"),
    )


def _bound(keys: Keys, key: str, place: Place) -> Bound | None:
    return Bound(Decimal(keys[key]), place.address) if key in keys else None
