"""A run at an older commit than the one applied last undoes nothing of the newer."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.repository import git

A, B, C = (f"{name}: {{{GEMINI}, content: {name}.md}}" for name in "abc")


def commit(root: Path, message: str, at: str) -> None:
    """Commit the manifest and its content at a moment of its own."""
    git(root, "add", "ctxprov.yaml", "*.md")
    git(root, "commit", "--quiet", "--message", message, date=at)


@pytest.mark.parametrize("shallow", [False, True])
def test_an_older_commit(stage: Stage, *, shallow: bool) -> None:
    """The job of an older commit is refused before anything is done, unless that is asked for."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    stage.write(A, a=LONG)
    commit(stage.root, "old", "2026-01-01T00:00:00Z")
    stage.apply()
    stage.write(A, a=LONG + "more")
    commit(stage.root, "new", "2026-01-02T00:00:00Z")
    stage.apply()
    state = stage.state_file.read_bytes()
    git(stage.root, "checkout", "--quiet", "HEAD~1")
    if shallow:
        clone = stage.root / "clone"
        git(stage.root, "branch", "old")
        git(
            stage.root,
            "clone",
            "--quiet",
            "--depth=1",
            "--branch=old",
            stage.root.as_uri(),
            str(clone),
        )
        stage.root = clone
        (clone / "state").mkdir(exist_ok=True)
        (clone / "state" / "demo.json").write_bytes(state)

    planned = stage.run("plan", ".")
    result = stage.apply()

    assert planned.status == result.status == 3
    assert "is older than" in planned.err
    assert "is older than" in result.err
    assert stage.state_file.read_bytes() == state
    assert stage.run("keepalive", ".").status == 0
    assert stage.apply("--allow-older").status == 0
    assert stage.apply().status == 0


def test_a_file_named_as_a_revision(stage: Stage) -> None:
    """A file named HEAD hides from no run how old its commit is."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    stage.write(A, a=LONG)
    (stage.root / "HEAD").touch()
    commit(stage.root, "one", "2026-01-01T00:00:00Z")
    stage.apply()
    assert stage.state()["last_edit"]["committed_at"].startswith("2026-01-01T00:00:00")


def test_the_newer_of_two_merges_first(stage: Stage) -> None:
    """What the older review approved is performed at the newer commit, and undoes nothing there."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    plans = []
    for day, (caches, text) in enumerate([((A,), ""), ((A,), "older"), ((A, B), "older")], 1):
        stage.write(*caches, a=LONG + text, b=LONG)
        commit(stage.root, "one more", f"2026-01-0{day}T00:00:00Z")
        plans.append(stage.root / f"{day}.json")
        if day == 1:
            stage.apply()
        else:
            stage.run("plan", ".", "--base", "HEAD~1", "--out", f"json={plans[-1]}")
    _, older, newer = plans
    assert stage.run("apply", ".", "--plan", str(newer)).status == 3
    git(stage.root, "checkout", "--quiet", "HEAD~1")
    refused = stage.run("apply", ".", "--plan", str(older))
    assert refused.status == 3
    assert "Apply at the newer commit" in refused.err
    git(stage.root, "checkout", "--quiet", "main")

    assert stage.run("apply", ".", "--plan", str(older)).status == 0

    assert [*stage.state()["caches"]] == ["a", "b"]
    assert (stage.plan()["edits"], stage.count("create")) == ([], 3)


def test_a_commit_of_which_nothing_was_performed(stage: Stage) -> None:
    """A run whose edits all failed is no reason to refuse the older commit."""
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    stage.write(A, a=LONG)
    commit(stage.root, "old", "2026-01-01T00:00:00Z")
    stage.apply()
    last = stage.state()["last_edit"]
    stage.write(A, B, b=LONG)
    commit(stage.root, "new", "2026-01-02T00:00:00Z")

    async def refuse(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create":
            return Response(status_code=400, content=b"{}")
        return await carry_out()

    stage.around = refuse
    assert stage.apply().status == 1
    assert stage.state()["last_edit"] == last
