"""A page: complete, inert, and of one file."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from provisioner.model.attributes import Until
from provisioner.model.changes import Create, Keep, Leave, Reason
from provisioner.planner import decision_table as table
from provisioner.render.html.page import MOST, html_document, plan_article
from provisioner.view.plan import PlanView
from tests.builders import NOW, desired, live, recorded
from tests.render.fixtures import PLAN, cache, plan_of, rows, view
from tests.render.html.test_markup import read_page

HOSTILE = '"><script>alert(1)</script><!--\x1b[31m\u202e'


def page(shown: PlanView) -> str:
    return html_document([plan_article(shown)], title="ctxprov: demo")


def test_every_change_has_a_row() -> None:
    """Each change that a terminal shows is in the table, with why and what it costs."""
    text = read_page(page(view(PLAN))).text

    for row in view(PLAN).rows:
        if row.is_shown:
            assert row.name in text
            assert row.why in text


def test_an_amount_is_not_broken() -> None:
    """A narrow column breaks between amounts, never between a sign and its number."""
    shown = plan_article(
        view(plan_of(Create(cache("a", size=600), None, Reason.NEW, table.NOTHING_ALIVE)))
    )

    amounts = re.findall('<span class="sum">([^<]*)</span>', shown)
    assert amounts == ["~$0.00011 once", "+&lt;$0.0001/h"]


def test_the_whole_fingerprint_is_there() -> None:
    """A reviewer finds on a page the fingerprint that apply expects."""
    assert PLAN.fingerprint in page(view(PLAN))


def test_one_file_without_a_script() -> None:
    """Nothing is loaded from anywhere and nothing runs."""
    seen = read_page(page(view(PLAN)))

    policies = [value for name, value in seen.attributes if name == "content"]
    assert "default-src 'none'; style-src 'unsafe-inline'" in policies
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "a"} & set(seen.tags)
    assert not {"href", "src", "style"} & {name for name, _ in seen.attributes}
    assert not [name for name, _ in seen.attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import", page(view(PLAN)))


@pytest.mark.parametrize("field", ["stack", "commit"])
def test_hostile_facts(field: str) -> None:
    """A stack or a commit that is markup stays text."""
    changes: dict[str, str] = {field: HOSTILE}
    text = page(replace(view(PLAN), **changes))

    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_hostile_rows() -> None:
    """Names, models and reasons that are markup stay text, also in the pictures."""
    shown = view(PLAN)
    rows = tuple(replace(row, name=HOSTILE, why=HOSTILE) for row in shown.rows)

    seen = read_page(page(replace(shown, rows=rows)))

    assert "script" not in seen.tags
    assert seen.text.count("alert(1)") >= 2 * len(rows) - 2


def test_pictures() -> None:
    """Lives and rents are drawn, each bar with words for who cannot see it."""
    seen = read_page(page(view(PLAN)))
    labels = [value for name, value in seen.attributes if name == "aria-label"]

    assert len(labels) == 2
    assert seen.tags.count("title") > 20
    assert "Rent per hour" in seen.text


@pytest.mark.parametrize("year", [1, 2026, 9999])
def test_lives_to_the_end_of_the_calendar(year: int) -> None:
    """A life of thousands of years is a picture with a handful of ticks, whenever it is planned."""
    at = NOW.replace(year=year, month=6)
    end = datetime.max.replace(tzinfo=UTC)
    want = desired("a", life=Until(end))
    plan = replace(
        plan_of(Keep(want, live(want, expires_at=end), None, Reason.CURRENT, table.UNCHANGED)),
        at=at,
    )
    shown = replace(view(plan_of()), at=at, rows=rows(plan))

    assert page(shown).count('class="tick"') < 20


def test_nothing_to_draw() -> None:
    """A plan without a live cache has a page without empty pictures."""
    seen = read_page(page(view(plan_of())))

    assert "svg" not in seen.tags
    assert "No changes" in seen.text


def test_a_page_has_a_limit() -> None:
    """What a browser could not show is counted, and the picture is cut with a word."""
    many = [desired(f"n{at}") for at in range(MOST + 7)]
    strays = tuple(Leave(live(want), None, Reason.STRAY, table.STRAY) for want in many)

    text = page(view(plan_of(*strays)))

    assert "… and 7 more rows." in text
    assert text.count("<tr>") == MOST + 1
    assert len(text) < 4_000_000


def test_unchanged_caches_are_drawn_but_have_no_row() -> None:
    """The picture shows every life; the table only what changes."""
    want = desired("steady")
    text = page(
        view(plan_of(Keep(want, live(want), recorded(want), Reason.CURRENT, table.UNCHANGED)))
    )

    assert "<table" not in text
    assert "steady" in text


def test_several_stacks_share_a_page() -> None:
    """Each stack is an article of one document."""
    articles = [plan_article(view(plan)) for plan in (PLAN, plan_of())]
    text = html_document(articles, title="ctxprov")

    assert text.count("<!DOCTYPE html>") == 1
    assert read_page(text).tags.count("article") == 2
