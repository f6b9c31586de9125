"""
No warning of a dependency reaches a run: what is deprecated there is not called here.

`make check-newest` runs this file again with the newest version of every dependency.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.storage.s3 import BUCKET, served_s3

MANIFEST = """
version: 1
stack: demo
publish: handles.json
caches:
  manual: {provider: gemini, model: gemini-3.8-flash, ttl: 12h, content: a.md}
  policy: {provider: claude, model: claude-sonnet-5-5, content: a.md}
  triage: {provider: openai, model: gpt-6.1-terra, system_instruction: a.md}
"""
RUNS = (
    ("validate",),
    ("plan",),
    ("apply", "--auto-approve"),
    ("keepalive",),
    ("output", "manual"),
    ("destroy", "--auto-approve"),
)


@pytest.fixture(params=["folder", "s3"])
def state(request: pytest.FixtureRequest) -> Iterator[Mapping[str, str]]:
    """The environment of a run whose state is in a folder, or in an object store."""
    if request.param == "folder":
        yield {}
        return
    with served_s3() as s3:
        yield {**s3.environ, "CTXPROV_STATE": f"s3://{BUCKET}/smoke"}


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """The address of an emulator in a process of its own, which warnings end as well."""
    arguments = ("emulator", "--port", "0", "--store", str(tmp_path / "project.sqlite3"))
    with subprocess.Popen(_strict(*arguments), stdout=subprocess.PIPE, text=True) as emulator:
        assert emulator.stdout
        try:
            yield next(w for w in emulator.stdout.readline().split() if w.startswith("http://"))
        finally:
            emulator.terminate()


@pytest.mark.heavy
def test_a_stack_from_first_to_last(
    tmp_path: Path, state: Mapping[str, str], endpoint: str
) -> None:
    """A stack lives from validate to destroy with every warning made an error."""
    (tmp_path / "ctxprov.yaml").write_text(MANIFEST)
    (tmp_path / "a.md").write_text("word " * 4000)
    environ = {name: value for name, value in os.environ.items() if name != "CI"}
    environ |= {"GEMINI_API_KEY": "AIza-made-up", "GOOGLE_GEMINI_BASE_URL": endpoint, **state}

    for arguments in RUNS:
        run = subprocess.run(
            _strict(*arguments),
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (run.returncode, "Warning" in run.stderr) == (0, False), (arguments, run.stderr)


def _strict(*arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-m", "provisioner", *arguments]
