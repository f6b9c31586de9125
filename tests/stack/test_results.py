"""A plan and a result answer what a program asks of them, from their documents."""

from __future__ import annotations

import json

from provisioner.errors import Problem
from provisioner.stack.results import ApplyResult, StackPlan, StackWarning
from provisioner.view.result import result_costs, result_view
from tests.render.fixtures import PLAN, RESULTS, view
from tests.stacks import CATALOG

SHOWN = StackPlan(document=view(PLAN))
RESULT = ApplyResult(
    document=result_view(PLAN, RESULTS, result_costs(PLAN, RESULTS, CATALOG.find)),
    serial=7,
    summary="Applied: 1 done, 1 failed, 1 not attempted.",
    has_failed=True,
    is_refused=False,
)


def test_kinds_of_changes() -> None:
    """Every change is listed under its kind, and the counts are those of the document."""
    assert len(SHOWN.creations) == SHOWN.counts["create"]
    assert len(SHOWN.replacements) == SHOWN.counts["replace"]
    assert len(SHOWN.refreshes) == SHOWN.counts["refresh"]
    assert len(SHOWN.blocked) == SHOWN.counts["blocked"]
    assert {row.action for row in SHOWN.removals} == {"retire", "delete", "forget"}
    assert [row.name for row in SHOWN.pending] == [change.name for change in PLAN.pending]
    assert SHOWN.changes == SHOWN.document.rows


def test_what_is_approved() -> None:
    """A plan with edits needs an approval; its fingerprint is that of the plan."""
    assert SHOWN.needs_approval
    assert SHOWN.fingerprint == PLAN.fingerprint
    assert SHOWN.stack == PLAN.stack
    assert SHOWN.totals == SHOWN.document.totals
    assert SHOWN.breaches == ()


def test_outcomes() -> None:
    """Each change is listed under how it ended."""
    rows = json.loads(RESULT.as_json())["results"]

    assert [row.name for row in RESULT.done] == ["product-manual"]
    assert [row.name for row in RESULT.failed] == ["brand-new"]
    assert [row.name for row in RESULT.not_attempted] == ["old-faq"]
    assert [row.outcome for row in RESULT.changes] == [row["outcome"] for row in rows]


def test_a_warning() -> None:
    """A warning reads as the command prints it, with its place where it has one."""
    problem = Problem("ctxprov.yaml", 2, 1, "stack", "is odd")

    assert str(StackWarning("slow")) == "slow"
    assert str(StackWarning(problem.sentence, problem)) == "ctxprov.yaml:2:1: stack: is odd"
