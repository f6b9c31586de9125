"""Money as a struct is the JSON of it, and comes back the same."""

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
from provisioner.model.money import NO_PRICE, Money, Step
from provisioner.pricing.costs import totals
from provisioner.view.money import CostView, MoneyView, cost_view, money_view, totals_view
from tests.view.test_units import COST, DOUBLE, NEW_YEAR, NOTE, TOTALS, UNKNOWN

STEP = Step(on=NEW_YEAR, figures=DOUBLE, use=NOTE)
COSTS = (
    COST,
    UNKNOWN,
    replace(UNKNOWN, use=NOTE),
    replace(COST, use=None, steps=(STEP,)),
    replace(COST, ends_on=NEW_YEAR),
    replace(COST, old_ends_on=NEW_YEAR),
)

T = TypeVar("T", bound=Struct)


def reread(view: T) -> T:
    return msgspec.json.decode(json.dumps(document_fields(view)), type=type(view))


@given(st.integers(-(10**15), 10**15), st.booleans(), st.booleans())
def test_an_amount_comes_back(nano: int, estimated: bool, partial: bool) -> None:  # noqa: FBT001
    """To the last nano-dollar, up to a million dollars."""
    money = Money(nano, estimated, partial)

    assert reread(money_view(money)).money == money
    assert bool(money_view(money)) == bool(money)


def test_lines_come_back() -> None:
    """Caches, annotations, steps and what has no price."""
    for cost in COSTS:
        assert reread(cost_view(cost)) == cost_view(cost)


def test_lines_add_up_as_before() -> None:
    """A line that was read back adds to the totals what it added before it was written."""
    assert totals(reread(cost_view(cost)).cost("a") for cost in COSTS) == totals(COSTS)


def test_a_line_of_before() -> None:
    """A line that was written before lines knew their end is read as one that goes on."""
    fields = document_fields(cost_view(replace(COST, ends_on=NEW_YEAR)))
    assert fields.pop("ends_on") == "2027-01-01"

    assert msgspec.convert(fields, CostView) == cost_view(COST)


@pytest.mark.parametrize("key", ["creation", "write", "net_per_hour", "worst_rent"])
def test_a_use_of_both_kinds_is_none(key: str) -> None:
    """A use has all keys of a cache or all of an annotation: no key can be taken or added."""
    for use in (COST.use, NOTE):
        fields = document_fields(cost_view(replace(COST, use=use)))
        if key in fields["use"]:
            del fields["use"][key]
        else:
            fields["use"][key] = document_fields(MoneyView(1.0, estimated=False, partial=False))
        with pytest.raises(msgspec.ValidationError, match="use"):
            msgspec.convert(fields, CostView)


def test_totals_come_back() -> None:
    """With and without declared calls."""
    for whole in (TOTALS, replace(TOTALS, net_per_hour=NO_PRICE, steps=(STEP,))):
        assert reread(totals_view(whole)) == totals_view(whole)


def test_json() -> None:
    """Machines get dollars as numbers, and null where there is no price."""
    fields = document_fields(cost_view(replace(UNKNOWN, use=NOTE)))

    assert fields["once"] == {"usd": None, "estimated": False, "partial": True}
    assert fields["rent_per_hour_before"] == {"usd": 0, "estimated": False, "partial": False}
    assert fields["use"] == {
        "write": {"usd": 0.25, "estimated": False, "partial": False},
        "pays_after_calls": 1.2778,
        "net_per_hour": None,
    }


def test_json_of_a_cache() -> None:
    """Machines get every figure of a cache, those from a later day too."""
    step = Step(on=NEW_YEAR, figures=DOUBLE, use=None)
    fields = document_fields(cost_view(replace(COST, steps=(step,))))

    assert fields["use"]["pays_from_calls_per_hour"] == 0.7407
    assert fields["use"]["implicit_hits"] == 0.5
    assert [(one["on"], one["once"]["usd"]) for one in fields["steps"]] == [("2027-01-01", 8.2)]


def test_json_of_totals() -> None:
    """Totals have the keys of a line, and how many lines have no price."""
    fields = document_fields(totals_view(replace(TOTALS, unpriced=1)))

    assert (fields["lines"], fields["unpriced"]) == (3, 1)
    assert fields["rent_per_hour_change"]["usd"] == 0.14
    assert fields["rent_30_days"]["usd"] == 100.8
