"""
The GitHub example in an empty repository with the manifest that `init` writes.

Git is real, and so is the remote that the state is in; each job gets a fresh checkout, which
vanishes with all that was written beside it, and the environment that the workflow names.  The
project is an emulator whose clock, like that of the jobs, is moved by hand.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from msgspec.structs import replace

from provisioner import cli, runtime
from provisioner.emulator import Emulator
from tests.emulator.local import Clock, served
from tests.repository import ALONE, git

EXAMPLES = Path(__file__).parents[1] / "examples" / "ci" / "github"
ACTION = "OWNER/ctxprov@"
START = datetime(2026, 11, 23, 9, tzinfo=UTC)
_UNSET = (
    "CI",
    "CTXPROV_STATE",
    "CTXPROV_ENV",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "GITHUB_SHA",
    "CI_COMMIT_SHA",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_WORKSPACE",
)
LATE = timedelta(hours=3, minutes=45)
"""Between two runs of the schedule: GitHub starts most of those that the example asks for late."""


@dataclass
class GitHub:
    """Jobs on machines of their own, the repository that they check out, and the project."""

    remote: Path
    machine: Path
    environ: pytest.MonkeyPatch
    ran: Callable[[], str]
    now: Clock
    emulator: Emulator

    def run(self, workflow: str, *more: str) -> str:
        """Run the commands of a workflow's job; each has to end well."""
        (job,) = yaml.safe_load((EXAMPLES / workflow).read_text())["jobs"].values()
        git(self.machine.parent, "clone", "--quiet", str(self.remote), str(self.machine))
        result = ""
        with self.environ.context() as environ:
            environ.chdir(self.machine)
            environ.setenv("CI", "true")
            for step in job["steps"]:
                if step.get("uses", "").startswith(ACTION):
                    self._set(environ, {**job.get("env", {}), **step.get("env", {})})
                    arguments = [*_arguments(step["with"]), *more]
                    status = cli.run(arguments)
                    result += self.ran()
                    assert status == 0, f"{arguments}: {result}"
        shutil.rmtree(self.machine)
        return result

    def apply(self) -> None:
        """What a newcomer's first merge does."""
        self.ran()
        assert cli.run(["plan", "caches", "--base", "HEAD~1", "--json"]) == 0
        plan = json.loads(self.ran())
        assert "nothing is kept warm" in self.run("ctxprov-keepalive.yml")
        applied = self.run("ctxprov-apply.yml", "--expect", plan["fingerprint"])
        assert "Applied: 1 done" in applied
        assert "warning: CI is set" not in applied

    def schedule(self, span: timedelta) -> None:
        """Let *span* pass, with a run of the schedule whenever GitHub gets round to it."""
        end = self.now() + span
        while self.now() < end:
            self.now.now += LATE
            result = self.run("ctxprov-keepalive.yml")
            assert "No drift" in result
            assert "Covered until" in result
            assert self.alive() == 1

    def alive(self) -> int:
        url = f"{os.environ['GOOGLE_GEMINI_BASE_URL']}/v1beta/cachedContents"
        listed = httpx.get(url, headers={"x-goog-api-key": "any"}).raise_for_status()
        return len(listed.json()["cachedContents"])

    def _set(self, environ: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
        for name, value in variables.items():
            environ.setenv(name, "any" if value.startswith("${{ secrets.") else value)


def _arguments(inputs: Mapping[str, Any]) -> list[str]:
    """The command line that the action makes of its inputs."""
    return [inputs["command"], inputs["stack"], *str(inputs.get("args", "")).split()]


@contextmanager
def newcomer(
    folder: Path, environ: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[GitHub]:
    """A repository that a newcomer has just set up and pushed; nothing else is configured."""
    for name, value in ALONE.items():
        environ.setenv(name, value)
    for name in _UNSET:
        environ.delenv(name, raising=False)
    remote, home = folder / "remote.git", folder / "home"
    home.mkdir()
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    git(home, "init", "--quiet", "--initial-branch=main")
    git(home, "remote", "add", "origin", str(remote))
    git(home, "commit", "--quiet", "--allow-empty", "--message", "begin")
    git(home, "push", "--quiet", "origin", "main")
    assert cli.run(["init", str(home / "caches")]) == 0
    shutil.copytree(EXAMPLES, home / ".github" / "workflows")
    git(home, "add", ".")
    git(home, "commit", "--quiet", "--message", "caches")
    git(home, "push", "--quiet", "origin", "main")
    environ.chdir(home)
    now = Clock(START)
    environ.setattr(runtime, "SYSTEM", replace(runtime.SYSTEM, now=now))

    def ran() -> str:
        out, err = capsys.readouterr()
        return out + err

    with closing(Emulator(clock=now)) as emulator, served(emulator) as url:
        environ.setenv("GOOGLE_GEMINI_BASE_URL", url)
        yield GitHub(remote, folder / "runner", environ, ran, now, emulator)
