"""`ctxprov next` says when to run again."""

from __future__ import annotations

from tests.builders import HOUR
from tests.cli.cli_harness import GEMINI, LONG, Stage, write_stacks


def test_next(stage: Stage) -> None:
    """One moment for all stacks, and one for each."""
    pattern = write_stacks(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")

    result = stage.run("next", str(pattern), "--json").json
    text = stage.run("next", str(pattern)).out

    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert result["next"] == min(stack["next"] for stack in result["stacks"])
    assert result["covered_until"] == min(stack["covered_until"] for stack in result["stacks"])
    assert text.startswith("one: Run at ")


def test_nothing_is_due(stage: Stage) -> None:
    """A stack without caches needs no run, and JSON has no moment of one."""
    stage.write("n: {provider: claude, model: claude-sonnet-5-5, content: n.md}", n=LONG)
    stage.apply()

    assert stage.run("next", ".").out.startswith("Nothing is due")
    document = stage.run("next", ".", "--json").json
    assert (document["next"], document["in_seconds"], document["covered_until"]) == (None,) * 3


def test_run_now(stage: Stage) -> None:
    """A cache whose window is open is due now; until it ends the stack is covered."""
    stage.ahead = -11.5 * HOUR
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    stage.apply()

    assert stage.run("next", ".").out.startswith("Run now. Covered until ")
    assert stage.run("next", ".", "--json").json["in_seconds"] <= 0
