"""
What is kept warm, put together by model, so that ten thousand caches at rest cost a few sums.

That is exact where an hour of a token costs whole nano-dollars whatever the size of its cache,
also if prices change within the month; all other changes are left to be priced one by one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

from provisioner.model import Change, DesiredCache, Keep, LiveCache, Ttl
from provisioner.pricing.effects import alive
from provisioner.pricing.rates import MONTH, Held, Tariff, Tariffs


@dataclass(slots=True)
class Parted:
    """Changes, those that are priced together apart from the others."""

    kept: dict[tuple[Tariff, bool], list[int]] = field(default_factory=lambda: defaultdict(list))
    """Tokens, by what one costs and by whether their count is an estimate."""
    others: list[Change] = field(default_factory=list)


def part(changes: Iterable[Change], tariffs: Tariffs, at: datetime) -> Parted:
    """Take *changes* apart, for a month from *at* on."""
    even = cache(lambda tariff: tariff.is_even(at, MONTH))
    found = Parted()
    for change in changes:
        held = _held(change, tariffs)
        if held is None or not held.tokens or not even(held.tariff):
            found.others.append(change)
            continue
        found.kept[held.tariff, held.estimated].append(held.tokens)
    return found


def _held(change: Change, tariffs: Tariffs) -> Held | None:
    """What a cache holds that is kept warm, and whose calls nobody declared."""
    match change:
        case Keep(
            DesiredCache(life=Ttl(), calls_per_hour=None) as want, LiveCache() as own, record
        ) if want.settings.keep == "warm":
            return alive(own, record, tariffs)
        case _:
            return None
