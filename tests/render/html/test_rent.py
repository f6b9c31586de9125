"""The bars of what caches cost per hour."""

from __future__ import annotations

from provisioner.model.changes import Create, Reason
from provisioner.planner import decision_table as table
from provisioner.render.html.rent import MOST, rent_bars, rent_chart
from tests.render.fixtures import PLAN, cache, plan_of, view


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
        Create(cache(name), None, Reason.NEW, table.NOTHING_ALIVE) for name in creates(MOST + 5)
    ]
    picture = str(rent_chart(view(plan_of(*changes)).rows))

    assert "5 more" in picture
    assert picture.count('class="name"') == MOST + 1


def test_nothing_to_pay() -> None:
    """A plan without rent has no picture."""
    assert not str(rent_chart(view(plan_of()).rows))
