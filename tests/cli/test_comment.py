"""One comment under a pull request, and what is read back from it after the merge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ci.forge import BOT, Hub, github
from tests.cli.stage import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"


@pytest.fixture
def hub(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with github() as hub:
        monkeypatch.delenv("GITLAB_CI", raising=False)
        started_by(stage, monkeypatch, {"pull_request": {"number": 7}})
        for name, value in {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": hub.url,
            "GITHUB_REPOSITORY": "acme/bots",
            "GITHUB_TOKEN": "made-up-token",
            "GITHUB_SHA": "abc",
            "GITHUB_REF_NAME": "main",
        }.items():
            monkeypatch.setenv(name, value)
        yield hub


def started_by(stage: Stage, environ: pytest.MonkeyPatch, event: Any) -> None:  # noqa: ANN401  # JSON
    file = stage.root / "event.json"
    file.write_text(json.dumps(event))
    environ.setenv("GITHUB_EVENT_PATH", str(file))


def planned(stage: Stage, *caches: str, **files: str) -> Path:
    stage.write(*caches, a=LONG, **files)
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--out", f"json={file}").status == 0
    return file


def test_one_comment(stage: Stage, hub: Hub) -> None:
    """It is written once, left alone while it tells the same, and edited when edits differ."""
    file = planned(stage, A)
    assert stage.run("comment", str(file)).status == 0
    assert stage.run("comment", str(file)).status == 0
    assert len(hub.writes()) == 1
    assert "`a`" in hub.texts()[0]

    assert stage.run("comment", str(planned(stage, A, B, b=LONG))).status == 0
    assert len(hub.comments) == 1
    assert "`b`" in hub.texts()[0]
    assert hub.tokens == {"Bearer made-up-token"}


def test_somebody_elses_comment(stage: Stage, hub: Hub) -> None:
    """A comment that only looks like ours is neither believed nor edited."""
    file = planned(stage, A)
    stage.run("comment", str(file))
    hub.comments[0]["user"]["login"] = "mallory"
    stage.run("comment", str(file))

    assert [one["user"]["login"] for one in hub.comments] == ["mallory", BOT]


def test_no_edits(stage: Stage, hub: Hub) -> None:
    """A plan without edits begins no comment, and says so in one that is there."""
    file = planned(stage, A)
    stage.run("comment", str(file))
    stage.apply()
    file = planned(stage, A)
    stage.run("comment", str(file))
    assert "no changes" in hub.texts()[0]

    hub.comments.clear()
    assert "no edits" in stage.run("comment", str(file)).out
    assert hub.comments == []


@pytest.mark.parametrize(("head", "written"), [("abc", 1), ("newer", 0)])
def test_after_another_run(
    stage: Stage, hub: Hub, monkeypatch: pytest.MonkeyPatch, head: str, written: int
) -> None:
    """A run that follows another finds the pull request by its commit, and skips a stale one."""
    run = {"head_sha": "abc", "head_branch": "x", "head_repository": {"owner": {"login": "eve"}}}
    started_by(stage, monkeypatch, {"workflow_run": run})
    hub.pulls = [{"number": 7, "label": "eve:x", "head": {"sha": head}}]

    assert stage.run("comment", str(planned(stage, A))).status == 0
    assert len(hub.comments) == written


def test_a_broken_forge(stage: Stage, hub: Hub) -> None:
    """A forge that is out of order is one harmless line."""
    hub.broken = True
    told = stage.run("comment", str(planned(stage, A)))

    assert told.status == 1
    assert "502" in told.err
    assert "::error::" not in told.err


def test_what_was_reviewed_is_applied(stage: Stage, hub: Hub) -> None:
    """The comment's fingerprint lets exactly its edits through; more is refused."""
    stage.run("comment", str(planned(stage, A)))
    merged = {"number": 7, "merged_at": "2026-11-26T12:00:00Z", "base": {"ref": "main"}}
    hub.pulls = [merged]
    expected = stage.run("approved", ".").out.strip()

    stage.write(A, B, a=LONG, b=LONG)
    assert stage.run("apply", ".", "--expect", expected).status == 3
    assert stage.live() == {}
    stage.write(A, a=LONG)
    assert stage.run("apply", ".", "--expect", expected).status == 0
    assert len(stage.live()) == 1


def test_nothing_was_reviewed(stage: Stage, hub: Hub) -> None:
    """Without a comment no edit is approved; without a request nothing is."""
    stage.write(A, a=LONG)
    assert stage.run("approved", ".").status == 3
    hub.pulls = [{"number": 7, "merged_at": "2026-11-26T12:00:00Z", "base": {"ref": "main"}}]
    expected = stage.run("approved", ".").out.strip()

    assert stage.run("apply", ".", "--expect", expected).status == 3
