"""`ctxprov drift` compares what is on record with what is live."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


def test_drift_with_nothing_at_all(stage: Stage) -> None:
    """Without a record and without a labelled cache, drift claims no comparison."""
    stage.write(A, a=LONG)
    result = stage.run("drift", ".")

    assert result.status == 0
    assert result.out == "Nothing is on record of demo, and no live cache carries its label.\n"
