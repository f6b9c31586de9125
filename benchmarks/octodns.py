"""
octoDNS from one folder of its YAML to another: no network, and no content to read.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Cost, run
from benchmarks.steps import Step

SYNC = [sys.executable, "-m", "octodns.cmds.sync"]


def octodns(root: Path, count: int) -> Iterator[tuple[Step, Cost]]:
    """One zone of *count* records."""
    plan = [*SYNC, "--config-file", str(_write_config(root))]
    zone = root / "source" / "example.com.yaml"
    zone.write_text(_records(count, edited=False))
    yield Step.APPLY_ALL, run([*plan, "--doit"])
    yield Step.PLAN_SAME, run(plan)
    zone.write_text(_records(count, edited=True))
    yield Step.PLAN_TENTH, run(plan)
    yield Step.APPLY_TENTH, run([*plan, "--doit"])


def _write_config(root: Path) -> Path:
    for side in ("source", "target"):
        (root / side).mkdir(parents=True)
    config = root / "config.yaml"
    config.write_text(
        "providers:\n"
        f"  source:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {root}/source\n"
        f"  target:\n    class: octodns.provider.yaml.YamlProvider\n    directory: {root}/target\n"
        "zones:\n  example.com.:\n    sources: [source]\n    targets: [target]\n"
    )
    return config


def _records(count: int, *, edited: bool) -> str:
    """Addresses that differ; a tenth of them lie elsewhere once they are *edited*."""
    nets = ("10" if n % 10 or not edited else "11" for n in range(count))
    records = (
        f"name-{n:06}:\n  - ttl: 300\n    type: A\n    value: {net}.{n >> 16}.{n >> 8 & 255}."
        f"{n & 255}\n"
        for n, net in enumerate(nets)
    )
    return "".join(("---\n", *records))
