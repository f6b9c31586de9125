"""Rows line up under their headings."""

from __future__ import annotations

import pytest

from provisioner.model.changes import Create, Keep, Leave, Reason, Refresh
from provisioner.model.plan import Plan
from provisioner.planner import decision_table as table
from provisioner.render.layout import Palette, columns
from provisioner.render.plan_table import Grid, plan_text
from provisioner.view.plan import RowView
from tests.builders import HOUR, desired, live, recorded, retiring
from tests.render.fixtures import AT, PLAN, cache, golden, plan_of, rows, view

SHORT, LONG = cache("a"), cache("a-much-longer-name-than-that-of-a")


def shown(*rows: RowView, width: int) -> list[str]:
    grid = Grid.of(rows, width=width, palette=Palette(colour=False))
    return grid.section("Edits", rows, verbose=False)


def two() -> tuple[RowView, ...]:
    return rows(
        plan_of(
            Create(SHORT, None, Reason.NEW, table.NOTHING_ALIVE),
            Refresh(LONG, live(LONG), recorded(LONG), Reason.EXPIRING, table.DUE),
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
    row = view(plan_of(Create(SHORT, None, Reason.NEW, table.NOTHING_ALIVE))).rows[0]

    assert shown(row, width=120)[1].endswith("812 kB, ~203k tokens  ~$0.15 once, +~$0.10/h")


def test_bytes_give_way_before_a_line_wraps() -> None:
    """Where a line would wrap, tokens and money stay and bytes do not."""
    row = view(plan_of(Create(SHORT, None, Reason.NEW, table.NOTHING_ALIVE))).rows[0]

    assert shown(row, width=80)[1].endswith("not there yet  ~203k tokens  ~$0.15 once, +~$0.10/h")


def test_verbose_tells_all_the_money() -> None:
    """What the column has no room for is a sentence each, below the line."""
    row = view(plan_of(Create(SHORT, None, Reason.NEW, table.NOTHING_ALIVE))).rows[0]
    grid = Grid.of([row], width=100, palette=Palette(colour=False))
    page = "\n".join(grid.section("Edits", [row], verbose=True))

    assert "Rent of the next 30 days: ~$73.11." in page
    assert "Breaks even at 0.74 calls/h" in page
    assert "billed whole" in page


def text(plan: Plan, *, width: int = 80, colour: bool = False, verbose: bool = False) -> str:
    return plan_text(
        view(plan, valid_until=AT + HOUR / 2, next_refresh=AT + HOUR, whole=verbose),
        width=width,
        colour=colour,
        verbose=verbose,
        hints=["Run `ctxprov apply` to do this."],
    )


@pytest.mark.parametrize(
    ("name", "width", "verbose"),
    [("plan-80.txt", 80, False), ("plan-200.txt", 200, False), ("plan-verbose.txt", 100, True)],
)
def test_golden(name: str, width: int, *, verbose: bool) -> None:
    """Every kind of change, as it has been read and found good."""
    assert text(PLAN, width=width, verbose=verbose) == golden(name)


@pytest.mark.parametrize("width", [60, 80, 132, 200])
def test_lines_fit(width: int) -> None:
    """No line but the stable one is wider than the terminal."""
    lines = text(PLAN, width=width, verbose=True).splitlines()

    assert all(columns(line) <= width for line in lines if not line.startswith("Plan: "))


def test_a_narrow_terminal_is_not_an_error() -> None:
    """Below sixty columns the terminal wraps what we lay out for sixty."""
    assert text(PLAN, width=0) == text(PLAN, width=60)


def test_colour_changes_no_word() -> None:
    """Without its escapes a coloured plan is the plain one."""
    coloured = text(PLAN, colour=True)
    for code in ("0", "1", "2", "31", "32", "33"):
        coloured = coloured.replace(f"\x1b[{code}m", "")

    assert coloured == text(PLAN)


def test_nothing_to_do() -> None:
    """A plan without changes says so, and when it is time again; it lists nothing."""
    want = desired("steady")
    plan = plan_of(
        Keep(want, live(want), recorded(want), Reason.CURRENT, table.UNCHANGED),
        Leave(
            live(cache("old"), expires_at=AT + HOUR),
            retiring(cache("old")),
            Reason.RETIRING,
            table.RETIRING,
        ),
    )

    assert text(plan) == golden("no-changes.txt")


def test_many_retiring_are_counted() -> None:
    """Of many dying caches some are named, the others counted."""
    dying = [
        Leave(live(cache(f"c{at}")), retiring(cache(f"c{at}")), Reason.RETIRING, table.RETIRING)
        for at in range(9)
    ]

    assert "c4 in 50m, 4 more." in text(plan_of(*dying), width=200)


def test_verbose_lists_the_unchanged() -> None:
    """Only on request is every unchanged cache named."""
    assert "steady" not in text(PLAN)
    assert "steady" in text(PLAN, verbose=True)


@pytest.mark.heavy
def test_ten_thousand_unchanged_are_a_number() -> None:
    """A large stack at rest is as short to read as a small one."""
    want = desired("steady")
    keep = Keep(want, live(want), recorded(want), Reason.CURRENT, table.UNCHANGED)

    assert len(text(plan_of(*[keep] * 10_000)).splitlines()) == 9
    assert "10000 unchanged." in text(plan_of(*[keep] * 10_000))


def test_hostile_names_cannot_leave_their_line() -> None:
    """A name with line ends and escapes is one visible word in its column."""
    plan = plan_of(Create(desired("a\n\x1b[2Jb"), None, Reason.NEW, table.NOTHING_ALIVE))

    assert r"+ a\n\x1b[2Jb  gemini" in text(plan)


def test_what_retires_comes_in_order() -> None:
    """What expires by itself is shown by its end and its name, never by an id."""
    ends = {"late": AT + HOUR, "b": AT + HOUR / 2, "a": AT + HOUR / 2}
    leaves = [
        Leave(
            live(cache(name), expires_at=end),
            retiring(cache(name)),
            Reason.RETIRING,
            table.RETIRING,
        )
        for name, end in ends.items()
    ]

    assert "themselves: a in 30m, b in 30m, late in 1h." in text(plan_of(*leaves))
