"""`ctxprov changed` names each stack that a branch edits or gives up."""

from __future__ import annotations

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage
from tests.cli.test_environments import committed

A = f"a: {{{GEMINI}, content: a.md}}"
TWO = f"{HEAD}environments:\n  dev: {{caches: {{a: {{ttl: 1h}}}}}}\n  prod:\n"


def test_what_a_branch_changes(stage: Stage) -> None:
    """A change to one environment is one row of the matrix; a new one compares with nothing."""
    stage.write(A, head=TWO, a=LONG)
    committed(stage.root)
    stage.write(A, head=TWO.replace("1h", "2h") + "  qa:\n", a=LONG)
    changed = ["changed", ".", "--base", "HEAD"]

    assert stage.run(*changed, "--json").json == {
        "include": [
            {"stack": ".", "env": "dev", "removed": False},
            {"stack": ".", "env": "qa", "removed": False},
        ]
    }
    assert stage.run(*changed).out == ". --env dev\n. --env qa\n"
    assert stage.changes("--env", "dev", "--base", "HEAD") == {"a": ("refresh", "life")}
    assert stage.changes("--env", "prod", "--base", "HEAD") == {"a": ("keep", "current")}
    assert stage.changes("--env", "qa", "--base", "HEAD") == {"a": ("create", "new")}


def test_what_a_branch_gives_up(stage: Stage) -> None:
    """An environment, or a stack, that is declared no longer is a row, whose plan says so."""
    stage.write(A, head=TWO, a=LONG)
    committed(stage.root)
    changed = ["changed", ".", "--base", "HEAD"]

    stage.write(A, head=TWO.partition("  prod:")[0], a=LONG)
    assert stage.run(*changed).out == ". --env prod\n"
    result = stage.run("plan", ".", "--env", "prod", "--base", "HEAD")
    assert result.status == 0
    assert "demo.prod is declared no longer" in result.out

    (stage.root / "ctxprov.yaml").unlink()
    assert stage.run(*changed).out == ". --env dev\n. --env prod\n"
