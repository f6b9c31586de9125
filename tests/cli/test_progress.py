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
    assert any(cell in shown for cell in "░█")
    assert "█" not in line


def test_a_line_for_each_change(stage: Stage) -> None:
    """Where there is no terminal, each finished change is a line, and what stays is none."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.write(A, f"b: {{{GEMINI}, content: a.md}}", f"c: {{{GEMINI}, content: [a.md, a.md]}}")

    _, _, after = stage.apply().out.partition("Plan:")
    lines = after.splitlines()

    assert sum("█" in line for line in lines) == 0
    assert sorted(line.split()[1] for line in lines if line.lstrip().startswith("+")) == [
        "b:",
        "c:",
    ]


def test_standard_output_that_is_taken(stage: Stage) -> None:
    """A document on standard output has that alone."""
    stage.write(A, a=LONG)
    result = stage.apply("--out", "json=-")

    assert result.json["stack"] == "demo"
