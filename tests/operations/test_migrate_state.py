"""A state goes to another backend whole, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.cli_harness import GEMINI, LONG, Stage, write_stacks
from tests.cli.test_state import state

A = f"a: {{{GEMINI}, content: a.md}}"


def test_migrate_elsewhere(stage: Stage, tmp_path: Path) -> None:
    """Where another stack's state is, at the same place, or at none, nothing is copied."""
    stage.write(A, a=LONG)
    stage.apply()
    (tmp_path / "there").mkdir()
    other = stage.state_file.read_text().replace('"stack": "demo"', '"stack": "other"')
    (tmp_path / "there" / "demo.json").write_text(other)

    status, text = state(stage, "migrate", str(tmp_path / "there"))
    assert status == 1
    assert "is the state of the stack other, not of demo" in text
    assert (tmp_path / "there" / "demo.json").read_text() == other
    assert "is where the state is already" in state(stage, "migrate", str(stage.root / "state"))[1]
    assert state(stage, "migrate", str(tmp_path / "new"), "--emulator")[0] == 64
    assert "it is s3://BUCKET/PREFIX" in state(stage, "migrate", "s3:/bucket")[1]


def test_migrate(stage: Stage, tmp_path: Path) -> None:
    """State, history and versions are read at the new place, which is not overwritten blindly."""
    stage.write(A, a=LONG)
    stage.apply()
    state(stage, "mv", "a", "b")
    state(stage, "mv", "b", "a")
    place = str(tmp_path / "new")

    assert state(stage, "migrate", place, "--dry-run")[0] == 0
    assert not (tmp_path / "new" / "demo.json").exists()
    status, text = state(stage, "migrate", place)
    assert status == 0
    assert f"state: {place}" in text
    assert stage.changes("--state", place)["a"] == ("keep", "current")
    runs = json.loads(state(stage, "history", "--json", "--state", place)[1])["runs"]
    assert [r["operation"] for r in runs] == ["apply", "state mv", "state mv", "state migrate"]
    assert state(stage, "pull", "--serial", "2", "--state", place)[0] == 0
    state(stage, "rm", "a")
    state(stage, "rm", "a", "--state", place)
    stage.apply("--state", place)
    assert state(stage, "migrate", place)[0] == 3


def test_states(stage: Stage, tmp_path: Path) -> None:
    """What is remembered of all stacks, and the move of all of it to one place."""
    pattern = str(write_stacks(stage, "one", "two"))
    stage.run("apply", pattern, "--auto-approve")
    place = str(tmp_path / "shared")

    listed = stage.run("state", "list", "-C", pattern, "--json").json["stacks"]
    assert [(one["stack"], one["caches"]) for one in listed] == [("one", ["a"]), ("two", ["a"])]
    assert stage.run("state", "list", "-C", pattern).out.count("1 on record") == 2
    assert stage.run("state", "migrate", place, "-C", pattern).status == 0
    result = stage.run("state", "history", "-C", pattern, "--state", place, "--json").json["stacks"]
    assert [run["operation"] for one in result for run in one["runs"]] == [
        "apply",
        "state migrate",
    ] * 2
    assert stage.run("state", "history", "-C", pattern).out.count("1 remembered") == 2
