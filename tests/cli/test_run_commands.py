"""The options of what plans and applies."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


def test_detailed_exitcode(stage: Stage) -> None:
    """Pending changes are 2 only when asked for, and only for the causes asked for."""
    stage.write(A, a=LONG)

    assert stage.run("plan", ".").status == 0
    assert stage.run("plan", ".", "--detailed-exitcode").status == 2
    assert stage.run("plan", ".", "--detailed-exitcode", "--exit-on", "drift,time").status == 0
    stage.apply()
    assert stage.run("plan", ".", "--detailed-exitcode").status == 0
