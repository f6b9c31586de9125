"""
ctxprov's own part: a stack with a content file for each cache, and a live project.

An emulator serves the project from a process of its own, which no figures include.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measure import Cost, run
from benchmarks.steps import Step

CTXPROV = [sys.executable, "-m", "provisioner"]
CONTENT = 10_000
"""Bytes of each content file, which is more than the model's minimum of tokens."""
MODEL = "gemini-2.5-flash-lite"

_SENTENCE = "The quick brown fox jumps over the lazy dog. "


def ctxprov(root: Path, count: int) -> Iterator[tuple[Step, Cost]]:
    write_stack(root, count)
    with emulator(root.with_suffix(".sqlite3")) as environ:
        most = ["--max-caches", str(max(count, 1))]
        plan = [*CTXPROV, "plan", str(root), *most]
        apply = [*CTXPROV, "apply", str(root), "--auto-approve", *most]
        yield Step.VALIDATE, run([*CTXPROV, "validate", str(root), *most])
        yield Step.APPLY_ALL, run(apply, environ)
        yield Step.PLAN_SAME, run(plan, environ)
        edit_tenth(root)
        yield Step.PLAN_TENTH, run(plan, environ)
        yield Step.APPLY_TENTH, run(apply, environ)


def bare_loop(root: Path, count: int) -> Iterator[tuple[Step, Cost]]:
    """What posting the same bodies costs without a plan, a record or a second try."""
    write_stack(root, count)
    with emulator(root.with_suffix(".sqlite3")) as environ:
        loop = [sys.executable, "-m", "benchmarks.bare_loop", str(root / "content"), MODEL]
        yield Step.APPLY_ALL, run(loop, environ)


def write_stack(root: Path, count: int) -> None:
    (root / "content").mkdir(parents=True)
    lines = [
        "version: 1",
        "stack: bench",
        "defaults:",
        f"  gemini: {{model: {MODEL}, ttl: 12h, refresh_before: 4h, retire_after: 1h}}",
        "caches:",
    ]
    for number in range(count):
        name = f"manual-{number:06}"
        (root / "content" / f"{name}.md").write_text(f"{name}\n" + _SENTENCE * (CONTENT // 45))
        lines += [f"  {name}:", "    provider: gemini", f"    content: content/{name}.md"]
    (root / "ctxprov.yaml").write_text("\n".join(lines) + "\n")


def edit_tenth(root: Path) -> None:
    for file in sorted((root / "content").iterdir())[::10]:
        file.write_text(file.read_text() + "One more sentence.\n")


@contextmanager
def emulator(store: Path) -> Iterator[Mapping[str, str]]:
    """The environment of a client whose empty project an emulator serves."""
    command = [*CTXPROV, "emulator", "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101  # it is a pipe
        url = server.stdout.readline().split()[3]
        try:
            yield {
                **os.environ,
                "GOOGLE_GEMINI_BASE_URL": url,
                "GOOGLE_API_KEY": "bench",
                "NO_PROXY": "127.0.0.1",
            }
        finally:
            server.terminate()
