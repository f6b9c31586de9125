"""
`python -m benchmarks.pace`: how long creates take beside what a quota demands of them.

Each row is an apply of new caches in a process of its own, against `slow_project`.  Without a
quota, an earlier ctxprov from this repository's history goes the same way in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.ours import write_stack

ROOT = Path(__file__).parent.parent
EARLIER = "d28a563"
CASES = "40:10,200:100,200:0"
TAKES = 2.4
HEAD = (
    "| caches | quota a minute | ctxprov | wall | creates | demanded | ratio | POSTs | refused "
    "| failed |\n|--:|--:|---|--:|--:|--:|--:|--:|--:|--:|"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What came of one apply."""

    wall: float
    """Seconds of the whole process."""
    seconds: float
    """From the first create that arrived to the last that was answered."""
    accepted: int
    refused: int
    status: int


def pace(code: Path, count: int, *, quota: int, takes: float) -> Pace:
    """Apply *count* new caches with the ctxprov in the folder *code*."""
    with TemporaryDirectory() as place:
        stack = Path(place) / "stack"
        write_stack(stack, count)
        with slow_project(takes=takes, quota=quota) as (url, figures):
            environ = {
                **os.environ,
                "GOOGLE_GEMINI_BASE_URL": url,
                "GOOGLE_API_KEY": "bench",
                "NO_PROXY": "127.0.0.1",
                "PYTHONPATH": str(code),
            }
            command = [sys.executable, "-m", "provisioner", "apply", str(stack), "--auto-approve"]
            begun = time.perf_counter()
            ran = subprocess.run(command, env=environ, cwd=code, capture_output=True, check=False)
            wall = time.perf_counter() - begun
        return Pace(
            wall=wall,
            seconds=figures["seconds"],
            accepted=int(figures["accepted"]),
            refused=int(figures["refused"]),
            status=ran.returncode,
        )


@contextmanager
def slow_project(*, takes: float, quota: int) -> Iterator[tuple[str, dict[str, float]]]:
    """The URL of a slow project, and its figures once it has ended."""
    command = [sys.executable, "-m", "benchmarks.slow_project"]
    command += ["--takes", str(takes), "--quota", str(quota)]
    figures: dict[str, float] = {}
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101  # it is a pipe
        try:
            yield server.stdout.readline().strip(), figures
        finally:
            server.terminate()
            figures |= json.loads(server.stdout.read() or "{}")


def earlier(place: Path) -> Path | None:
    """An earlier ctxprov, unpacked below *place*; None where the history does not reach so far."""
    if not (git := shutil.which("git")):
        return None
    command = [git, "-C", str(ROOT), "archive", EARLIER, "provisioner", "schemas"]
    archived = subprocess.run(command, capture_output=True, check=False)
    if archived.returncode:
        return None
    with tarfile.open(fileobj=BytesIO(archived.stdout)) as files:
        files.extractall(place, filter="data")
    return place


def row(count: int, quota: int, name: str, took: Pace, *, takes: float) -> str:
    demanded = takes + ((count - 1) // quota * 60 if quota else 0)
    cells = [
        f"{count}",
        f"{quota or 'none'}",
        name,
        f"{took.wall:.1f}",
        f"{took.seconds:.1f}",
        f"{demanded:.1f}",
        f"{took.seconds / demanded:.2f}" if quota else "",
        f"{took.accepted + took.refused}",
        f"{took.refused / max(1, took.accepted + took.refused):.1%}",
        f"{count - took.accepted}",
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pace", description=__doc__)
    parser.add_argument("--cases", default=CASES, help="CACHES:QUOTA, … (%(default)s)")
    parser.add_argument("--takes", type=float, default=TAKES, help="seconds (%(default)s)")
    asked = parser.parse_args()
    print(HEAD, flush=True)
    with TemporaryDirectory() as place:
        before = earlier(Path(place))
        for case in asked.cases.split(","):
            count, quota = map(int, case.split(":"))
            took = pace(ROOT, count, quota=quota, takes=asked.takes)
            print(row(count, quota, "this", took, takes=asked.takes), flush=True)
            if before and not quota:
                then = pace(before, count, quota=quota, takes=asked.takes)
                print(row(count, quota, EARLIER, then, takes=asked.takes), flush=True)
                print(f"\nWithout a quota: {took.wall / then.wall:.2f} of {EARLIER}'s wall time.")


if __name__ == "__main__":
    main()
