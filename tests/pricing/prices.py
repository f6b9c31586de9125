"""Models with round prices, and a lookup of them."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from provisioner.model.money import NANO, Money
from provisioner.model.rates import Model, Offer, Period, Rate

MILLION = 1_000_000
TURN = date(2026, 1, 11)
"""Ten days after most tests are made, prices double."""


def rate(
    paid: str = "2", cached: str = "0.2", storage: str | None = "1", *, above: int = 0
) -> Rate:
    return Rate(
        above=above,
        input=Decimal(paid),
        cached_input=Decimal(cached),
        storage_per_hour=None if storage is None else Decimal(storage),
    )


def period(*rates: Rate, since: date | None = None, until: date | None = None) -> Period:
    return Period(
        valid_from=since,
        valid_to=until,
        as_of=date(2026, 1, 1),
        source="somewhere",
        uncertain=False,
        rates=rates,
    )


def model(
    *periods: Period, provider: str = "gemini", name: str = "m", offers: tuple[Offer, ...] = ()
) -> Model:
    return Model(
        provider=provider,
        name=name,
        min_tokens=None,
        explicit_caching=None,
        retires_on=None,
        offers=offers,
        prices=periods,
        note=None,
    )


FLAT = model(period(rate()), name="flat")
TIERED = model(
    period(rate("2", "0.2", "4.5"), rate("4", "0.4", "4.5", above=200_000)), name="tiered"
)
DOUBLING = model(
    period(rate(), until=TURN - timedelta(days=1)),
    period(rate("4", "0.4", "2"), since=TURN),
    name="doubling",
)
ENDING = model(period(rate(), until=TURN - timedelta(days=1)), name="ending")
UNEVEN = model(period(rate("2", "0.2", "0.0015")), name="uneven")
IMPLICIT = model(period(rate(storage=None)), name="implicit")
NOTED = model(
    period(rate(storage=None)),
    provider="claude",
    name="noted",
    offers=(
        Offer(ttl=timedelta(minutes=5), write=Decimal("1.25"), apis=()),
        Offer(ttl=timedelta(hours=1), write=Decimal(2), apis=()),
    ),
)

_KNOWN = {
    (one.provider, one.name): one
    for one in (FLAT, TIERED, DOUBLING, ENDING, UNEVEN, IMPLICIT, NOTED)
}


def lookup(provider: str, name: str) -> Model | None:
    return _KNOWN.get((provider, name))


def dollars(amount: str | int, *, estimated: bool = False) -> Money:
    return Money.of(int(Decimal(amount) * NANO), estimated=estimated)
