"""How an apply gets on: a bar at a terminal, and a line for each change elsewhere."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.test_process import at_terminal

A = f"a: {{{GEMINI}, content: a.md}}"


def test_the_bar_goes_away(stage: Stage) -> None:
    """The bar is gone before the outcome is printed."""
    stage.write(A, a=LONG)
    _, shown = at_terminal(stage, b"y\n")
    (line,) = [line for line in shown.splitlines() if "Applied: 1 done" in line]

    assert "Applying" in shown
    assert "░" in shown
    assert "█" not in line
