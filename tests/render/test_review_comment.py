"""The one comment under a review fits, and never hides that it hides something."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.render.markdown import LIMIT, plan_markdown
from provisioner.render.review_comment import comment_text, mark_in
from provisioner.view.plan import PlanView
from tests.builders import HOUR
from tests.render.fixtures import PLAN, plan_of, view
from tests.render.test_markdown import created
from tests.view.test_wording import BREACHES

NONE, FEW, MANY = (view(plan_of(*created(count))) for count in (0, 2, 40))
WHOLE = {one.counts["create"]: plan_markdown(one) for one in (NONE, FEW, MANY)}
LIMITS = st.integers(512, LIMIT) | st.integers(512, 4_096)


def is_all_there(views: list[PlanView], text: str) -> bool:
    counted = ((whole, [one.counts["create"] for one in views]) for whole in WHOLE.items())
    return all(text.count(whole) == made.count(count) for (count, whole), made in counted)


@pytest.mark.heavy
@settings(max_examples=max(1, settings().max_examples // 4))
@given(st.integers(1, 900), st.integers(0, 900), st.integers(0, 200), LIMITS)
def test_it_fits(none: int, few: int, many: int, limit: int) -> None:
    """However many plans and however little room, it is below its limit, and marked if cut."""
    views = [NONE] * none + [FEW] * few + [MANY] * many
    mark, text = comment_text(views, limit=limit)

    assert len(text.encode()) < limit
    assert mark.cut != is_all_there(views, text)
    assert mark.cut == ("**This comment is cut**" in text)
    assert mark_in(text) == mark


def test_many_stacks() -> None:
    """Where the plans of many stacks have no room, all their headlines do, and it is cut."""
    names = [f"stack-{at}" for at in range(250)]
    mark, text = comment_text([replace(FEW, stack=name) for name in names])

    assert mark.cut
    assert text.count("\n### ctxprov: `stack-") == len(names)
    assert "| Change |" not in text
    assert "more." not in text


def test_too_many_stacks() -> None:
    """Where not even all headlines have room, those without are counted."""
    mark, text = comment_text([FEW] * 2_000)
    shown = text.count("\n### ctxprov: ")

    assert mark.cut
    assert shown > 400
    assert f"… and {2_000 - shown:,} more." in text


def test_a_long_plan_among_short_ones() -> None:
    """A plan that has no room leaves out rows, and the others stay whole."""
    mark, text = comment_text([FEW, MANY, FEW], limit=6_000)

    assert mark.cut
    assert text.count(WHOLE[2]) == 2
    assert "… and " in text


def test_what_makes_it_another() -> None:
    """Limits, money and what is done about an edit update a comment; another time does not."""
    known = view(PLAN)
    (first, *rest) = known.rows
    others = [
        view(PLAN, breaches=BREACHES),
        replace(known, totals=FEW.totals),
        replace(known, rows=(replace(first, action="note"), *rest)),
    ]
    later = replace(known, at=known.at + HOUR, valid_until=known.at + 2 * HOUR)

    marks = [comment_text([one])[0] for one in (known, later, *others)]
    assert marks[0] == marks[1]
    assert len(set(map(str, marks[1:]))) == len(marks[1:])
