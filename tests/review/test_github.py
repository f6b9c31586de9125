"""A pull request: which one a job belongs to, and which of its comments are ours."""

from __future__ import annotations

import json

import pytest

from tests.ci.forge import GitHub
from tests.cli.cli_harness import GEMINI, Stage
from tests.cli.review_job import job_on, planned, started_by

A = f"a: {{{GEMINI}, content: a.md}}"


def test_an_app_of_ones_own(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comment of an app, which may not ask who it is, is found by the name that is given."""

    class App(GitHub):
        us = "acme-plans[bot]"

    for hub in job_on(App(merged=True), stage, monkeypatch):
        file = planned(stage, A)
        for _ in range(2):
            assert stage.run("comment", str(file), "--author", App.us).status == 0
        assert len(hub.writes()) == 1
        shown = json.loads(file.read_text())["fingerprint"]
        assert stage.run("approved", ".").out.strip() != shown
        monkeypatch.setenv("CTXPROV_AUTHOR", App.us)
        assert stage.run("approved", ".").out.startswith(f"{shown},")


def test_asked_too_often(stage: Stage, hub: GitHub) -> None:
    """A forge that wants to be asked later has not said who we are: nothing is believed."""
    file = planned(stage, A)
    hub.hurried = True

    result = stage.run("approved", ".")
    assert (result.status, result.out) == (1, "")
    assert stage.run("comment", str(file)).status == 1
    assert not hub.writes()


@pytest.mark.parametrize(("head", "written"), [("abc", 1), ("newer", 0)])
def test_after_another_run(
    stage: Stage, hub: GitHub, monkeypatch: pytest.MonkeyPatch, head: str, written: int
) -> None:
    """A run that follows another finds the pull request by its commit, and skips a stale one."""
    run = {"head_sha": "abc", "head_branch": "x", "head_repository": {"owner": {"login": "eve"}}}
    started_by(stage, monkeypatch, {"workflow_run": run})
    hub.open = [{"number": 7, "label": "eve:x", "head": {"sha": head}}]

    assert stage.run("comment", str(planned(stage, A))).status == 0
    assert len(hub.said) == written
