"""From how many calls caching pays."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.model.attributes import Life, Settings, Ttl, Until
from provisioner.model.money import NO_PRICE, Use
from provisioner.model.rates import Held, Rate, Tariff
from provisioner.pricing.break_even import pays_after, pays_from, use, worst_rent
from tests.builders import HOUR, NOW, annotation, desired
from tests.pricing.prices import FLAT, IMPLICIT, MILLION, NOTED, dollars, model, rate

TODAY = date(2026, 11, 22)
HALF = Decimal("0.5")
CALLS = st.floats(0, 10_000)


def shipped(provider: str, name: str) -> Rate:
    found = load_catalog().find(provider, name)
    assert found is not None
    return found.prices[0].rates[0]


def cache_use(calls: float | None, held: Held, hits: Decimal = HALF) -> Use:
    judged = use(desired(calls_per_hour=calls), held, TODAY, implicit_hits=hits)
    assert not judged.is_annotation
    return judged


def annotation_use(calls: float | None, held: Held, ttl: timedelta = timedelta(minutes=5)) -> Use:
    want = annotation(calls_per_hour=calls, life=Ttl(ttl))
    judged = use(want, held, TODAY, implicit_hits=HALF)
    assert judged.is_annotation
    return judged


@pytest.mark.parametrize(
    ("model", "calls", "implicit"),
    [
        ("gemini-3.8-flash", "0.74", "1.48"),
        ("gemini-2.5-flash", "3.70", "7.41"),
        ("gemini-3.1-pro-preview", "2.50", "5.00"),
    ],
)
def test_a_cache_pays_from(model: str, calls: str, implicit: str) -> None:
    """A cache pays once its calls save its rent; twice as many if half were cached anyway."""
    prices = shipped("gemini", model)

    assert f"{pays_from(prices):.2f}" == calls
    assert f"{pays_from(prices, implicit_hits=HALF):.2f}" == implicit


@pytest.mark.parametrize(
    ("provider", "model", "ttl", "calls"),
    [
        ("claude", "claude-sonnet-5", "0:05:00", "1.28"),
        ("claude", "claude-sonnet-5", "1:00:00", "2.11"),
        ("claude", "claude-sonnet-5-5", "0:05:00", "1.26"),
        ("claude", "claude-sonnet-5-5", "1:00:00", "2.05"),
        ("claude", "claude-fable-5-2", "0:05:00", "1.26"),
        ("openai", "gpt-6-sol", "0:30:00", "1.28"),
        ("openai", "gpt-6.1-terra", "12:00:00", "2.58"),
        ("openai", "gpt-5.5", "1 day, 0:00:00", "1.00"),
    ],
)
def test_a_write_has_paid_after(provider: str, model: str, ttl: str, calls: str) -> None:
    """A write has paid after as many calls as each model's own multipliers give."""
    found = load_catalog().find(provider, model)
    assert found is not None
    (offer,) = [offer for offer in found.offers if str(offer.ttl) == ttl]

    assert f"{pays_after(found.prices[0].rates[0], offer.write):.2f}" == calls


def test_never() -> None:
    """Where a cached read is no cheaper, or nothing can be stored, no call pays."""
    assert pays_from(rate("2", "2")) is None
    assert pays_from(rate(), implicit_hits=Decimal(1)) is None
    assert pays_from(rate(storage=None)) is None
    assert pays_after(rate("2", "2"), Decimal(2)) is None


@pytest.mark.parametrize(
    ("life", "settings", "factor"),
    [
        (Ttl(12 * HOUR), Settings(refresh_before=4 * HOUR), 1.5),
        (Ttl(12 * HOUR), Settings(), 1.5),
        (Ttl(12 * HOUR), Settings(refresh_before=11 * HOUR), 2),
        (Ttl(12 * HOUR), Settings(keep="once"), 1),
        (Until(NOW), Settings(), 1),
        (Ttl(timedelta()), Settings(), 1),
    ],
)
def test_billed_by_ttl(life: Life, settings: Settings, factor: float) -> None:
    """At worst a refresh as soon as the window opens pays for time that was paid already."""
    assert worst_rent(life, settings) == factor


