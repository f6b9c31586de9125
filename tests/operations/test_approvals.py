"""What `apply` does with an approval that was given elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.operations.test_commit_order import commit
from tests.repository import git

A, B, C = (f"{name}: {{{GEMINI}, content: {name}.md}}" for name in "abc")


def reviewed(stage: Stage, *arguments: str) -> Path:
    """The plan of now, as a file."""
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--out", f"json={file}", *arguments).status in {0, 3}
    return file


def emptied(plan: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Say that nothing is edited."""
    plan.update(edits=[], fingerprint="0" * 64)


def hidden(plan: Any) -> None:  # noqa: ANN401  # a plan in JSON
    """Show a replacement as an entry that stays as it is, and declare the new content."""
    (change,) = plan["changes"]
    change.update(section="unchanged", action="keep", reason="current", cause=None, pending=False)
    plan["summary"].update(replace=0, unchanged=1)
    emptied(plan)


@pytest.mark.parametrize("forge", [emptied, hidden, lambda plan: plan.update(more=1)])
def test_one_reader(stage: Stage, forge: Callable[[Any], None]) -> None:
    """apply refuses a plan that render and comment refuse, in the same words, and does nothing."""
    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    stage.write(A, a=LONG + "more")
    file = reviewed(stage)
    plan = json.loads(file.read_text())
    forge(plan)
    file.write_text(json.dumps(plan))

    made = stage.count("create")
    acts, shows, posts = (
        stage.run(*arguments, str(file))
        for arguments in (["apply", ".", "--plan"], ["render"], ["comment"])
    )

    assert (acts.status, shows.status, posts.status) == (1, 1, 1)
    assert acts.err == shows.err == posts.err != ""
    assert stage.count("create") == made


def test_a_plan_of_several_stacks(stage: Stage) -> None:
    """Every stack finds its own plan in the file of several, and a stack without one is refused."""
    folders = [stage.root / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
        manifest = f"version: 1\nstack: {folder.name}\ncaches:\n  {A}\n"
        (folder / "ctxprov.yaml").write_text(manifest)
        (folder / "a.md").write_text(LONG)
    file = stage.root / "plan.json"
    assert stage.run("plan", *map(str, folders[:2]), "--out", f"json={file}").status == 0

    assert stage.run("apply", *map(str, folders[:2]), "--plan", str(file)).status == 0
    assert stage.count("create") == 2
    refused = stage.run("apply", str(folders[2]), "--plan", str(file))
    assert refused.status == 3
    assert "is a plan of the stack one, two, not of three" in refused.err


FIRST = ("version", "stack", "serial", "run", "providers", "caches", "retiring")
"""The keys of a state of the first version."""
MORE = "version: 1\nstack: demo\n"
PUBLISH = "publish: handles.json\n"
SETTINGS = {
    "publish": "publish: other.json\n",
    "limits": f"{PUBLISH}limits: {{delete: {{count: 9}}}}\n",
    "key_env": f"{PUBLISH}providers: {{eu: {{type: gemini, key_env: GEMINI_API_KEY_EU}}}}\n",
    "state": f"{PUBLISH}state: elsewhere\n",
}


@pytest.mark.parametrize("setting", SETTINGS)
def test_settings_are_edits(stage: Stage, setting: str) -> None:
    """A request that changes the settings of the stack is listed and planned as an edit."""
    stage.write(A, head=MORE + PUBLISH, a=LONG)
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    git(stage.root, "add", ".")
    git(stage.root, "commit", "--quiet", "--message", "base")
    before = stage.plan("--base", "main")
    assert before["settings"] == []
    assert stage.run("changed", ".", "--base", "main").out == ""

    stage.write(A, head=MORE + SETTINGS[setting])

    after = stage.plan("--base", "main")
    assert len(after["settings"]) == 1
    assert after["edits"] == []
    assert after["fingerprint"] != before["fingerprint"]
    assert stage.run("changed", ".", "--base", "main").out == ".\n"
    assert stage.run("plan", ".", "--base", "main", "--detailed-exitcode").status == 2


def test_a_state_of_the_first_version(stage: Stage) -> None:
    """A state that an earlier ctxprov wrote is read without an edit, and written as of now."""
    stage.write(A, a=LONG)
    stage.apply()
    state = stage.state()
    old = {key: state[key] for key in FIRST}
    stage.state_file.write_text(json.dumps(old))

    assert (stage.plan()["edits"], stage.plan()["settings"]) == ([], [])
    assert stage.apply().status == 0
    assert stage.state()["stack_settings"]["publish"] == "handles.json"
    assert stage.state()["caches"] == old["caches"]


def test_a_limit_and_its_edit(stage: Stage) -> None:
    """A limit that a request loosens still holds for the edits of that request."""
    strict = f"{MORE}limits: {{delete: {{count: 0}}}}\n"
    loose = f"{MORE}limits: {{delete: {{count: 9}}}}\n"
    stage.write(A, B, head=strict, a=LONG, b=LONG)
    git(stage.root, "init", "--quiet", "--initial-branch=main")
    commit(stage.root, "base", "2026-01-01T00:00:00Z")
    stage.apply()
    stage.write(A, head=loose)

    for plan in (stage.plan(), stage.plan("--base", "main")):
        assert [(one["limit"], one["most"]) for one in plan["limits"]] == [("delete.count", 0)]
    assert stage.apply().status == 3
    assert stage.apply("--override", "delete").status == 0


def test_a_forged_plan_hides_a_broken_limit(stage: Stage) -> None:
    """Limits are worked out again: only one that the approved plan showed may be passed."""
    strict = f"{MORE}limits: {{delete: {{count: 0}}}}\n"
    stage.write(A, B, head=strict, a=LONG, b=LONG)
    stage.apply()
    stage.write(A, head=strict)
    honest = reviewed(stage)
    plan = json.loads(honest.read_text())
    forged = stage.root / "forged.json"
    forged.write_text(json.dumps({**plan, "limits": []}))

    assert stage.run("apply", ".", "--plan", str(forged)).status == 3
    assert len(stage.state()["caches"]) == 2
    assert stage.run("apply", ".", "--plan", str(honest)).status == 0
    assert len(stage.state()["caches"]) == 1
