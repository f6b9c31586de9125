"""The counts are stable, and say what is and is not to be done."""

from __future__ import annotations

from datetime import timedelta

from provisioner.model.changes import Create, Forget, Keep, Leave, Reason, Refresh
from provisioner.model.plan import Edit
from provisioner.planner import decision_table as table
from provisioner.render.summary import (
    changes_nothing,
    done_text,
    fingerprint_line,
    gap_line,
    headline,
    money_line,
    no_changes,
    plan_line,
    validity,
    waiting_lines,
)
from tests.builders import desired, live, recorded, retiring
from tests.render.fixtures import AT, PLAN, cache, plan_of, view

A = desired("a")
KEEP = Keep(A, live(A), recorded(A), Reason.CURRENT, table.UNCHANGED)
DYING = (
    Leave(live(A), retiring(A), Reason.RETIRING, table.RETIRING),
    Forget(retiring(A), Reason.RETIRED, table.RETIRED),
)


def test_the_stable_line() -> None:
    """The five counts that scripts look for are always there."""
    assert plan_line(view(plan_of(Create(A, None, Reason.NEW, table.NOTHING_ALIVE), KEEP))) == (
        "Plan: 1 to create, 0 to replace, 0 to refresh, 0 to delete, 1 unchanged."
    )


def test_rare_verbs_come_when_there_are_any() -> None:
    """Rarer verbs stand before the unchanged."""
    assert plan_line(view(PLAN)) == (
        "Plan: 4 to create, 1 to replace, 2 to refresh, 1 to delete, 2 to adopt,"
        " 1 to annotate, 1 to note, 1 to retire, 1 to forget, 1 blocked, 3 unchanged."
    )


def test_dying_in_peace_is_no_change() -> None:
    """What retires by itself is neither a change nor unchanged."""
    plan = view(plan_of(KEEP, *DYING))

    assert changes_nothing(plan)
    assert headline(plan) == "no changes"
    assert plan_line(plan).endswith("0 to delete, 1 unchanged.")


def test_headline_names_what_there_is() -> None:
    """A headline has no zeros."""
    plan = view(plan_of(KEEP, Refresh(A, live(A), recorded(A), Reason.EXPIRING, table.DUE)))

    assert headline(plan) == "1 to refresh, 1 unchanged"


def test_when_it_is_next_time() -> None:
    """A plan says until when it is true, and when the next refresh is due."""
    later = AT + timedelta(hours=3, minutes=20)

    assert validity(view(PLAN, valid_until=later)) == "Valid until 20:30Z (in 3h 20m)."
    assert validity(view(PLAN)) == "Valid until something is edited."
    assert no_changes(view(PLAN, next_refresh=later)) == (
        "No changes. Every cache is as declared; the next refresh is due at 20:30Z (in 3h 20m)."
    )
    assert no_changes(view(PLAN)).endswith("none is to be refreshed.")


def test_fingerprint_says_how_many_edits() -> None:
    """The short fingerprint is the beginning of the long one."""
    assert fingerprint_line(view(PLAN)) == f"Fingerprint {PLAN.fingerprint[:12]} (12 edits)."
    assert fingerprint_line(view(plan_of(KEEP))).endswith("(no edits).")


def test_the_money_of_a_plan() -> None:
    """What it costs once, what it adds, and what stands in the end; nothing if nothing is paid."""
    made = view(plan_of(Create(cache("a"), None, Reason.NEW, table.NOTHING_ALIVE)))

    assert money_line(made) == (
        "Money: ~$0.15 once · +~$0.10/h · rent ~$0.10/h, ~$73.11 in 30 days."
    )
    assert " once" not in money_line(view(plan_of(KEEP)))
    assert money_line(view(plan_of())) == ""


def test_what_will_have_been_done() -> None:
    """Replacements first, then the rest in order; the unchanged are not spoken of."""
    assert done_text(view(PLAN)).startswith("1 replaced, 4 created, 2 refreshed, 1 deleted")
    assert done_text(view(plan_of(KEEP, *DYING))) == "no changes"


A = desired("a")


def test_gaps() -> None:
    """A cache that cannot be made again is named with what to do."""
    line = gap_line(Create(A, recorded(A), Reason.EXPIRED, table.NOTHING_ALIVE))

    assert line.startswith("! a: cannot be made again")
    assert A.digest[:12] in line


def test_waiting() -> None:
    """Waiting edits are counted and the first ten named."""
    assert waiting_lines([]) == []
    assert waiting_lines([Edit("b", None), Edit("a", A.after)]) == [
        "2 edits wait for a review and apply: a, b."
    ]
    (many,) = waiting_lines([Edit(f"n{i:02}", None) for i in range(12)])
    assert many.endswith("n09, 2 more.")
