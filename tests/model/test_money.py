"""Money adds up, and remembers what it rests on."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.money import NO_PRICE, NOTHING, Figures, Money, total

AMOUNTS = st.builds(Money, st.integers(-(10**18), 10**18), st.booleans(), st.booleans())


def test_nano_dollars() -> None:
    """Amounts are given in dollars."""
    assert Money(333_333_333).usd == Decimal("0.333333333")
    assert Money(-4_100_000_000).usd == Decimal("-4.1")


def test_no_price_is_not_nothing() -> None:
    """What has no price is not what costs nothing."""
    assert NO_PRICE != NOTHING
    assert NO_PRICE
    assert not NOTHING
    assert not Money(0, estimated=True)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_sums_in_any_order(a: Money, b: Money, c: Money) -> None:
    """A sum is the same in any order."""
    assert (a + b) + c == c + (b + a)
    assert a + NOTHING == a


@given(st.lists(AMOUNTS))
def test_a_sum_is_as_sure_as_its_parts(amounts: list[Money]) -> None:
    """One estimate makes a sum an estimate, one unknown makes it partial."""
    summed = total(amounts)

    assert summed.nano == sum(one.nano for one in amounts)
    assert summed.estimated == any(one.estimated for one in amounts)
    assert summed.partial == any(one.partial for one in amounts)


@given(AMOUNTS, AMOUNTS)
def test_differences(a: Money, b: Money) -> None:
    """A difference undoes a sum, and is unknown if either side is."""
    if a.partial or b.partial:
        assert a - b == NO_PRICE
    else:
        assert ((a - b) + b).nano == a.nano


def test_a_line_without_price_leaves_the_others() -> None:
    """The change of several rents is that of those with a price, marked as partial."""
    known = Figures.of(NOTHING, Money(5), Money(8))
    unknown = Figures.of(NOTHING, NO_PRICE, Money(100))

    assert (known + unknown).delta == Money(3, partial=True)
