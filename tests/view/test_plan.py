"""One value holds what may be shown of a plan."""

from __future__ import annotations

from provisioner.model import Keep, Leave, Reason
from provisioner.planner import decision_table as table
from tests.builders import HOUR, desired, live, recorded, retiring
from tests.render.fixtures import AT, PLAN, cache, plan_of, view

STEADY = desired("steady")
KEEP = Keep(STEADY, live(STEADY), recorded(STEADY), Reason.CURRENT, table.UNCHANGED)
DYING = Leave(
    live(cache("old"), expires_at=AT + HOUR),
    retiring(cache("old")),
    Reason.RETIRING,
    table.RETIRING,
)


def test_a_short_view_counts_what_it_leaves_out() -> None:
    """On a terminal the unchanged have no row; counts and money are those of the whole."""
    plan = plan_of(*[KEEP] * 3, DYING)
    short, whole = view(plan, whole=False), view(plan)

    assert [row.name for row in short.rows] == ["old"]
    assert short.counts == whole.counts
    assert short.totals == whole.totals
    assert whole.counts["unchanged"] == 3


def test_every_row_says_when_its_cache_is_gone() -> None:
    """What is replaced or removed lives on for its time; what is deleted goes at once."""
    gone = {(row.name, row.action): row.gone_at for row in view(PLAN).rows if row.gone_at}

    assert gone == {
        ("product-manual", "replace"): AT + 50 * HOUR / 60,
        ("old-faq", "retire"): AT + 50 * HOUR / 60,
        ("pruned", "delete"): AT,
        ("product-manual", "leave"): AT + HOUR / 2,
    }


def test_declared_is_everything_that_is_asked_for() -> None:
    """By name, kept ones too, and nothing that is refused its removal."""
    names = [want.name for want in view(PLAN).declared]

    assert names == sorted(names)
    assert {"steady", "refunds", "product-manual"} <= set(names)
    assert not {"old-faq", "stray", "guarded"} & set(names)
