"""An earlier revision's backend, project and stack, put back as they were when it stopped."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from provisioner import cli
from provisioner.emulator import Emulator
from provisioner.emulator.store import Row, Store
from tests.documents import LONG, ROOM
from tests.documents.google import google_server
from tests.emulator.local import served
from tests.repository import ALONE, git
from tests.storage.s3 import BUCKET, served_s3
from tests.storage.terraform_server import terraform_server
from tests.surface.environment import decides

BRANCH = "ctxprov-state"


@dataclass
class Earlier:
    """A stack whose state an earlier revision wrote, and the project at that moment."""

    kind: str
    folder: Path
    requests: Mapping[str, int]
    """How often the project was asked for what."""
    capsys: pytest.CaptureFixture[str]
    err: str = ""

    @property
    def answers(self) -> Any:  # noqa: ANN401  # JSON
        """What the earlier revision's commands printed."""
        return json.loads((ROOM / self.kind / "answers.json").read_text())

    def run(self, *arguments: str) -> str:
        """Run a command in the stack's folder, and return what it prints."""
        self.capsys.readouterr()
        cli.run([str(self.folder) if each == "." else each for each in arguments])
        out, self.err = self.capsys.readouterr()
        return out

    def ask(self, *arguments: str) -> Any:  # noqa: ANN401  # JSON
        return json.loads(self.run(*arguments))


@contextmanager
def earlier(
    kind: str, stack: str, at: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Earlier]:
    """Put *stack* and its project back into *root*, as they were *at* a moment."""
    folder = root / "repository" / stack
    copy_stack(stack, folder)
    behind = datetime.now(UTC) - datetime.fromisoformat(at)
    store = root / "project.sqlite3"
    with closing(Store(store)) as project:
        for row in json.loads((ROOM / kind / "project.json").read_text()):
            answer, tokens = (json.dumps(row.pop(key)) for key in ("answer", "tokens"))
            expires = row.pop("expires") * 1000
            project.add(Row(**row, answer=answer, tokens=tokens), expires, 0)
    with pytest.MonkeyPatch.context() as environ:
        for name in filter(decides, [*os.environ]):
            environ.delenv(name)
        emulator = Emulator(store, clock=lambda: datetime.now(UTC) - behind, min_tokens=1)
        with closing(emulator), served(emulator) as url:
            environ.setenv("GOOGLE_GEMINI_BASE_URL", url)
            environ.setenv("GEMINI_API_KEY", "AIza-made-up-first")
            environ.setenv("GEMINI_SECOND", "AIza-made-up-second")
            environ.setenv("COLUMNS", "100")
            for name, value in ALONE.items():
                environ.setenv(name, value)
            yield Earlier(kind, folder, emulator.requests, capsys)


def copy_stack(stack: str, folder: Path) -> None:
    """Copy one of the stacks into a repository of its own."""
    shutil.copytree(ROOM / "stacks" / stack, folder)
    (folder / "long.md").write_text(LONG)
    git(folder.parent, "init", "-q", "-b", "main")
    git(folder.parent, "add", ".")
    git(folder.parent, "commit", "-qm", "the stack")


@contextmanager
def backend(kind: str, folder: Path) -> Iterator[Mapping[str, str]]:
    """Put back what was written to a backend, and yield the variables by which it is found."""
    kept = ROOM / kind
    match kind:
        case "folder" | "environments":
            shutil.copytree(kept / "state", folder / "state")
            yield {}
        case "git":
            remote = str(folder.parent.parent / "origin.git")
            subprocess.run(["git", "init", "-q", "--bare", remote], check=True)
            stream = (kept / "branch.fast-export").read_bytes()
            command = ["git", "-C", remote, "fast-import", "--quiet"]
            subprocess.run(command, input=stream, check=True)
            git(folder.parent, "remote", "add", "origin", remote)
            yield {"CTXPROV_STATE": f"git+branch:{BRANCH}"}
        case "s3":
            with served_s3() as s3:
                for name, content in objects(kind).items():
                    url = f"{s3.environ['AWS_ENDPOINT_URL']}/{BUCKET}/{name}"
                    httpx.put(url, content=content, trust_env=False).raise_for_status()
                yield {**s3.environ, "CTXPROV_STATE": f"s3://{BUCKET}/team"}
        case "gs":
            with google_server(objects(kind)) as bucket:
                yield {"STORAGE_EMULATOR_HOST": bucket.url, "CTXPROV_STATE": "gs://states/team"}
        case "http":
            with terraform_server() as server:
                server.states["/states/small"] = [(kept / "small.json").read_bytes()]
                server.locks.update(json.loads((kept / "locks.json").read_bytes()))
                yield {"CTXPROV_STATE": f"{server.url}/states"}
        case _:
            raise AssertionError(kind)


def objects(kind: str) -> dict[str, bytes]:
    """What stood in an object store, by name."""
    room = ROOM / kind / "objects"
    return {
        path.relative_to(room).as_posix(): path.read_bytes()
        for path in sorted(room.rglob("*"))
        if path.is_file()
    }
