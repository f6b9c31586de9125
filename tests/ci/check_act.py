"""
The action and the example workflows as a runner runs them, against stand-ins on loopback.

`make check-ci` runs this; it needs act on the PATH and the wheels that the action installs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from provisioner.emulator import Emulator
from tests.ci.forge import GitHub
from tests.ci.forge import served as forge_served
from tests.ci.runner import EXAMPLES, SELF, Ran, Runner
from tests.emulator.local import served

APP = "acme-plans[bot]"
WORKFLOW = f"""
on: pull_request
permissions: {{}}
jobs:
  plan:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
      - id: plan
        uses: {SELF}
        with: {{stack: caches, args: "--base\\nmain", comment: true, author: "{APP}"}}
      - env:
          CHANGES: ${{{{ steps.plan.outputs.changes }}}}
          FINGERPRINT: ${{{{ steps.plan.outputs.fingerprint }}}}
        run: echo "changes=$CHANGES fingerprint=$FINGERPRINT"
"""


@pytest.fixture
def hub() -> Iterator[GitHub]:
    hub = GitHub()
    with forge_served(hub):
        yield hub


class App(GitHub):
    """Where an app comments by its own token, which may not say whose it is."""

    us = APP


@pytest.fixture
def app() -> Iterator[GitHub]:
    hub = App()
    with forge_served(hub):
        yield hub


@pytest.fixture
def project() -> Iterator[str]:
    """Where a Gemini project is emulated."""
    with closing(Emulator(clock=lambda: datetime.now(UTC))) as emulator, served(emulator) as url:
        yield url


def caches(project: str) -> list[str]:
    """The names of the live caches, as the provider has them."""
    listed = httpx.get(f"{project}/v1beta/cachedContents", headers={"x-goog-api-key": "any"})
    return [one["name"] for one in listed.json().get("cachedContents", [])]


def lose(project: str, cache: str) -> None:
    httpx.delete(f"{project}/v1beta/{cache}", headers={"x-goog-api-key": "any"}).raise_for_status()


def passed(ran: Ran) -> str:
    assert ran.status == 0, ran.log
    return ran.log


def failed(ran: Ran) -> str:
    assert ran.status != 0, ran.log
    return ran.log


def test_a_pull_request(tmp_path: Path, app: GitHub) -> None:
    """One comment, an app's own, untouched while it tells the same; a broken forge is a warning."""
    runner = Runner(tmp_path, app.url)
    runner.workflow("plan.yml", WORKFLOW)
    runner.declare("a")
    runner.git("checkout", "-qb", "edit")
    runner.declare("a", "b")
    event = {"pull_request": {"number": 7, "head": {"ref": "edit"}}}

    first = passed(runner.run("plan.yml", "pull_request", **event))
    assert "changes=true" in first
    assert "fingerprint=" in first
    assert first.count("Summary - ### ctxprov") == 1
    assert "`b`" in app.texts()[0]

    runner.declare("a", "b", "c")
    passed(runner.run("plan.yml", "pull_request", **event))
    assert len(app.said) == 1
    assert len(app.writes()) == 2
    assert "`c`" in app.texts()[0]

    app.broken = True
    result = passed(runner.run("plan.yml", "pull_request", **event))
    assert "The comment could not be written" in result
    assert "changes=true" in result


def test_from_a_pull_request_to_the_schedule(tmp_path: Path, hub: GitHub, project: str) -> None:
    """The example workflows, from a fork's edit to a night in which a cache is lost."""
    runner = Runner(tmp_path, hub.url, {**reached(tmp_path), "GOOGLE_GEMINI_BASE_URL": project})
    for file in EXAMPLES.iterdir():
        runner.workflow(file.name, file.read_text())
    runner.declare()
    runner.git("update-ref", "refs/remotes/origin/main", "main")
    runner.git("checkout", "-qb", "edit")
    head = runner.declare("a")

    review(runner, hub, head)
    review(runner, hub, head)
    assert len(hub.said) == len(hub.writes()) == 1
    assert "`a`" in hub.texts()[0]
    assert caches(project) == []

    runner.git("checkout", "-q", "main")
    runner.git("merge", "-q", "--no-ff", "-m", "merge", "edit")
    hub.merged = True
    log = passed(merged(runner))
    assert "Applied: 1 done" in log
    assert "holds no lock" in log
    (kept,) = caches(project)

    runner.declare("a", "b")
    log = failed(merged(runner))
    assert "exit-status=3" in log, log
    assert "Not approved, and left undone" in log, log
    assert "holds no lock" in log, log
    assert caches(project) == [kept]

    night(runner, project, kept)


def reached(folder: Path) -> dict[str, str]:
    """What leads a job's git to a repository on this disk in place of the one at GitHub."""
    remote = folder / "remote.git"
    command = ["git", "init", "--quiet", "--bare", "--initial-branch=main", str(remote)]
    subprocess.run(command, check=True)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{remote}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/acme/bots",
    }


def review(runner: Runner, hub: GitHub, head: str) -> None:
    """What a pull request from a fork starts: a plan that may write nothing, then its comment."""
    hub.open = [{"number": 7, "label": "eve:edit", "head": {"sha": head}}]
    asked = {"number": 7, "head": {"ref": "edit"}, "base": {"ref": "main"}}
    log = passed(runner.run("ctxprov-plan.yml", "pull_request", pull_request=asked))
    assert "::notice file=caches/ctxprov.yaml,line=4" in log, log
    run = {
        "id": 1,
        "event": "pull_request",
        "head_sha": head,
        "head_branch": "edit",
        "head_repository": {"full_name": "eve/bots", "owner": {"login": "eve"}},
    }
    passed(runner.run("ctxprov-comment.yml", "workflow_run", workflow_run=run))


def merged(runner: Runner) -> Ran:
    """What a push starts that pull request 7 brought, beside other changes."""
    return runner.run("ctxprov-apply.yml", "push", ref="refs/heads/main")


def night(runner: Runner, project: str, kept: str) -> None:
    """A schedule changes nothing while all is well; a project that shows nothing fails it."""
    passed(runner.run("ctxprov-keepalive.yml", "schedule"))
    assert caches(project) == [kept]

    lose(project, kept)
    log = failed(runner.run("ctxprov-keepalive.yml", "schedule"))
    assert "exit-status=3" in log, log
    assert caches(project) == []
