"""`ctxprov show` shows what is on record."""

from __future__ import annotations

from tests.cli.cli_harness import Stage, write_stacks


def test_show_and_output(stage: Stage) -> None:
    """Several stacks are shown one after the other, and printed as one document."""
    pattern = write_stacks(stage, "one", "two")
    stage.run("apply", str(pattern), "--auto-approve")

    shown = stage.run("show", "-C", str(pattern))
    result = stage.run("output", "-C", str(pattern)).json

    assert shown.status == 0
    assert shown.out.count("1 on record") == 2
    assert [stack["stack"] for stack in result["stacks"]] == ["one", "two"]
    assert all(stack["caches"]["a"]["handle"]["cache_name"] for stack in result["stacks"])
