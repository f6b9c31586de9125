"""What tokens of a model cost on a day, and over a span of days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.catalog import load_catalog
from provisioner.model.money import NO_PRICE, NOTHING, Money
from provisioner.model.rates import MONTH, Held, Model, Tariff
from tests.builders import HOUR, NOW
from tests.pricing.prices import (
    DOUBLING,
    ENDING,
    FLAT,
    IMPLICIT,
    MILLION,
    TIERED,
    TURN,
    dollars,
    model,
    period,
    rate,
)

TODAY = NOW.date()
DAY = timedelta(days=1)
TOKENS = st.integers(1, 10**9)
SPANS = st.timedeltas(timedelta(), MONTH)


def held(of: Model | None, tokens: int = MILLION) -> Held:
    return Held(Tariff(of), tokens, estimated=False)


def test_a_million_tokens() -> None:
    """A million tokens cost what the price list says."""
    assert held(FLAT).creation(TODAY) == dollars(2)
    assert held(FLAT).rent(TODAY) == dollars(1)


def test_shipped_prices() -> None:
    """100k tokens of gemini-3.8-flash cost $0.05 per hour in 2026 and twice that in 2027."""
    flash = held(load_catalog().find("gemini", "gemini-3.8-flash"), 100_000)

    assert flash.creation(date(2026, 12, 31)) == dollars("0.075")
    assert flash.rent(date(2026, 12, 31)) == dollars("0.05")
    assert flash.creation(date(2027, 1, 1)) == dollars("0.15")
    assert flash.rent(date(2027, 1, 1)) == dollars("0.10")


@pytest.mark.parametrize(
    ("tokens", "creation"), [(1, "0.000002"), (200_000, "0.4"), (200_001, "0.800004")]
)
def test_edges_of_a_rate(tokens: int, creation: str) -> None:
    """A rate begins one token above its edge and prices all tokens."""
    assert held(TIERED, tokens).creation(TODAY) == dollars(creation)


def test_the_first_rate_has_no_edge() -> None:
    """Where even the first edge is not exceeded, the first rate holds."""
    odd = model(period(rate("3", above=1000)))

    assert held(odd, 1000).creation(TODAY) == dollars("0.003")


@pytest.mark.parametrize("of", [None, model(), ENDING])
def test_no_price(of: Model | None) -> None:
    """An unknown model, one without prices and one whose prices have ended have no price."""
    assert held(of).creation(TURN) == NO_PRICE
    assert held(of).rent(TURN) == NO_PRICE


def test_before_the_first_price() -> None:
    """Prices hold from the day on which they begin."""
    later = held(model(period(rate(), since=TURN)))

    assert later.creation(TURN - DAY) == NO_PRICE
    assert later.creation(TURN) == dollars(2)


def test_uncounted() -> None:
    """Content without a count has no price."""
    assert held(FLAT, 0).rent(TODAY) == NO_PRICE


def test_nothing_to_store() -> None:
    """A model that stores nothing has a price of input and none of rent."""
    assert held(IMPLICIT).creation(TODAY) == dollars(2)
    assert held(IMPLICIT).rent(TODAY) == NO_PRICE


def test_a_month() -> None:
    """A month is thirty days of 24 hours."""
    assert held(FLAT).rent_over(NOW, MONTH) == dollars(720)


def test_a_price_that_changes_on_the_way() -> None:
    """Each day is paid at its own price: 9.5 days at the old one, 20.5 at the new one."""
    assert held(DOUBLING).rent_over(NOW, MONTH) == dollars(228 + 2 * 492)
    assert held(DOUBLING).turns(NOW, MONTH) == (TURN,)
    assert held(DOUBLING).turns(NOW, DAY) == ()
    assert held(DOUBLING).turns(datetime(2026, 1, 11, 12, tzinfo=UTC), MONTH) == ()


def test_a_price_that_ends_on_the_way() -> None:
    """Where prices end, the sum until then is shown, as a part."""
    stored = held(ENDING).rent_over(NOW, MONTH)

    assert stored == dollars(228) + NO_PRICE
    assert held(ENDING).turns(NOW, MONTH) == (TURN,)


def test_no_turn_without_a_change() -> None:
    """A new period with the old prices is no change."""
    renewed = model(period(rate(), until=TURN - DAY), period(rate(), since=TURN))

    assert held(renewed).turns(NOW, MONTH) == ()


def test_the_end_of_the_calendar() -> None:
    """A price may be valid to the last day there is."""
    forever = model(period(rate(), until=date.max))

    assert held(forever).turns(NOW, MONTH) == ()
    assert held(forever).turns(datetime(9999, 12, 1, tzinfo=UTC), MONTH) == ()


def test_days_are_utc() -> None:
    """Prices change at midnight in UTC, in any zone of the moment."""
    west = datetime(2026, 1, 10, 20, tzinfo=timezone(-6 * HOUR))

    assert held(DOUBLING).rent_over(west, HOUR) == dollars(2)


def test_even_prices() -> None:
    """Prices are even if they are so on each day of a span; other days do not count."""
    even, odd = rate("2", "0.2", "1"), rate("2", "0.2", "0.0015")
    turning = Tariff(model(period(even, until=TURN - DAY), period(odd, since=TURN)))
    turned = Tariff(model(period(odd, until=TURN - DAY), period(even, since=TURN)))
    midnight = datetime(2026, 1, 11, tzinfo=UTC)

    assert turning.is_even(midnight - 2 * DAY, DAY)
    assert not turning.is_even(midnight - 2 * DAY, 2 * DAY)
    assert not turned.is_even(midnight - DAY, DAY)
    assert turned.is_even(midnight, MONTH)
    assert Tariff(IMPLICIT).is_even(midnight, MONTH)


@given(st.sampled_from([FLAT, TIERED, DOUBLING]), TOKENS, TOKENS, SPANS)
def test_more_tokens_cost_more(of: Model, some: int, others: int, span: timedelta) -> None:
    """More tokens never cost less."""
    few, many = (held(of, tokens) for tokens in sorted((some, others)))

    assert few.creation(TODAY).nano <= many.creation(TODAY).nano
    assert few.rent(TODAY).nano <= many.rent(TODAY).nano
    assert few.rent_over(NOW, span).nano <= many.rent_over(NOW, span).nano


@given(TOKENS, SPANS, SPANS)
def test_spans_add_up(tokens: int, one: timedelta, other: timedelta) -> None:
    """Two spans cost what both together cost, up to a nano-dollar for each rounding."""
    content = held(DOUBLING, tokens)
    parts = content.rent_over(NOW, one) + content.rent_over(NOW + one, other)

    assert abs(parts.nano - content.rent_over(NOW, one + other).nano) <= 4
    assert content.rent_over(NOW, timedelta()) == NOTHING


def test_an_estimate_stays_one() -> None:
    """What rests on estimated tokens says so."""
    assert Held(Tariff(FLAT), MILLION, estimated=True).rent(TODAY) == Money.of(
        10**9, estimated=True
    )
