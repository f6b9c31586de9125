"""Edits of the settings of a stack, in every format."""

from __future__ import annotations

import pytest
from hypothesis import given
from msgspec.structs import replace

from provisioner.escape import json_text
from provisioner.model.stack_settings import SettingEdit
from provisioner.render.html.page import plan_article
from provisioner.render.markdown import plan_markdown
from provisioner.render.plan_table import plan_text
from provisioner.render.review_comment import comment_text
from provisioner.render.summary import changes_nothing, fingerprint_line
from provisioner.view.plan_reader import read_plans
from tests.render.fixtures import plan_of, view
from tests.test_escape import NASTY

EDITS = (
    SettingEdit(key="limits.delete", before="50% of 5 or more", after="100%"),
    SettingEdit(key="publish", before=None, after="s3://bucket/handles.json"),
    SettingEdit(key="state", before=f"sha256:{'a' * 64}", after=f"sha256:{'b' * 64}"),
)
PLAN = replace(plan_of(), settings=EDITS)


def text(*, width: int = 100) -> str:
    return plan_text(view(PLAN), width=width, colour=False)


def test_edits_of_settings_are_changes() -> None:
    """A plan of nothing else is not called a plan without changes, and counts them as edits."""
    assert not changes_nothing(view(PLAN))
    assert "No changes" not in text()
    assert fingerprint_line(view(PLAN)).endswith("(3 edits).")
    assert PLAN.fingerprint != plan_of().fingerprint


@pytest.mark.parametrize(
    "shown",
    [text(), text(width=40), plan_markdown(view(PLAN)), plan_article(view(PLAN))],
    ids=["text", "narrow", "markdown", "html"],
)
def test_every_format_shows_them(shown: str) -> None:
    """Key, before and after are there, and that another state's address takes a migration."""
    for words in ("limits.delete", "5 or more", "s3://bucket/handles.json", "sha256:bbb"):
        assert words in shown
    assert "ctxprov state migrate" in " ".join(shown.split())


def test_a_comment_is_written_again() -> None:
    """The mark of the comment is another one when settings are edited."""
    marks = [comment_text([view(plan)])[0] for plan in (PLAN, plan_of())]

    assert marks[0] != marks[1]


@given(NASTY)
def test_foreign_text_comes_back(foreign: str) -> None:
    """Keys and values are read back as they were, and break no table."""
    known = foreign.encode("utf-8", "replace").decode()[:512]
    shown = view(replace(PLAN, settings=(SettingEdit(key=known, before=known, after=None),)))
    plain = view(replace(PLAN, settings=EDITS[:1]))

    assert read_plans(json_text(shown).encode(), where="plan.json") == (shown,)
    if known != "state":
        assert len(plan_markdown(shown).splitlines()) == len(plan_markdown(plain).splitlines())
