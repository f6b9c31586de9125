"""Rows line up under their headings."""

from __future__ import annotations

from provisioner.model import Create, Reason, Refresh
from provisioner.render.plan_table import Grid
from provisioner.view.row import Row, rows
from provisioner.view.tone import Palette
from tests.builders import live, recorded
from tests.render.fixtures import cache, plan_of, view

SHORT, LONG = cache("a"), cache("a-much-longer-name-than-that-of-a")


def shown(*told: Row, width: int) -> list[str]:
    grid = Grid.of(told, width=width, palette=Palette(colour=False))
    return grid.section("Edits", told, verbose=False)


def two() -> tuple[Row, ...]:
    return rows(
        plan_of(
            Create(SHORT, None, Reason.NEW),
            Refresh(LONG, live(LONG), recorded(LONG), Reason.EXPIRING),
        )
    )


def test_one_line_each_where_there_is_room() -> None:
    """On a wide terminal a cache is a line, its columns below each other."""
    heading, first, second = shown(*two(), width=120)

    assert heading == "Edits"
    assert first.index("create") == second.index("refresh")
    assert first.index("812 kB") == second.index("812 kB")


def test_sizes_go_below_where_there_is_none() -> None:
    """On a narrow terminal the sizes of all rows stand on a line of their own."""
    lines = shown(*two(), width=80)

    assert [line.strip() for line in lines if "812 kB" in line] == [
        "812 kB, ~203k tokens",
        "812 kB, 203k tokens",
    ]
    assert "a-much-longer-nam…at-of-a" not in lines[3]


def test_a_cost_stands_behind_the_sizes() -> None:
    """What a cache costs is shown where it is known."""
    row = view(plan_of(Create(SHORT, None, Reason.NEW))).rows[0]

    assert shown(row, width=120)[1].endswith("812 kB, ~203k tokens  ~$0.15 once, +~$0.10/h")


def test_bytes_give_way_before_a_line_wraps() -> None:
    """Where a line would wrap, tokens and money stay and bytes do not."""
    row = view(plan_of(Create(SHORT, None, Reason.NEW))).rows[0]

    assert shown(row, width=80)[1].endswith("not there yet  ~203k tokens  ~$0.15 once, +~$0.10/h")


def test_verbose_tells_all_the_money() -> None:
    """What the column has no room for is a sentence each, below the line."""
    row = view(plan_of(Create(SHORT, None, Reason.NEW))).rows[0]
    grid = Grid.of([row], width=100, palette=Palette(colour=False))
    told = "\n".join(grid.section("Edits", [row], verbose=True))

    assert "Rent of the next 30 days: ~$73.11." in told
    assert "It pays from 0.74 calls per hour" in told
    assert "billed whole" in told
