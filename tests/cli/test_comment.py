"""One comment under a request for review, and what is read back from it after the merge."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from provisioner.cli.documents import plan_views
from provisioner.render.review_comment import comment_text
from tests.ci.forge import TOKEN, Forge, GitHub, GitLab, Said, served
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.repository import git

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"
OF_REQUESTS = ("CI_MERGE_REQUEST_PROJECT_ID", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA")


@pytest.fixture(params=[GitHub, GitLab])
def forge(
    request: pytest.FixtureRequest, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Forge]:
    """Each promise about comments holds for both forges."""
    yield from job_on(request.param(), stage, monkeypatch)


@pytest.fixture
def hub(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitHub]:
    yield from job_on(GitHub(), stage, monkeypatch)


@pytest.fixture
def lab(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[GitLab]:
    yield from job_on(GitLab(), stage, monkeypatch)


def job_on(forge: Forge, stage: Stage, environ: pytest.MonkeyPatch) -> Iterator[Any]:
    with served(forge):
        for name in ("GITHUB_ACTIONS", "GITLAB_CI", *OF_REQUESTS):
            environ.delenv(name, raising=False)
        for name, value in forge.environ.items():
            environ.setenv(name, value)
        started_by(stage, environ, {"pull_request": {"number": 7}})
        yield forge


def started_by(stage: Stage, environ: pytest.MonkeyPatch, event: Any) -> None:  # noqa: ANN401  # JSON
    file = stage.root / "event.json"
    file.write_text(json.dumps(event))
    environ.setenv("GITHUB_EVENT_PATH", str(file))


def planned(stage: Stage, *caches: str, **files: str) -> Path:
    stage.write(*caches, a=LONG, **files)
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--out", f"json={file}").status == 0
    return file


def test_one_comment(stage: Stage, forge: Forge) -> None:
    """It is written once, left alone while it tells the same, and edited when edits differ."""
    file = planned(stage, A)
    assert stage.run("comment", str(file)).status == 0
    assert stage.run("comment", str(file)).status == 0
    assert len(forge.writes()) == 1
    assert "`a`" in forge.texts()[0]

    assert stage.run("comment", str(planned(stage, A, B, b=LONG))).status == 0
    assert len(forge.said) == 1
    assert len(forge.writes()) == 2
    assert "`b`" in forge.texts()[0]
    assert forge.tokens - {None} <= {TOKEN, f"Bearer {TOKEN}"}


def test_under_a_long_talk(stage: Stage, forge: Forge) -> None:
    """Our comment is found behind more than one page of others."""
    forge.said += [Said("somebody", "Nice.") for _ in range(230)]
    file = planned(stage, A)
    stage.run("comment", str(file))
    assert "up to date" in stage.run("comment", str(file)).out

    assert len(forge.said) == 231
    assert len(forge.writes()) == 1


def test_a_comment_of_another_author(stage: Stage, forge: Forge) -> None:
    """A comment that only looks like ours is neither believed nor edited."""
    file = planned(stage, A)
    stage.run("comment", str(file))
    forge.said[0].author = "mallory"
    stage.run("comment", str(file))

    assert [one.author for one in forge.said] == ["mallory", forge.us]


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


def test_a_stack_that_is_removed(stage: Stage, forge: Forge) -> None:
    """That a branch leaves caches alive is worth a comment, although it edits nothing."""
    stage.write(A, a=LONG)
    for arguments in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "all"]):
        git(stage.root, *arguments)
    (stage.root / "ctxprov.yaml").unlink()
    file = stage.root / "plan.json"
    assert stage.run("plan", ".", "--base", "HEAD", "--out", f"json={file}").status == 0

    assert stage.run("comment", str(file)).out == "Comment written.\n"
    assert "ctxprov destroy --stack demo" in forge.texts()[0]
    assert stage.run("comment", str(file)).out == "The comment is up to date.\n"


def test_no_edits(stage: Stage, forge: Forge) -> None:
    """A plan without edits begins no comment, and says so in one that is there."""
    file = planned(stage, A)
    stage.run("comment", str(file))
    stage.apply()
    file = planned(stage, A)
    stage.run("comment", str(file))
    assert "no changes" in forge.texts()[0]

    forge.said.clear()
    assert "no edits" in stage.run("comment", str(file)).out
    assert forge.said == []


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


@pytest.mark.parametrize(("head", "written"), [("abc", 1), ("newer", 0)])
def test_an_overtaken_pipeline(stage: Stage, lab: GitLab, head: str, written: int) -> None:
    """A pipeline of GitLab that a newer commit has overtaken writes nothing."""
    lab.head = head
    result = stage.run("comment", str(planned(stage, A)))

    assert result.status == 0
    assert len(lab.said) == written


def test_a_broken_forge(stage: Stage, forge: Forge) -> None:
    """A forge that is out of order is one harmless line."""
    forge.broken = True
    result = stage.run("comment", str(planned(stage, A)))

    assert result.status == 1
    assert "502" in result.err
    assert "::error::" not in result.err


def test_a_forge_that_points_elsewhere(stage: Stage, forge: Forge) -> None:
    """The token goes to the forge that the job's environment names, and to no other host."""
    other = type(forge)()
    with served(other):
        forge.elsewhere = other.url
        result = stage.run("comment", str(planned(stage, A)))

    assert result.status == 1
    assert "307" in result.err
    assert other.calls == []


def test_what_was_reviewed_is_applied(stage: Stage, forge: Forge) -> None:
    """The comment lets exactly its edits through; one more is named and left undone."""
    stage.run("comment", str(planned(stage, A)))
    forge.merged = True
    expected = stage.run("approved", ".").out.strip()

    stage.write(A, B, a=LONG, b=LONG)
    result = stage.run("apply", ".", "--expect", expected)
    assert result.status == 3
    assert "b: is not among the approved edits" in result.err
    assert [*stage.state()["caches"]] == ["a"]
    stage.write(A, a=LONG)
    assert stage.run("apply", ".", "--expect", expected).status == 0
    assert len(stage.live()) == 1


def test_two_merges(stage: Stage, forge: Forge) -> None:
    """Of two merges each applies the edits of its own review, and the other's are named."""
    stage.write(A, a=LONG)
    first = stage.plan()["fingerprint"]
    stage.apply()
    stage.run("comment", str(planned(stage, A, B, b=LONG)))
    stage.run("destroy", ".", "--auto-approve")  # as if the first was not applied yet
    forge.merged = True
    second = stage.run("approved", ".").out.strip()

    result = stage.run("apply", ".", "--expect", second)
    assert result.status == 3
    assert "a: is not among the approved edits" in result.err
    assert [*stage.state()["caches"]] == ["b"]
    assert stage.run("apply", ".", "--expect", first).status == 0
    assert len(stage.live()) == 2


def test_nothing_was_reviewed(stage: Stage, forge: Forge) -> None:
    """Without a comment no edit is approved; without a merged request nothing is."""
    stage.write(A, a=LONG)
    assert stage.run("approved", ".").status == 3
    forge.merged = True
    expected = stage.run("approved", ".").out.strip()

    assert stage.run("apply", ".", "--expect", expected).status == 3


def test_a_cut_comment(stage: Stage, forge: Forge) -> None:
    """A comment that had no room for every change approves none of them."""
    mark, text = comment_text(plan_views(planned(stage, A, B, b=LONG)), limit=700)
    assert mark.cut
    forge.said.append(Said(forge.us, text))
    forge.merged = True
    result = stage.run("approved", ".")

    assert result.status == 3
    assert result.out == ""
    assert "no room" in result.err
