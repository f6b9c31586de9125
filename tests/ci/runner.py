"""A runner of GitHub's workflows: act, without containers, with stand-ins for foreign actions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.ci.forge import TOKEN

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "ci" / "github"
WHEELS = ROOT / ".venv-ci" / "wheels"
STANDINS = Path(__file__).parent / "artifacts"
SELF = "OWNER/ctxprov@0000000000000000000000000000000000000000"
"""The action, as the examples name it."""

_PARTS = ("action.yml", "pyproject.toml", "README.md", "LICENSE", "provisioner", "schemas", ".ci")
_ARTIFACTS = {
    "actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02": STANDINS / "upload",
    "actions/download-artifact@d3f86a106a0bac45b974a628896c90dbdf5c8093": STANDINS / "download",
}
_MANIFEST = "version: 1\nstack: demo\ncaches:"
_CACHE = "  {0}: {{provider: gemini, model: gemini-3.8-flash, ttl: 12h, content: {0}.md}}\n"


@dataclass(frozen=True, slots=True)
class Ran:
    """How a workflow ended, and its log."""

    status: int
    log: str


@dataclass
class Runner:
    """One repository with workflows, and what its jobs find in their environment."""

    home: Path
    url: str
    environ: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._action = self.home / "action"
        self._action.mkdir()
        for name in _PARTS:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self._action / name)
        (self.repository / ".github" / "workflows").mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", "https://github.com/acme/bots")

    @property
    def repository(self) -> Path:
        return self.home / "bots"

    def git(self, *arguments: str) -> str:
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        arguments = ("git", "-C", str(self.repository), *who, *arguments)
        return subprocess.run(arguments, check=True, capture_output=True, text=True).stdout.strip()

    def workflow(self, name: str, text: str) -> None:
        (self.repository / ".github" / "workflows" / name).write_text(text)

    def declare(self, *names: str) -> str:
        """Commit a stack of these caches, and tell the commit."""
        folder = self.repository / "caches"
        folder.mkdir(exist_ok=True)
        caches = "\n" + "".join(map(_CACHE.format, names)) if names else " {}\n"
        (folder / "ctxprov.yaml").write_text(_MANIFEST + caches)
        for name in names:
            (folder / f"{name}.md").write_text("word " * 4000)
        self.git("add", "-A")
        self.git("commit", "-qm", "declare " + " ".join(names))
        return self.git("rev-parse", "HEAD")

    def run(self, workflow: str, on: str, **event: Any) -> Ran:  # noqa: ANN401  # JSON
        """Run *workflow* as a server does that got *event*."""
        file = self.home / "event.json"
        file.write_text(json.dumps(event))
        command = ["act", on, "-C", str(self.repository), "-W", f".github/workflows/{workflow}"]
        command += ["-e", str(file), "--no-cache-server", "-P", "ubuntu-latest=-self-hosted"]
        command += ["-s", f"GITHUB_TOKEN={TOKEN}", "-s", "GEMINI_API_KEY=any"]
        for name, there in {SELF: self._action, **_ARTIFACTS}.items():
            command += ["--local-repository", f"{name}={there}"]
        index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(WHEELS)}
        places = {"GITHUB_API_URL": self.url, "ARTIFACTS": str(self.home / "artifacts")}
        for name, value in {**index, **places, **self.environ}.items():
            command += ["--env", f"{name}={value}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return Ran(done.returncode, done.stdout + done.stderr)