def test_a_cache_with_calls() -> None:
    """Ten calls an hour on a million tokens save $18 and cost $1 of rent."""
    judged = cache_use(10, Held(Tariff(FLAT), MILLION, estimated=False))

    assert judged.creation == dollars(2)
    assert judged.net_per_hour == dollars(17)
    assert judged.implicit_hits == 0.5
    assert judged.pays_from_calls_per_hour == 0.5556
    assert judged.pays_from_calls_per_hour_implicit == 1.1111


def test_calls_that_are_not_declared() -> None:
    """Without declared calls there is no net."""
    held = Held(Tariff(FLAT), MILLION, estimated=False)

    assert cache_use(None, held).net_per_hour is None
    assert annotation_use(None, replace(held, tariff=Tariff(NOTED))).net_per_hour is None


@pytest.mark.parametrize(
    "held", [Held(Tariff(None), MILLION, estimated=False), Held(Tariff(FLAT), 0, estimated=True)]
)
def test_no_price(held: Held) -> None:
    """What has no price has no net and no number of calls, and does not cost nothing."""
    cache, noted = cache_use(10, held), annotation_use(10, held)

    assert (cache.creation, cache.net_per_hour) == (NO_PRICE, NO_PRICE)
    assert (noted.write, noted.net_per_hour) == (NO_PRICE, NO_PRICE)
    assert (
        cache.pays_from_calls_per_hour,
        cache.pays_from_calls_per_hour_implicit,
        noted.pays_after_calls,
    ) == (None, None, None)


def test_an_offer_without_a_price() -> None:
    """Where only the times of a write are known, nothing is known of its price."""
    offered = Tariff(model(provider="claude", offers=NOTED.offers))
    noted = annotation_use(10, Held(offered, MILLION, estimated=False))

    assert (noted.write, noted.net_per_hour, noted.pays_after_calls) == (NO_PRICE, NO_PRICE, None)


def test_rent_without_price() -> None:
    """A net without the rent would be a lie."""
    assert cache_use(10, Held(Tariff(IMPLICIT), MILLION, estimated=False)).net_per_hour == NO_PRICE


def test_a_life_that_is_not_offered() -> None:
    """A life that the model does not have has no price."""
    held = Held(Tariff(NOTED), MILLION, estimated=False)

    assert annotation_use(10, held, 2 * HOUR).write == NO_PRICE


@pytest.mark.parametrize(
    ("calls", "net"),
    [(0, "0"), (1, "-0.5"), (12, "-6"), (24, "15.6"), (120, "188.4")],
)
def test_an_annotation_with_calls(calls: float, net: str) -> None:
    """Calls rarer than lifetimes each lose a write; others save all but one read of each."""
    judged = annotation_use(calls, Held(Tariff(NOTED), MILLION, estimated=False))

    assert judged.write == dollars("2.5")
    assert judged.net_per_hour == dollars(net)


@given(CALLS)
def test_a_cache_nets_from_where_it_pays(calls: float) -> None:
    """The net is positive exactly above the number of calls from which it is said to pay."""
    judged = cache_use(calls, Held(Tariff(FLAT), MILLION, estimated=False))

    assert isinstance(judged.pays_from_calls_per_hour, float)
    assert judged.net_per_hour is not None
    if abs(calls - judged.pays_from_calls_per_hour) > 1e-6:
        assert (judged.net_per_hour.nano > 0) == (calls > judged.pays_from_calls_per_hour)


@given(CALLS, st.sampled_from([timedelta(minutes=5), HOUR]))
def test_an_annotation_nets_from_where_it_has_paid(calls: float, ttl: timedelta) -> None:
    """The net is positive exactly above the calls per lifetime after which a write has paid."""
    judged = annotation_use(calls, Held(Tariff(NOTED), MILLION, estimated=False), ttl)
    per_lifetime = calls * (ttl / HOUR)

    assert isinstance(judged.pays_after_calls, float)
    assert judged.net_per_hour is not None
    if abs(per_lifetime - judged.pays_after_calls) > 1e-6:
        assert (judged.net_per_hour.nano > 0) == (per_lifetime > judged.pays_after_calls)


@given(st.decimals(0, 1), st.decimals(0, 1))
def test_the_more_is_cached_anyway(one: Decimal, other: Decimal) -> None:
    """The more implicit caching hits, the more calls it takes until a cache of one's own pays."""
    few, many = (pays_from(rate(), implicit_hits=hits) for hits in sorted((one, other)))

    assert many is None or (few is not None and few <= many)
