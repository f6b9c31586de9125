"""The jobs of examples/ci/gitlab, run as a runner would, beside a stand-in of GitLab."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.forge import GitLab, served
from tests.cli.cli_harness import GEMINI, KEY, LONG, Stage, staged

PIPELINE = Path(__file__).parents[2] / "examples" / "ci" / "gitlab" / ".gitlab-ci.yml"


@dataclass
class Project:
    """A clone of project 42, whose state is a folder that outlives its jobs."""

    root: Path
    forge: GitLab
    stage: Stage

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        command = ["git", "-C", str(self.root), *who, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, *names: str) -> str:
        """Declare the caches *names*."""
        folder = self.root / "caches"
        folder.mkdir(exist_ok=True)
        caches = "".join(f"  {name}: {{{GEMINI}, content: manual.md}}\n" for name in names)
        (folder / "ctxprov.yaml").write_text(f"version: 1\nstack: demo\ncaches:\n{caches}")
        (folder / "manual.md").write_text(LONG)
        self.git("add", "caches")
        self.git("commit", "-qm", " ".join(names))
        return self.git("rev-parse", "HEAD")

    def job(self, name: str, **variables: str) -> int:
        """Run a job; its status is that of its `script`."""
        pipeline = yaml.safe_load(PIPELINE.read_text())
        job: dict[str, Any] = {**pipeline.get(pipeline[name].get("extends"), {}), **pipeline[name]}
        own = {**pipeline["variables"], **job.get("variables", {})}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        environ = {**own, **os.environ, **self.forge.environ, "PATH": path, **variables}
        status = self.shell(job["script"], environ)
        assert self.shell(job.get("after_script", ()), environ) == 0
        return status

    def shell(self, lines: Iterable[str], environ: Mapping[str, str]) -> int:
        command = ["bash", "-eo", "pipefail", "-c", "\n".join(lines)]
        return subprocess.run(command, cwd=self.root, env=environ, check=False).returncode


@pytest.fixture
def project(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.example/acme/bots/-/jobs/1")
    root = tmp_path / "bots"
    forge = GitLab()
    with staged(root, capsys, monkeypatch, keys=(KEY,)) as stage, served(forge):
        monkeypatch.setenv("CTXPROV_STATE", str(tmp_path / "state"))
        root.mkdir()
        project = Project(root, forge, stage)
        project.git("init", "-q", "-b", "main")
        project.git("remote", "add", "origin", str(root))
        yield project


@pytest.mark.heavy
def test_from_a_request_to_the_night(project: Project) -> None:
    """A request is planned without a key and shown, its merge applied, and kept alive."""
    base = project.commit("a")
    assert project.stage.run("apply", str(project.root / "caches"), "--auto-approve").status == 0
    project.commit("a", "b")
    assert project.job("ctxprov apply") == 3  # it came without a request
    assert len(project.stage.live()) == 1

    request = {"CI_MERGE_REQUEST_DIFF_BASE_SHA": base, "GEMINI_API_KEY": ""}
    assert project.job("ctxprov plan", **request) == 0
    assert "`b`" in (project.root / "plan.md").read_text()
    assert project.job("ctxprov comment", **request) == 0
    assert "`b`" in project.forge.texts()[0]

    project.forge.merged = True
    assert project.job("ctxprov apply") == 0
    assert sorted(cache["name"] for cache in project.stage.live().values()) == ["a", "b"]

    assert project.job("ctxprov keepalive") == 0
    project.stage.delete(next(iter(project.stage.live())))
    assert project.job("ctxprov keepalive") == 2  # drift is told, and mended
    assert len(project.stage.live()) == 2


@pytest.mark.heavy
def test_a_fork(project: Project) -> None:
    """A request from a fork gets its comment from a job of the default branch."""
    project.commit("a")
    project.git("checkout", "-qb", "fork")
    project.commit("a", "b")
    project.git("update-ref", "refs/merge-requests/7/head", "fork")
    project.git("checkout", "-q", "main")
    project.git("branch", "-qD", "fork")

    main = project.git("rev-parse", "HEAD")
    assert project.job("ctxprov comment on a fork", MERGE_REQUEST="7", CI_COMMIT_SHA=main) == 0
    assert "`b`" in project.forge.texts()[0]
    assert "`a`" not in project.forge.texts()[0]
