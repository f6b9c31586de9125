"""
A runner that is suspended while it holds a lease in S3, in real time: over a minute.

The processes are real, the store is moto's server, and nothing moves a clock.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut, Emulator
from provisioner.emulator.calls import Call
from tests.emulator.local import served
from tests.storage.s3 import BUCKET, served_s3

MANIFEST = f"""
version: 1
stack: demo
state: s3://{BUCKET}/suspended
publish: s3://{BUCKET}/suspended/handles.json
caches:
  a: {{provider: gemini, model: gemini-3.8-flash, ttl: 12h, retire_after: 0s, content: a.md}}
"""


class Project:
    """An emulated project that holds one answer back, and notes what is deleted."""

    def __init__(self) -> None:
        self.created, self.go_on = Event(), Event()
        self.go_on.set()
        self.deleted: list[str] = []
        self.emulator = Emulator(clock=lambda: datetime.now(UTC), min_tokens=1, faults=self._around)

    async def _around(self, call: Call, carry_out: CarryOut) -> Response:
        answer = await carry_out()
        if call.operation == "create" and not self.go_on.is_set():
            self.created.set()
        if call.operation == "delete":
            self.deleted.append(str(call))
        return answer


@pytest.fixture
def project() -> Iterator[tuple[Project, Mapping[str, str]]]:
    project = Project()
    with closing(project.emulator), served(project.emulator) as url, served_s3() as s3:
        environ = {name: text for name, text in os.environ.items() if name != "CI"}
        keys = {"GEMINI_API_KEY": "AIza-made-up", "GOOGLE_GEMINI_BASE_URL": url}
        yield project, {**environ, **s3.environ, **keys}


def apply(folder: Path, environ: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "provisioner", "apply", "--auto-approve", *arguments],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_suspended_runner(tmp_path: Path, project: tuple[Project, Mapping[str, str]]) -> None:
    """It finds its lease taken when it wakes up, and deletes nothing that its successor uses."""
    gemini, environ = project
    (tmp_path / "ctxprov.yaml").write_text(MANIFEST)
    (tmp_path / "a.md").write_text("word " * 4000)
    with apply(tmp_path, environ) as first:
        assert first.wait(60) == 0
    (tmp_path / "a.md").write_text("words " * 4000)
    gemini.go_on.clear()

    with apply(tmp_path, environ) as sleeper:
        assert gemini.created.wait(60)
        sleeper.send_signal(signal.SIGSTOP)
        gemini.go_on.set()
        with apply(tmp_path, environ) as successor:
            _, stderr = successor.communicate(timeout=30)
            assert successor.returncode == 4, stderr  # its lease does not look dead yet
        with apply(tmp_path, environ, "--lock-timeout", "5m") as successor:
            _, stderr = successor.communicate(timeout=180)
            assert successor.returncode == 0, stderr
        published = gemini.deleted[:]
        sleeper.send_signal(signal.SIGCONT)
        _, stderr = sleeper.communicate(timeout=60)

    assert sleeper.returncode == 1
    assert re.search("taken|not ours|could not be renewed", stderr)
    assert gemini.deleted == published
