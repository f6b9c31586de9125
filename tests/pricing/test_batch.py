"""Caches at rest are added up together, to the same result as one by one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model import (
    Change,
    Create,
    DesiredCache,
    Keep,
    Measure,
    Plan,
    Reason,
    Settings,
    Until,
)
from provisioner.planner import decision_table as table
from provisioner.pricing import MONTH, costs, totals, totals_of
from provisioner.pricing.batch import part
from provisioner.pricing.rates import tariffs
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, noted, recorded
from tests.pricing.prices import lookup


def keep(want: DesiredCache, tokens: int) -> Keep:
    record = recorded(want, measure=replace(want.measure, tokens=tokens))
    return Keep(want, live(want, tokens=tokens), record, Reason.CURRENT, table.UNCHANGED)


WANTS = st.builds(
    lambda model, counted, calls, settings: desired(
        model=model,
        measure=Measure(tokens=7, counted=counted),
        calls_per_hour=calls,
        settings=settings,
    ),
    st.sampled_from(["flat", "tiered", "doubling", "ending", "implicit", "uneven", "unheard-of"]),
    st.booleans(),
    st.sampled_from([None, None, 3.0]),
    st.sampled_from([Settings(), Settings(keep="once")]),
)
CHANGES = st.lists(
    st.builds(keep, WANTS, st.integers(0, 10**7))
    | st.builds(Create, WANTS, st.none(), st.just(Reason.NEW))
    | st.just(Keep(annotation(), None, noted(annotation()), Reason.CURRENT, table.ANNOTATED)),
    max_size=12,
)


MIXED: list[Change] = [
    *(keep(desired(model="flat"), tokens) for tokens in (3, 5, 0)),
    *(keep(desired(model="doubling"), 10**7 + tokens) for tokens in (1, 2)),
    *(keep(desired(model="unheard-of"), tokens) for tokens in (3, 5)),
    Create(desired(model="flat"), None, Reason.NEW, table.NOTHING_ALIVE),
]


@example(MIXED, NOW)
@given(CHANGES, st.sampled_from([NOW, NOW - MONTH, NOW + timedelta(hours=1.7)]))
def test_the_totals_are_the_sum_of_the_lines(changes: list[Change], at: datetime) -> None:
    """To the nano-dollar, whatever is kept, made or without a price."""
    plan = Plan(stack=STACK, at=at, changes=tuple(changes), edits=frozenset())

    assert totals_of(plan, lookup, at=at) == totals(costs(plan, lookup, at=at))


@pytest.mark.parametrize(
    ("model", "together"),
    [
        ("flat", 100),
        ("unheard-of", 100),
        ("tiered", 0),
        ("doubling", 100),
        ("ending", 100),
        ("uneven", 0),
    ],
)
def test_what_is_even_is_added_up(model: str, together: int) -> None:
    """A hundred sizes at one price are one sum; where sizes matter each is itself."""
    changes = [keep(desired(model=model), tokens) for tokens in range(1, 101)]
    parted = part(changes, tariffs(lookup), NOW)

    assert sum(map(len, parted.kept.values())) == together
    assert len(parted.kept) <= 1
    assert len(parted.others) == 100 - together


def test_what_ends_is_priced_by_itself() -> None:
    """Only what is kept warm without declared calls lasts for the whole month."""
    once = desired(model="flat", settings=Settings(keep="once"))
    called = desired(model="flat", calls_per_hour=1)
    ending = desired(model="flat", life=Until(NOW + HOUR))
    dated = live(desired(model="flat"), expires_at=NOW + HOUR)
    changes = [
        *(keep(want, 1) for want in (once, called, ending)),
        Keep(annotation(), dated, None, Reason.CURRENT, table.UNCHANGED),
    ]

    assert part(changes, tariffs(lookup), NOW).others == changes
