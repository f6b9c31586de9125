"""What a timeline shows of each change, and the bars of what caches cost per hour."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model.changes import Change, Create, Keep, Leave, Reason, Refresh, Replace, Retire
from provisioner.model.plan import Plan
from provisioner.planner import decision_table as table
from provisioner.render.html.charts import (
    MOST_BARS,
    Lane,
    Phase,
    horizon,
    lanes,
    rent_bars,
    rent_chart,
)
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, recorded
from tests.render.fixtures import PLAN, cache, plan_of, rows, view

LATER = NOW + 2 * HOUR
WANT = desired("a")
OWN = live(WANT)
RECORD = recorded(WANT)


def lane_of(change: Change) -> Lane | None:
    plan = Plan(stack=STACK, at=LATER, changes=(change,), edits=frozenset())
    drawn = lanes(rows(plan), LATER)
    return drawn[0] if drawn else None


def phases(change: Change) -> list[tuple[str, float, float]]:
    """Each span as hours from now."""
    lane = lane_of(change)
    return [
        (span.phase.value, (span.begin - LATER) / HOUR, (span.end - LATER) / HOUR)
        for span in (lane.spans if lane else ())
    ]


TABLE = {
    "create": (
        Create(WANT, None, Reason.NEW, table.NOTHING_ALIVE),
        [("lives", 0, 5), ("window", 5, 6)],
    ),
    "keep": (
        Keep(WANT, OWN, RECORD, Reason.CURRENT, table.UNCHANGED),
        [("lived", -2, 0), ("lives", 0, 3), ("window", 3, 4)],
    ),
    "refresh": (
        Refresh(WANT, OWN, RECORD, Reason.EXPIRING, table.DUE),
        [("lived", -2, 0), ("lives", 0, 5), ("window", 5, 6)],
    ),
    "replace": (
        Replace(desired("a", "y"), OWN, RECORD, Reason.CONTENT, table.OUTDATED),
        [("lived", -2, 0), ("fades", 0, 1), ("lives", 0, 5), ("window", 5, 6)],
    ),
    "retire": (
        Retire(OWN, RECORD, Reason.UNDECLARED, table.UNDECLARED),
        [("lived", -2, 0), ("fades", 0, 1)],
    ),
    "stray": (Leave(OWN, None, Reason.STRAY, table.STRAY), [("lived", -2, 0), ("lives", 0, 4)]),
    "annotation": (Keep(annotation(), None, None, Reason.CURRENT, table.ANNOTATED), []),
}


@pytest.mark.parametrize(("change", "spans"), TABLE.values(), ids=TABLE)
def test_spans(change: Change, spans: list[tuple[str, float, float]]) -> None:
    """A lane shows what was lived, what is ahead, when to refresh, and what fades."""
    assert phases(change) == spans


def test_what_ends_first_is_on_top() -> None:
    """Lanes are in the order in which they end."""
    long, short = desired("a"), desired("b")
    plan = Plan(
        stack=STACK,
        at=LATER,
        changes=(
            Keep(long, live(long), recorded(long), Reason.CURRENT, table.UNCHANGED),
            Keep(
                short,
                live(short, expires_at=LATER + HOUR),
                recorded(short),
                Reason.CURRENT,
                table.UNCHANGED,
            ),
        ),
        edits=frozenset(),
    )

    assert [lane.row.name for lane in lanes(rows(plan), LATER)] == ["b", "a"]


@given(rests=st.lists(st.integers(1, 10_000), min_size=1, max_size=20))
def test_the_horizon_holds_now_and_most_lives(rests: list[int]) -> None:
    """Now is inside, half of all ends are, and one far end does not squeeze the rest."""
    wants = [desired(f"n{at}") for at in range(len(rests))]
    changes = tuple(
        Leave(live(want, expires_at=LATER + timedelta(hours=rest)), None, Reason.STRAY, table.STRAY)
        for want, rest in zip(wants, rests, strict=True)
    )
    plan = Plan(stack=STACK, at=LATER, changes=changes, edits=frozenset())
    drawn = lanes(rows(plan), LATER)

    begin, end = horizon(drawn, LATER)

    assert begin < LATER < end
    assert 2 * sum(lane.end <= end for lane in drawn) >= len(drawn)
    assert end - LATER <= 5 * max(sorted(rests)[len(rests) // 2], 1) * HOUR
    assert all(span.phase in Phase for lane in drawn for span in lane.spans)


def creates(count: int) -> list[str]:
    return [f"n{number:02}" for number in range(count)]


def test_the_dearest_comes_first() -> None:
    """Bars come by what they cost, and what costs nothing has none."""
    bars = rent_bars(view(PLAN).rows)

    assert [bar.height for bar in bars] == sorted((bar.height for bar in bars), reverse=True)
    assert all(bar.height for bar in bars)


def test_an_old_cache_counts_to_its_name() -> None:
    """A replaced cache and its successor are one bar, with a before and an after."""
    [bar] = [bar for bar in rent_bars(view(PLAN).rows) if bar.name == "product-manual"]

    assert bar.before
    assert bar.after


def test_many_caches_share_the_last_bar() -> None:
    """What the cheapest cost together stands below the others, with their number."""
    changes = [
        Create(cache(name), None, Reason.NEW, table.NOTHING_ALIVE)
        for name in creates(MOST_BARS + 5)
    ]
    picture = str(rent_chart(view(plan_of(*changes)).rows))

    assert "5 more" in picture
    assert picture.count('class="name"') == MOST_BARS + 1


def test_nothing_to_pay() -> None:
    """A plan without rent has no picture."""
    assert not str(rent_chart(view(plan_of()).rows))
