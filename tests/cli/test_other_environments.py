"""What another environment of the manifest has on record belongs to that one."""

from __future__ import annotations

from tests.cli.cli_harness import HEAD, LONG, Stage
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
