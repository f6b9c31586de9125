"""
The action as a runner runs it: by act, without containers, against a stand-in of GitHub.

`make check-ci` runs this; it needs act on the PATH and the wheels that the action installs.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.ci.forge import GitHub, served

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / ".venv-ci" / "wheels"
SELF = "OWNER/ctxprov@0000000000000000000000000000000000000000"
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
        with: {{stack: caches, args: --base\\nmain, comment: true}}
      - env:
          CHANGES: ${{{{ steps.plan.outputs.changes }}}}
          FINGERPRINT: ${{{{ steps.plan.outputs.fingerprint }}}}
        run: echo "changes=$CHANGES fingerprint=$FINGERPRINT"
""".replace("--base\\nmain", '"--base\\nmain"')
APPLY = f"""
on: push
permissions: {{}}
jobs:
  apply:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8
      - uses: {SELF}
        with: {{command: apply, stack: caches, args: --emulator, approved: true, extras: emulator}}
"""
MANIFEST = "version: 1\nstack: demo\ncaches:\n"
CACHE = "  {0}: {{provider: gemini, model: gemini-3.8-flash, ttl: 12h, content: {0}.md}}\n"


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", "-C", str(root), *who, *words], check=True, capture_output=True)


def declare(root: Path, *names: str) -> None:
    folder = root / "caches"
    folder.mkdir(exist_ok=True)
    (folder / "ctxprov.yaml").write_text(MANIFEST + "".join(map(CACHE.format, names)))
    for name in names:
        (folder / f"{name}.md").write_text("word " * 4000)
    git(root, "add", "-A")
    git(root, "commit", "-qm", " ".join(names))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "bots"
    (root / ".github" / "workflows").mkdir(parents=True)
    (root / ".github" / "workflows" / "plan.yml").write_text(WORKFLOW)
    (root / ".github" / "workflows" / "apply.yml").write_text(APPLY)
    git(tmp_path, "init", "-q", "-b", "main", str(root))
    git(root, "remote", "add", "origin", "https://github.com/acme/bots")
    declare(root, "a")
    git(root, "checkout", "-qb", "edit")
    return root


def action(tmp_path: Path) -> Path:
    """The files of the repository that the action is made of."""
    there = tmp_path / "action"
    names = (
        "action.yml",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "provisioner",
        "schemas",
        ".ci",
    )
    for name in names:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        there.mkdir(exist_ok=True)
        copy(ROOT / name, there / name)
    return there


def act(root: Path, there: Path, url: str, event: str = "pull_request") -> str:
    file = root.parent / "event.json"
    file.write_text(json.dumps({"pull_request": {"number": 7, "head": {"ref": "edit"}}}))
    environment = {
        "GITHUB_API_URL": url,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(WHEELS),
    }
    words = ["act", event, "-C", str(root), "-e", str(file), "--no-cache-server"]
    words += ["-P", "ubuntu-latest=-self-hosted", "-s", "GITHUB_TOKEN=made-up-token"]
    words += ["--local-repository", f"{SELF}={there}"]
    for name, value in environment.items():
        words += ["--env", f"{name}={value}"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_pull_request(repository: Path, tmp_path: Path) -> None:
    """One comment, untouched while it tells the same; a broken forge is a warning."""
    there = action(tmp_path)
    declare(repository, "a", "b")
    hub = GitHub()
    with served(hub):
        first = act(repository, there, hub.url)
        assert "changes=true" in first
        assert "fingerprint=" in first
        assert "Summary - ### ctxprov" in first
        assert len(hub.said) == 1
        assert "`b`" in hub.texts()[0]

        act(repository, there, hub.url)
        assert len(hub.writes()) == 1

        declare(repository, "a", "b", "c")
        act(repository, there, hub.url)
        assert len(hub.said) == 1
        assert len(hub.writes()) == 2
        assert "`c`" in hub.texts()[0]

        hub.broken = True
        told = act(repository, there, hub.url)
        assert "The comment could not be written" in told
        assert "changes=true" in told


def test_a_merge(repository: Path, tmp_path: Path) -> None:
    """What the comment showed is applied, more is refused, and the job's lock is looked for."""
    there = action(tmp_path)
    git(repository, "checkout", "-q", "main")
    git(repository, "rm", "-rq", "caches")
    git(repository, "commit", "-qm", "none")
    git(repository, "checkout", "-qb", "again")
    declare(repository, "a")
    hub = GitHub(merged=True)
    with served(hub):
        act(repository, there, hub.url)
        git(repository, "checkout", "-q", "main")
        git(repository, "merge", "-q", "again")
        told = act(repository, there, hub.url, "push")
        assert "Applied: 1 done" in told
        assert "holds no lock" in told

        hub.said.clear()
        with pytest.raises(AssertionError, match="Nothing was changed") as refused:
            act(repository, there, hub.url, "push")
        assert "holds no lock" in str(refused.value)
