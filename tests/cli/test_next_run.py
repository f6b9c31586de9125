"""`ctxprov next` says when to run again."""

from __future__ import annotations

from tests.cli.cli_harness import Stage, write_stacks


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
