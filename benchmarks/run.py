"""
ctxprov beside octoDNS, in one run: whole processes, wall and CPU seconds, peak memory.

`make bench` installs the peer and runs this.  Both read their own YAML from a folder and
find nothing to do; ctxprov also hashes every content file and lists a live project, which an
emulator serves from a process of its own.  Absolute times hold for one machine; ratios travel.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CONTENT = 10_000
CTXPROV = [sys.executable, "-m", "provisioner"]
OCTODNS = [sys.executable, "-m", "octodns.cmds.sync"]
RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians of several runs of one command."""

    wall: float
    cpu: float
    peak: float
    """MiB."""


def measure(command: Sequence[str], *, runs: int, environ: dict[str, str]) -> Cost:
    """Run *command* once to warm up, then *runs* times; its output is thrown away."""
    samples = [_once(command, environ) for _ in range(runs + 1)][1:]
    wall, cpu, peak = zip(*samples, strict=True)
    return Cost(
        wall=statistics.median(wall), cpu=statistics.median(cpu), peak=statistics.median(peak)
    )


def _once(command: Sequence[str], environ: dict[str, str]) -> tuple[float, float, float]:
    begun = time.perf_counter()
    with subprocess.Popen(
        command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as run:
        assert run.stderr  # noqa: S101  # it is a pipe
        said = run.stderr.read()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    if run.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{said.decode()[-2000:]}")
    scale = 1024 if sys.platform != "darwin" else 1024 * 1024
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / scale


def write_stack(root: Path, count: int) -> None:
    """A stack of *count* caches, each with a content file of its own."""
    lines = [
        "version: 1",
        "stack: bench",
        "defaults:",
        "  gemini: {model: gemini-3.8-flash, ttl: 12h, refresh_before: 4h, retire_after: 1h}",
        "caches:",
    ]
    (root / "content").mkdir(parents=True)
    for number in range(count):
        name = f"manual-{number:06}"
        text = f"{name}\n" + "The quick brown fox jumps over the lazy dog. " * (CONTENT // 45)
        (root / "content" / f"{name}.md").write_text(text)
        lines += [f"  {name}:", "    provider: gemini", f"    content: content/{name}.md"]
    (root / "ctxprov.yaml").write_text("\n".join(lines) + "\n")


def edit_tenth(root: Path) -> None:
    for file in sorted((root / "content").iterdir())[::10]:
        file.write_text(file.read_text() + "One more sentence.\n")


def write_zone(root: Path, count: int) -> None:
    """octoDNS's own YAML, from one folder to another, with *count* records."""
    records = "".join(
        f"name-{n:06}:\n  - ttl: 300\n    type: A\n    value: 10.{n >> 16 & 255}.{n >> 8 & 255}."
        f"{n & 255}\n"
        for n in range(count)
    )
    for side in ("source", "target"):
        (root / side).mkdir(parents=True)
        (root / side / "example.com.yaml").write_text(f"---\n{records}")
    (root / "config.yaml").write_text(
        "providers:\n"
        f"  source:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {root}/source\n"
        f"  target:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {root}/target\n"
        "zones:\n  example.com.:\n    sources: [source]\n    targets: [target]\n"
    )


@contextmanager
def emulator(folder: Path) -> Iterator[dict[str, str]]:
    """The environment of a client whose project an emulator serves, in a process of its own."""
    command = [*CTXPROV, "emulator", "--port", "0", "--store", str(folder / "gemini.sqlite3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101  # it is a pipe
        url = server.stdout.readline().split()[3]
        try:
            yield {**os.environ, "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_API_KEY": "bench"}
        finally:
            server.terminate()


def compare(count: int, *, runs: int) -> Iterator[tuple[str, Cost, Cost | None]]:
    """Every measurement at one size: what was done, ours, and the peer's."""
    plain = dict(os.environ)
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        write_stack(root / "stack", count)
        write_zone(root / "dns", count)
        stack = str(root / "stack")
        octodns = measure(
            [*OCTODNS, "--config-file", str(root / "dns" / "config.yaml")], runs=runs, environ=plain
        )
        with emulator(root) as environ:
            apply = [*CTXPROV, "apply", stack, "--auto-approve"]
            yield (
                f"{count:,}: validate",
                measure([*CTXPROV, "validate", stack], runs=runs, environ=plain),
                None,
            )
            made = _once(apply, environ)
            yield f"{count:,}: apply, all new", Cost(wall=made[0], cpu=made[1], peak=made[2]), None
            plan = [*CTXPROV, "plan", stack]
            yield f"{count:,}: plan, no change", measure(plan, runs=runs, environ=environ), octodns
            edit_tenth(root / "stack")
            yield (
                f"{count:,}: plan, a tenth edited",
                measure(plan, runs=runs, environ=environ),
                None,
            )
            tenth = _once(apply, environ)
            yield (
                f"{count:,}: apply, a tenth",
                Cost(wall=tenth[0], cpu=tenth[1], peak=tenth[2]),
                None,
            )


def start_up(*, runs: int) -> Iterator[tuple[str, Cost, Cost | None]]:
    nothing = measure([sys.executable, "-c", "pass"], runs=runs, environ=dict(os.environ))
    for words in (["--version"], ["--help"]):
        cost = measure([*CTXPROV, *words], runs=runs, environ=dict(os.environ))
        yield f"start-up: {words[0]}, beside python -c pass", cost, nothing


def row(name: str, ours: Cost, peer: Cost | None) -> str:
    cells = [name, f"{ours.wall:.2f}", f"{ours.cpu:.2f}", f"{ours.peak:.0f}"]
    if peer:
        cells += [f"{peer.wall:.2f}", f"{peer.cpu:.2f}", f"{peer.peak:.0f}"]
        cells += [f"{ours.wall / peer.wall:.2f}", f"{ours.cpu / peer.cpu:.2f}"]
    return f"| {' | '.join([*cells, *[''] * (9 - len(cells))])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure ctxprov beside octoDNS.")
    parser.add_argument("--sizes", default="100,1000,10000", help="numbers of caches")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs that count")
    asked = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    print(f"Python {platform.python_version()}, {platform.system()}, {cores} cores;", end=" ")
    print(f"medians of {asked.runs}; seconds and MiB; the peer is octoDNS.\n")
    print("| what | wall | cpu | peak | peer wall | peer cpu | peer peak | wall/ | cpu/ |")
    print("|---|---|---|---|---|---|---|---|---|", flush=True)
    for name, ours, peer in start_up(runs=asked.runs):
        print(row(name, ours, peer), flush=True)
    for size in map(int, asked.sizes.split(",")):
        for name, ours, peer in compare(size, runs=asked.runs):
            print(row(name, ours, peer), flush=True)


if __name__ == "__main__":
    main()
