"""Money adds up, remembers what it rests on, and comes back from JSON as it was."""

from __future__ import annotations

import json
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from provisioner.documents import document_fields
from provisioner.model.money import NO_PRICE, NOTHING, Cost, Figures, Money, Step, total
from provisioner.model.records import made_of
from provisioner.pricing import totals
from tests.view.test_units import COST, DOUBLE, NEW_YEAR, NOTE, TOTALS, UNKNOWN

STEP = made_of(Step, DOUBLE, on=NEW_YEAR, use=NOTE)
COSTS = (
    COST,
    UNKNOWN,
    replace(UNKNOWN, use=NOTE),
    replace(COST, use=None, steps=(STEP,)),
    replace(COST, ends_on=NEW_YEAR),
    replace(COST, old_ends_on=NEW_YEAR),
)
AMOUNTS = st.builds(
    lambda nano, estimated, partial: Money.of(nano, estimated=estimated, partial=partial),
    st.integers(-(10**18), 10**18),
    st.booleans(),
    st.booleans(),
)


T = TypeVar("T", bound=Struct)


def reread(document: T) -> T:
    return msgspec.json.decode(json.dumps(document_fields(document)), type=type(document))


def test_nano_dollars() -> None:
    """Amounts are given in dollars."""
    assert Money.of(333_333_333).usd == 0.333333333
    assert Money.of(-4_100_000_000).usd == -4.1


def test_no_price_is_not_nothing() -> None:
    """What has no price is not what costs nothing."""
    assert NO_PRICE != NOTHING
    assert NO_PRICE
    assert not NOTHING
    assert not Money.of(0, estimated=True)


@given(AMOUNTS, AMOUNTS, AMOUNTS)
def test_sums_in_any_order(a: Money, b: Money, c: Money) -> None:
    """A sum is the same in any order."""
    assert (a + b) + c == c + (b + a)
    assert ((a + b) + c).nano == a.nano + b.nano + c.nano
    assert a + NOTHING == a
    assert (a * 3).nano == (a + a + a).nano


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
    known = Figures.of(NOTHING, Money.of(5), Money.of(8))
    unknown = Figures.of(NOTHING, NO_PRICE, Money.of(100))

    assert (known + unknown).rent_per_hour_change == Money.of(3, partial=True)


@given(st.integers(-(10**15), 10**15), st.booleans(), st.booleans())
def test_an_amount_comes_back(nano: int, estimated: bool, partial: bool) -> None:  # noqa: FBT001
    """To the last nano-dollar, up to a million dollars."""
    money = Money.of(nano, estimated=estimated, partial=partial)

    assert reread(money) == money
    assert reread(money).nano == nano
    assert bool(money) == bool(nano or partial)


def test_lines_come_back() -> None:
    """Caches, annotations, steps and what has no price."""
    for cost in COSTS:
        assert reread(cost) == cost


def test_lines_add_up_as_before() -> None:
    """A line that was read back adds to the totals what it added before it was written."""
    assert totals(reread(cost) for cost in COSTS) == totals(COSTS)


def test_a_line_of_before() -> None:
    """A line that was written before lines knew their end is read as one that goes on."""
    fields = document_fields(replace(COST, ends_on=NEW_YEAR))
    assert fields.pop("ends_on") == "2027-01-01"

    assert msgspec.convert(fields, Cost) == COST


@pytest.mark.parametrize("key", ["creation", "write", "net_per_hour", "worst_rent"])
def test_a_use_of_both_kinds_is_none(key: str) -> None:
    """A use has all keys of a cache or all of an annotation: no key can be taken or added."""
    for use in (COST.use, NOTE):
        fields = document_fields(replace(COST, use=use))
        if key in fields["use"]:
            del fields["use"][key]
        else:
            fields["use"][key] = document_fields(Money(1.0, estimated=False, partial=False))
        with pytest.raises(msgspec.ValidationError, match="use"):
            msgspec.convert(fields, Cost)


def test_totals_come_back() -> None:
    """With and without declared calls."""
    for whole in (TOTALS, replace(TOTALS, net_per_hour=NO_PRICE, steps=(STEP,))):
        assert reread(whole) == whole


def test_json() -> None:
    """Machines get dollars as numbers, and null where there is no price."""
    fields = document_fields(replace(UNKNOWN, use=NOTE))

    assert fields["once"] == {"usd": None, "estimated": False, "partial": True}
    assert fields["rent_per_hour_before"] == {"usd": 0, "estimated": False, "partial": False}
    assert fields["use"] == {
        "write": {"usd": 0.25, "estimated": False, "partial": False},
        "pays_after_calls": 1.2778,
        "net_per_hour": None,
    }


def test_json_of_a_cache() -> None:
    """Machines get every figure of a cache, those from a later day too."""
    step = made_of(Step, DOUBLE, on=NEW_YEAR, use=None)
    fields = document_fields(replace(COST, steps=(step,)))

    assert fields["use"]["pays_from_calls_per_hour"] == 0.7407
    assert fields["use"]["implicit_hits"] == 0.5
    assert [(one["on"], one["once"]["usd"]) for one in fields["steps"]] == [("2027-01-01", 8.2)]


def test_json_of_totals() -> None:
    """Totals have the keys of a line, and how many lines have no price."""
    fields = document_fields(replace(TOTALS, unpriced=1))

    assert (fields["lines"], fields["unpriced"]) == (3, 1)
    assert fields["rent_per_hour_change"]["usd"] == 0.14
    assert fields["rent_30_days"]["usd"] == 100.8
