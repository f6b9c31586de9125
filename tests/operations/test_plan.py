"""`ctxprov plan` shows what apply would do."""

from __future__ import annotations

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.test_quota import refusing

A = f"a: {{{GEMINI}, content: a.md}}"


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_plan_without_the_live_side(stage: Stage, form: str) -> None:
    """A plan whose LIST no quota lets through shows the edits, says so, and exits 1."""
    stage.write(A, f"b: {{{GEMINI}, content: a.md}}", a=LONG)
    assert stage.apply().status == 0
    stage.write(A.replace("12h", "6h"), f"c: {{{GEMINI}, content: a.md}}", a=LONG)
    expected = stage.plan()
    stage.around = refusing("list", retry_after=3600)

    result = stage.run("plan", ".", *(["--json"] if form == "json" else []))

    assert result.status == 1
    assert "Live side unknown" in result.err
    assert "slow down" in result.err
    if form == "json":
        assert result.json["fingerprint"] == expected["fingerprint"]
        assert {c["name"] for c in result.json["changes"]} == {"a", "b", "c"}
    else:
        assert "c" in result.out


def test_a_plan_lists_while_it_reads(stage: Stage) -> None:
    """The LIST of a plan is sent once, also where it begins before content was read."""
    stage.write(A, a=LONG)

    assert stage.run("plan", ".").status == 0

    assert stage.count("list") == 1
