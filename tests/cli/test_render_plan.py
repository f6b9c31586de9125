"""`ctxprov render`, for a job that treats every input as untrusted."""

from __future__ import annotations

import json

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


@pytest.fixture
def planned(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.chdir(stage.root)
    stage.write(A, a=LONG)
    result = stage.run("plan", ".", "--out", "json=plan.json", "--out", "markdown=plan.md")
    assert result.status == 0, result.err
    return stage


def test_the_comment_is_the_same(planned: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without key, manifest or network a plan in JSON becomes what the plan would have written."""
    monkeypatch.delenv("GEMINI_API_KEY")
    (planned.root / "ctxprov.yaml").unlink()

    assert planned.run("render", "plan.json", "--out", "markdown=again.md").status == 0
    assert (planned.root / "again.md").read_text() == (planned.root / "plan.md").read_text()
    assert "Plan: 1 to create" in planned.run("render", "plan.json").out


def test_a_plan_of_several_stacks(planned: Stage) -> None:
    """Each of the stacks is rendered."""
    plan = json.loads((planned.root / "plan.json").read_bytes())
    manifest = planned.root / "ctxprov.yaml"
    manifest.write_text(manifest.read_text().replace("stack: demo", "stack: other"))
    several = {"format_version": 1, "stacks": [plan, planned.plan()]}
    (planned.root / "several.json").write_text(json.dumps(several))
    result = planned.run("render", "several.json", "--out", "markdown=-")

    assert result.status == 0
    assert result.out.count("### ctxprov") == 2
    assert "`other`" in result.out


def test_a_forgery_is_refused(planned: Stage) -> None:
    """A fingerprint that is not that of the edits is no plan, and nothing is written."""
    plan = json.loads((planned.root / "plan.json").read_bytes())
    (planned.root / "plan.json").write_text(json.dumps({**plan, "fingerprint": "0" * 64}))
    result = planned.run("render", "plan.json", "--out", "markdown=again.md")

    assert result.status == 1
    assert "its fingerprint is not that of its edits" in result.err
    assert not (planned.root / "again.md").exists()


@pytest.mark.parametrize("name", ["nowhere.json", "folder"])
def test_no_file(planned: Stage, name: str) -> None:
    """What cannot be read is named."""
    (planned.root / "folder").mkdir()
    result = planned.run("render", name)

    assert result.status == 1
    assert f"{name} cannot be read" in result.err
