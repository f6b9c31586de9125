"""Annotations of a workflow: a line each, at its place, and no other command."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.errors import ManifestError, NetworkError, Problem, Refused
from provisioner.model.changes import Create, Leave, Reason
from provisioner.model.facts import Done, Failed, Result
from provisioner.planner import decision_table as table
from provisioner.render.github import (
    MOST,
    failure_annotations,
    plan_annotations,
    result_annotations,
)
from tests.builders import desired, live
from tests.render.fixtures import PLAN, plan_of, view

SPOT = Problem("stacks/a/ctxprov.yaml", 7, 3, "caches.brand-new", "")
LINE = re.compile(r"::(error|warning|notice) [^:]*(?:%3A[^:]*)*::[^\r\n]*\n")


def test_an_edit_is_shown_at_its_line() -> None:
    """Who reviews the manifest sees the change beside the entry."""
    lines = plan_annotations(view(PLAN), {"brand-new": SPOT}).splitlines()

    assert (
        "::notice file=stacks/a/ctxprov.yaml,line=7,col=3,title=brand-new%3A create::not there yet"
        in lines
    )


def test_levels() -> None:
    """A refusal is an error, drift a warning, an edit a notice; what time does is not shown."""
    text = plan_annotations(view(PLAN), {})

    assert "::error title=guarded%3A blocked::" in text
    assert "::warning title=lost%3A create::" in text
    assert "onboarding" not in text
    assert text.index("::error") < text.index("::warning") < text.index("::notice")


def test_the_rest_is_counted() -> None:
    """GitHub shows ten of a level: nine are shown and the tenth counts the others."""
    strays = (Leave(live(desired(f"n{at}")), None, Reason.STRAY, table.STRAY) for at in range(25))
    lines = plan_annotations(view(plan_of(*strays)), {}).splitlines()

    assert len(lines) == MOST
    assert lines[-1].endswith("::… and 16 more; the plan has all of them.")


def test_results() -> None:
    """What failed is shown with the provider's message; what went well is not."""
    good, bad = (
        Create(desired(name), None, Reason.NEW, table.NOTHING_ALIVE) for name in ("good", "bad")
    )
    results = [Result(good, Done()), Result(bad, Failed(NetworkError("the line\nbroke")))]

    text = result_annotations(results, {"bad": SPOT})

    assert text.startswith("::error file=stacks/a/ctxprov.yaml,line=7,col=3,title=bad%3A create")
    assert text.endswith("the line\\nbroke\n")
    assert "good" not in text


@given(text=st.text())
def test_foreign_text_makes_no_other_command(text: str) -> None:
    """A file, a key or a message with any name is one line with one command."""
    problem = Problem(text, 1, 1, text, text)
    row = replace(view(PLAN).rows[0], name=text, why=text)

    for said in (
        failure_annotations(ManifestError([problem]), lambda spot: spot),
        failure_annotations(Refused(text), lambda spot: spot),
        plan_annotations(replace(view(PLAN), rows=(row,)), {text: problem}),
    ):
        assert LINE.fullmatch(said)
