"""What another environment of the manifest has on record belongs to that one."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage
from tests.cli.test_adopt import adopting, by_hand

TWO = f"{HEAD}environments:\n  dev:\n  prod:\n"


def test_two_environments(stage: Stage) -> None:
    """What one environment has adopted, another does not: ending one would end the other's."""
    stage.write(adopting(by_hand(LONG)), head=TWO, a=LONG)
    assert stage.apply("--env", "dev").status == 0

    done = stage.apply("--env", "prod")

    assert done.status == 3
    assert "belongs to the stack demo.dev" in done.out
    assert stage.count("create") == 1
    assert stage.run("destroy", ".", "--env", "prod", "--prune", "--auto-approve").status == 0
    assert len(stage.live()) == 1


def test_a_state_that_cannot_be_read(stage: Stage) -> None:
    """Where another environment's state cannot be read, a warning says what is unknown of it."""
    stage.write(adopting(by_hand(LONG)), head=TWO, a=LONG)
    assert stage.apply("--env", "dev").status == 0
    (stage.root / "state" / "demo.dev.json").write_text("{")

    result = stage.run("plan", ".", "--env", "prod")

    assert "whether dev has adopted caches that are adopted here is unknown" in result.err


def test_nothing_to_adopt(stage: Stage) -> None:
    """A plan that may touch no unlabelled cache reads no other environment's state."""
    stage.write(f"a: {{{GEMINI}, content: a.md}}", head=TWO, a=LONG)
    (stage.root / "state").mkdir()
    (stage.root / "state" / "demo.dev.json").write_text("{")

    result = stage.run("plan", ".", "--env", "prod")

    assert (result.status, result.err) == (0, "")
