"""
From how many calls caching pays.

Per million tokens, I is the price of input, R that of a cached read, S that of storage for
an hour, W that of a write (a multiple of I).  With c calls per hour:

    no caching           c I
    explicit cache       c R + S                 pays if c > S / (I - R)
    implicit, share h    c (h R + (1 - h) I)     pays if c > S / ((1 - h)(I - R))

A prefix that is written costs W once per lifetime and R for each of the other n - 1 calls,
against n I without caching: it has paid after n = (W - R) / (I - R) calls.
"""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from provisioner.model.attributes import Life, Settings, Ttl
from provisioner.model.money import NO_PRICE, Money, Use
from provisioner.model.rates import HOUR, Held, Offer, Rate
from provisioner.model.records import Desired, DesiredAnnotation, DesiredCache

_DIGITS = 4
"""Behind the point of a number of calls or times: finer is not known."""

_MICROSECOND = timedelta(microseconds=1)


def use(want: Desired, held: Held, day: date, *, implicit_hits: Decimal) -> Use:
    """Judge *want*, whose content is *held*, at the prices of *day*."""
    match want:
        case DesiredCache():
            return _cache_use(want, held, day, implicit_hits)
        case DesiredAnnotation():
            return _annotation_use(want, held, day)


def pays_from(rate: Rate, *, implicit_hits: Decimal = Decimal(0)) -> float | None:
    """Calls per hour; None if no number of calls is enough."""
    saved = (1 - implicit_hits) * _saved(rate)
    if rate.storage_per_hour is None or saved <= 0:
        return None
    return float(round(rate.storage_per_hour / saved, _DIGITS))


def pays_after(rate: Rate, write: Decimal) -> float | None:
    """Calls per lifetime; None if no number of calls is enough."""
    if _saved(rate) <= 0:
        return None
    return float(round((write * rate.input - rate.cached_input) / _saved(rate), _DIGITS))


@lru_cache(maxsize=256)
def worst_rent(life: Life, settings: Settings) -> float:
    """
    How many times the rent of the time lived is paid, if each granted ttl is billed whole.

    At worst every refresh comes as soon as the window opens.
    """
    match life:
        case Ttl(span) if span and settings.keep == "warm":
            billed = Fraction(span // _MICROSECOND, (span - settings.window(span)) // _MICROSECOND)
            return float(round(Decimal(billed.numerator) / billed.denominator, _DIGITS))
        case _:
            return 1.0


def _cache_use(want: DesiredCache, held: Held, day: date, implicit_hits: Decimal) -> Use:
    rate, calls = held.rate(day), want.calls_per_hour
    net = None if calls is None else NO_PRICE
    if rate and calls is not None:
        net = held.money(_saved(rate), *calls.as_integer_ratio()) - held.rent(day)
    alone = pays_from(rate) if rate else None
    implicit = pays_from(rate, implicit_hits=implicit_hits) if rate else None
    return Use(
        creation=held.creation(day),
        pays_from_calls_per_hour=alone,
        pays_from_calls_per_hour_implicit=implicit,
        implicit_hits=float(implicit_hits),
        net_per_hour=net,
        worst_rent=worst_rent(want.life, want.settings),
    )


def _annotation_use(want: DesiredAnnotation, held: Held, day: date) -> Use:
    rate, calls = held.rate(day), want.calls_per_hour
    offer = next((offer for offer in held.tariff.offers if offer.ttl == want.life.span), None)
    if rate is None or offer is None:
        net = None if calls is None else NO_PRICE
        return Use(write=NO_PRICE, pays_after_calls=None, net_per_hour=net)
    return Use(
        write=held.money(offer.write * rate.input),
        pays_after_calls=pays_after(rate, offer.write),
        net_per_hour=None if calls is None else _annotation_net(calls, held, rate, offer),
    )


def _annotation_net(calls: float, held: Held, rate: Rate, offer: Offer) -> Money:
    """A call that finds nothing writes; so does every call if they are rarer than lifetimes."""
    per_hour = Fraction(calls)
    writes = min(per_hour, Fraction(HOUR // _MICROSECOND, offer.ttl // _MICROSECOND))
    reads = per_hour - writes
    lost = (offer.write - 1) * rate.input
    return held.money(_saved(rate), *reads.as_integer_ratio()) - held.money(
        lost, *writes.as_integer_ratio()
    )


def _saved(rate: Rate) -> Decimal:
    """By every read."""
    return rate.input - rate.cached_input
