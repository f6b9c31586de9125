"""
What a cache has cost once its lives are known.

A life is granted at a moment for a while; the next grant may come before it has run out.
Rent is paid for the time lived; if Google bills what was granted instead, each grant is paid
whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from provisioner.model import DesiredCache
from provisioner.model.money import Money, Spent, total
from provisioner.pricing.rates import Held, Lookup, Tariff


class Grant(Struct, frozen=True):
    """A life given at a moment, to a cache that was made then or lived already."""

    at: datetime
    until: datetime
    made: bool


def spent(want: DesiredCache, grants: Sequence[Grant], lookup: Lookup, *, until: datetime) -> Spent:
    """What *want* has cost by the moment *until*, given its *grants* in order."""
    tariff = Tariff(lookup(want.kind, want.model))
    held = Held(tariff, want.measure.tokens, estimated=not want.measure.counted)
    alive = [grant for grant in grants if grant.until > grant.at]
    made = [grant.at for grant in alive if grant.made]
    return Spent(
        first=_creations(held, made[:1]),
        again=_creations(held, made[1:]),
        rent=total(held.rent_over(begin, end - begin) for begin, end in _lived(alive, until)),
        rent_by_ttl=total(held.rent_over(one.at, one.until - one.at) for one in alive),
    )


def _creations(held: Held, moments: Iterable[datetime]) -> Money:
    return total(held.creation(moment.astimezone(UTC).date()) for moment in moments)


def _lived(grants: Iterable[Grant], until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The stretches of time without a gap, up to *until*."""
    stretches: list[tuple[datetime, datetime]] = []
    for grant in grants:
        is_more = stretches and grant.at <= stretches[-1][1]
        begin = stretches.pop()[0] if is_more else grant.at
        stretches.append((begin, grant.until))
    return ((begin, min(end, until)) for begin, end in stretches)
