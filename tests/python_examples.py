"""
The examples of `examples/python`, run by an interpreter that has ctxprov.

They stand in a repository of their own, without a key, and every warning of Python's is an error.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import httpx

from tests.repository import ALONE, git

ROOT = Path(__file__).parents[1]
CONTENT = Path("examples/support-bot/content")
_PATIENCE = 30.0
"""Seconds for a service to begin."""


@dataclass(frozen=True)
class PythonExamples:
    """The examples in a checkout, and what runs them."""

    python: Path
    folder: Path

    @classmethod
    def copied(cls, python: Path, folder: Path) -> PythonExamples:
        """Commit a copy of the examples on the branch main of a new repository."""
        shutil.copytree(ROOT / "examples", folder / "examples")
        git(folder, "init", "--quiet", "--initial-branch=main")
        git(folder, "add", ".")
        git(folder, "commit", "--quiet", "--message", "begin")
        return cls(python, folder)

    def edit(self, name: str) -> None:
        """Add a sentence to a text that is cached."""
        with (self.folder / CONTENT / name).open("a") as text:
            text.write("\nOne more sentence.\n")

    def prompts(self) -> subprocess.CompletedProcess[str]:
        """Run the tests of the prompts against the branch main."""
        return self._run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_prompts.py")

    def task(self) -> Any:  # noqa: ANN401  # JSON
        """Run the task, and return what it passes on."""
        done = self._run("refresh_task.py", "examples/support-bot")
        assert (done.returncode, done.stderr) == (0, "")
        return json.loads(done.stdout)

    def service(self, path: str) -> tuple[Any, str]:
        """Serve until one request is answered; the answer and all that the service logged."""
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        arguments = self._arguments("service.py")
        environ = {**self._environ(), "PORT": str(port)}
        with subprocess.Popen(
            arguments, cwd=self.folder, env=environ, stderr=subprocess.PIPE, text=True
        ) as service:
            try:
                answer = _answer(f"http://127.0.0.1:{port}{path}", service)
            finally:
                service.send_signal(signal.SIGINT)
                _, log = service.communicate(timeout=_PATIENCE)
        return answer, log

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._arguments(*arguments),
            cwd=self.folder,
            env=self._environ(),
            capture_output=True,
            text=True,
            check=False,
        )

    def _arguments(self, *arguments: str) -> list[str]:
        named = (f"examples/python/{one}" if one.endswith(".py") else one for one in arguments)
        return [str(self.python), "-W", "error", *named]

    def _environ(self) -> dict[str, str]:
        """Neither a key nor a state of this machine."""
        names = ("PATH", "SYSTEMROOT")
        return {
            **{name: os.environ[name] for name in names if name in os.environ},
            **ALONE,
            "HOME": str(self.folder),
            "BASE": "main",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _answer(url: str, service: subprocess.Popen[str]) -> Any:  # noqa: ANN401  # JSON
    """Ask until the service has begun."""
    end = monotonic() + _PATIENCE
    while service.poll() is None and monotonic() < end:
        try:
            return httpx.get(url).raise_for_status().json()
        except httpx.ConnectError:
            sleep(0.05)
    raise AssertionError("the service did not begin")


def check_examples(examples: PythonExamples) -> None:
    """Each example does what its first lines promise."""
    examples.edit("faq.md")
    assert "2 passed" in (done := examples.prompts()).stdout, done
    examples.edit("product-manual.md")
    done = examples.prompts()
    assert done.returncode == 1, done
    assert "this edit replaces faq, product-manual for about $" in done.stdout, done

    passed_on = examples.task()
    assert {"faq", "product-manual"} <= set(passed_on["changed"])
    assert passed_on["cold"] == []
    assert examples.task() == {**passed_on, "changed": []}

    answer, log = examples.service("/faq?q=Hello")
    assert answer["contents"] == ["Hello"]
    assert answer["cached_content"].startswith("cachedContents/")
    assert "support-bot is warm until" in log
    assert "Traceback" not in log
