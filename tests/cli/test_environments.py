"""Environments at a terminal: dev and prod of one manifest never touch each other."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
TWO = f"{HEAD}environments:\n  dev: {{caches: {{a: {{ttl: 1h}}}}}}\n  prod:\n"


def committed(root: Path) -> None:
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True)  # git


def test_apart(stage: Stage) -> None:
    """State, labels and handles are apart; what one destroys, the other keeps."""
    stage.write(A, head=TWO, a=LONG)

    assert stage.apply("--env", "dev").status == 0
    assert stage.plan("--env", "prod")["stack"] == "demo.prod"
    assert stage.changes("--env", "prod") == {"a": ("create", "new")}
    assert stage.apply("--env", "prod").status == 0
    assert stage.changes("--env", "prod") == {"a": ("keep", "current")}

    files = {path.name for path in (stage.root / "state").glob("*.json")}
    assert files == {"demo.dev.json", "demo.prod.json"}
    for name in ("dev", "prod"):
        handles = json.loads((stage.root / f"handles.{name}.json").read_text())
        assert handles["stack"] == f"demo.{name}"
    listed = stage.live().values()
    assert sorted(one["stack"] for one in listed) == ["demo.dev", "demo.prod"]

    assert stage.run("destroy", ".", "--env", "dev", "--prune", "--auto-approve").status == 0
    assert [one["stack"] for one in stage.live().values()] == ["demo.prod"]


def test_approved_for_one(stage: Stage) -> None:
    """What is approved for one environment is not for another, though the edits are the same."""
    stage.write(A, head=f"{HEAD}environments: {{dev: {{}}, prod: {{}}}}\n", a=LONG)
    file = str(stage.root / "dev.json")
    approved = stage.plan("--env", "dev")["fingerprint"]
    stage.run("plan", ".", "--env", "dev", "--out", f"json={file}")

    assert stage.run("apply", ".", "--env", "prod", "--expect", approved).status == 3
    assert stage.run("apply", ".", "--env", "prod", "--plan", file).status == 3
    assert stage.live() == {}
    assert stage.run("apply", ".", "--env", "dev", "--expect", approved).status == 0


def test_every_command_asks_which(stage: Stage) -> None:
    """No command guesses; each says what there is."""
    stage.write(A, head=TWO, a=LONG)
    commands = (
        ["plan", "."],
        ["apply", ".", "--auto-approve"],
        ["destroy", ".", "--auto-approve"],
        ["keepalive", "."],
        ["drift", "."],
        ["next", "."],
        ["forecast", "."],
        ["show", "-C", "."],
        ["output", "-C", "."],
    )
    for arguments in commands:
        result = stage.run(*arguments)
        assert result.status == 1, arguments
        assert "choose one with --env or CTXPROV_ENV: there are dev, prod" in result.err, arguments
        assert stage.run(*arguments, "--env", "staging").status == 1, arguments
    assert stage.run("list", ".", "--env", "staging").status == 1


def test_by_variable(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTXPROV_ENV chooses too, and an option wins; an empty one says nothing."""
    stage.write(A, head=TWO, a=LONG)
    monkeypatch.setenv("CTXPROV_ENV", "dev")

    assert stage.plan()["stack"] == "demo.dev"
    assert stage.plan("--env", "prod")["stack"] == "demo.prod"
    stage.write(A, a=LONG)
    monkeypatch.setenv("CTXPROV_ENV", "")
    assert stage.plan()["stack"] == "demo"


def test_life_goes_on(stage: Stage) -> None:
    """Keepalive, drift, next, show and output know the environment's own record."""
    stage.write(A, head=TWO, a=LONG)
    stage.apply("--env", "dev")
    (id_,) = stage.live()

    assert "Covered until" in stage.run("keepalive", ".", "--env", "dev").out
    assert stage.run("drift", ".", "--env", "dev").status == 0
    assert "Run at" in stage.run("next", ".", "--env", "dev").out
    assert id_ in stage.run("output", "-C", ".", "--env", "dev").out
    assert "a" in stage.run("show", "-C", ".", "--env", "dev").out
    assert stage.run("output", "a", "-C", ".", "--env", "prod").status == 1


def test_approval_of_one(stage: Stage) -> None:
    """A plan that was approved for one environment approves nothing in another."""
    stage.write(A, head=TWO, a=LONG)
    file = stage.root / "plan.json"
    stage.run("plan", ".", "--env", "dev", "--out", f"json={file}")

    result = stage.run("apply", ".", "--env", "prod", "--plan", str(file))
    assert result.status == 3
    assert "a plan of the stack demo.dev, not of demo.prod" in " ".join(result.err.split())
    assert stage.run("apply", ".", "--env", "dev", "--plan", str(file)).status == 0


def test_a_stack_of_another_name(stage: Stage) -> None:
    """A branch that renames the stack creates every cache again, and its review says so."""
    stage.write(A, a=LONG)
    committed(stage.root)
    stage.write(A, head=HEAD.replace("demo", "other"))

    plan = stage.plan("--base", "HEAD")

    assert [(one["name"], one["action"]) for one in plan["changes"]] == [("a", "create")]
    assert plan["fingerprint"] == stage.plan()["fingerprint"]
    assert stage.run("changed", ".", "--base", "HEAD").out == ".\n"
