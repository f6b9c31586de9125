"""What `apply` does with an approval that was given elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.stage import GEMINI, LONG, Stage
from tests.repository import git

A, B, C = (f"{name}: {{{GEMINI}, content: {name}.md}}" for name in "abc")


def reviewed(stage: Stage, *words: str) -> Path:
    """The plan of now, as a file."""
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--out", f"json={file}", *words).status in {0, 3}
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
        stage.run(*words, str(file))
        for words in (["apply", ".", "--plan"], ["render"], ["comment"])
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
