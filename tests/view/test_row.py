"""A row is what every format shows of a change."""

from __future__ import annotations

from provisioner.model import Create, Forget, Reason, Replace, Retire
from provisioner.planner import decision_table as table
from provisioner.view.row import by_heading, rows
from provisioner.view.wording import EDITS, HEADINGS, is_shown
from tests.builders import annotation, desired, live, noted, recorded
from tests.render.fixtures import PLAN, cache, plan_of


def test_a_rename_is_recognised() -> None:
    """A new entry with the content of a removed one names it; the removed one stays a removal."""
    old, new = cache("old", "same"), cache("new", "same")
    plan = plan_of(
        Create(new, None, Reason.NEW, table.NOTHING_ALIVE),
        Retire(live(old), recorded(old), Reason.UNDECLARED, table.UNDECLARED),
    )
    made, removed = rows(plan)

    assert made.why == "not there yet; same content as old"
    assert removed.why.startswith("no longer wanted; dies")


def test_a_renamed_annotation_is_recognised_too() -> None:
    """It makes no difference that nothing of it was ever alive."""
    plan = plan_of(
        Create(desired("b"), None, Reason.NEW, table.NOTHING_ALIVE),
        Forget(
            noted(annotation("a", digest=desired("b").digest)),
            Reason.UNDECLARED,
            table.UNDECLARED_GONE,
        ),
    )

    assert rows(plan)[0].why == "not there yet; same content as a"


def test_sizes_show_a_difference_once() -> None:
    """Two sizes that read the same are shown as one."""
    small, large = cache("a"), cache("a", "y", size=830_123)
    edited = rows(
        plan_of(Replace(large, live(small), recorded(small), Reason.CONTENT, table.OUTDATED))
    )[0]
    kept = rows(
        plan_of(Replace(small, live(small), recorded(small), Reason.REQUESTED, table.OUTDATED))
    )[0]

    assert (edited.sizes, edited.tokens) == ("812 kB → 830 kB", "203k → ~208k")
    assert kept.sizes == "812 kB"


def test_only_what_is_asked_for_is_viewed() -> None:
    """A part of the plan can be viewed, with names from the whole."""
    create = next(change for change in PLAN.changes if change.reason is Reason.NEW)

    assert len(rows(PLAN)) == len(PLAN.changes)
    assert [row.name for row in rows(PLAN, [create])] == ["brand-new"]


def test_headings_come_in_order_and_never_empty() -> None:
    """Groups are in the order of the headings, and those without rows are left out."""
    groups = by_heading(rows(PLAN))

    assert tuple(groups) == HEADINGS
    assert tuple(by_heading([row for row in rows(PLAN) if row.heading == EDITS])) == (EDITS,)


def test_a_row_knows_whether_it_is_shown() -> None:
    """By its words alone, as its change does."""
    assert [row.is_shown for row in rows(PLAN)] == [is_shown(change) for change in PLAN.changes]
