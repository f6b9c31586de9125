"""Money goes into JSON and comes back the same."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model.money import NO_PRICE, Money, Step
from provisioner.view.money import (
    cost_json,
    money_json,
    parse_cost,
    parse_money,
    parse_totals,
    totals_json,
)
from tests.view.test_money_text import COST, DOUBLE, NEW_YEAR, NOTE, TOTALS, UNKNOWN

STEP = Step(on=NEW_YEAR, figures=DOUBLE, use=NOTE)


@given(st.integers(-(10**15), 10**15), st.booleans(), st.booleans())
def test_an_amount_comes_back(nano: int, estimated: bool, partial: bool) -> None:  # noqa: FBT001
    """To the last nano-dollar, up to a million dollars."""
    money = Money(nano, estimated, partial)

    assert parse_money(json.loads(json.dumps(money_json(money)))) == money


def test_lines_come_back() -> None:
    """Caches, annotations, steps and what has no price."""
    for cost in (
        COST,
        UNKNOWN,
        replace(UNKNOWN, use=NOTE),
        replace(COST, use=None, steps=(STEP,)),
        replace(COST, ends_on=NEW_YEAR),
        replace(COST, old_ends_on=NEW_YEAR),
    ):
        assert parse_cost("a", json.loads(json.dumps(cost_json(cost)))) == cost


def test_a_line_of_before() -> None:
    """A line that was written before lines knew their end is read as one that goes on."""
    told = cost_json(replace(COST, ends_on=NEW_YEAR))
    assert told.pop("ends_on") == "2027-01-01"

    assert parse_cost("a", json.loads(json.dumps(told))) == COST


def test_totals_come_back() -> None:
    """With and without declared calls."""
    for totals in (TOTALS, replace(TOTALS, net_per_hour=NO_PRICE, steps=(STEP,))):
        assert parse_totals(json.loads(json.dumps(totals_json(totals)))) == totals


def test_json() -> None:
    """Machines get dollars as numbers, and null where there is no price."""
    told = json.loads(json.dumps(cost_json(replace(UNKNOWN, use=NOTE))))

    assert told["once"] == {"usd": None, "estimated": False, "partial": True}
    assert told["rent_per_hour_before"] == {"usd": 0, "estimated": False, "partial": False}
    assert told["use"] == {
        "write": {"usd": 0.25, "estimated": False, "partial": False},
        "pays_after_calls": 1.2778,
        "net_per_hour": None,
    }


def test_json_of_a_cache() -> None:
    """Machines get every figure of a cache, those from a later day too."""
    step = Step(on=NEW_YEAR, figures=DOUBLE, use=None)
    told = json.loads(json.dumps(cost_json(replace(COST, steps=(step,)))))

    assert told["use"]["pays_from_calls_per_hour"] == 0.7407
    assert told["use"]["implicit_hits"] == 0.5
    assert [(one["on"], one["once"]["usd"]) for one in told["steps"]] == [("2027-01-01", 8.2)]


def test_json_of_totals() -> None:
    """Totals have the keys of a line, and how many lines have no price."""
    told = json.loads(json.dumps(totals_json(replace(TOTALS, unpriced=1))))

    assert (told["lines"], told["unpriced"]) == (3, 1)
    assert told["rent_per_hour_change"]["usd"] == 0.14
    assert told["rent_30_days"]["usd"] == 100.8
