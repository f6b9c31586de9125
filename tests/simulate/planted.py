"""
Plant each fault of `patches` in the code, and play worlds until the rule that it names breaks.

`python -m tests.simulate.planted [NAME…] [--seeds 500] [--jobs 2]` exits with 1 if a fault is not
found.  A patched module is compiled as it is imported, in a process of its own; no file changes.  A
seed counts only if the code without the fault keeps the rule there.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from subprocess import run
from types import CodeType, ModuleType

from msgspec import Struct

from tests.simulate.patches import PATCHES, Patch

SEEDS = 500


class Detection(Struct, frozen=True, kw_only=True):
    """What came of one fault."""

    patch: Patch
    seed: int | None
    """The first that broke the rule of the patch; None if no seed did."""
    seconds: float
    others: dict[str, int]
    """The other rules that broke until then, each with its first seed."""


class _PatchFinder(MetaPathFinder):
    """Imports one module with a fault."""

    def __init__(self, patch: Patch) -> None:
        self._patch = patch
        self._module = module_of(patch)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != self._module:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec and spec.origin:
            spec.loader = _PatchLoader(name, spec.origin, self._patch)
        return spec


class _PatchLoader(SourceFileLoader):
    def __init__(self, name: str, path: str, patch: Patch) -> None:
        super().__init__(name, path)
        self._patch = patch

    def get_code(self, fullname: str) -> CodeType:
        """Compiled from the patched source, past any cache of bytecode."""
        return compiled(self._patch, Path(self.get_filename(fullname)).read_text())


def compiled(patch: Patch, source: str) -> CodeType:
    """Raises ValueError if *patch* does not fit *source*, SyntaxError if the result is no code."""
    return compile(patch.applied(source), patch.file, "exec", dont_inherit=True)


def module_of(patch: Patch) -> str:
    """The module that *patch* changes."""
    return (
        f"provisioner.{patch.file.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
    )


def source_of(patch: Patch) -> str:
    """The source that *patch* changes, as it stands in the working tree."""
    spec = find_spec("provisioner")
    assert spec is not None
    assert spec.origin is not None
    return (Path(spec.origin).parent / patch.file).read_text()


def detect(patch: Patch, seeds: Sequence[int]) -> Detection:
    """Play *seeds* with the fault in a process that has imported no module of `provisioner` yet."""
    assert module_of(patch) not in sys.modules
    sys.meta_path.insert(0, _PatchFinder(patch))
    from tests.simulate.campaign import outcome_of  # noqa: PLC0415  # with the fault

    began = time.monotonic()
    others: dict[str, int] = {}
    for seed in seeds:
        rules = {str(violation.rule) for violation in outcome_of(seed).violations}
        if patch.rule in rules and patch.rule not in _broken_without(seed):
            return _detection(patch, seed, began, others)
        for rule in sorted(rules - {patch.rule}):
            others.setdefault(rule, seed)
    return _detection(patch, None, began, others)


def _detection(patch: Patch, seed: int | None, began: float, others: dict[str, int]) -> Detection:
    return Detection(patch=patch, seed=seed, seconds=time.monotonic() - began, others=others)


def _broken_without(seed: int) -> frozenset[str]:
    """The rules that *seed* breaks without a fault, in another process."""
    story = run(
        [sys.executable, "-m", "tests.simulate", "--seed", str(seed)],
        check=False,
        capture_output=True,
        text=True,
    )
    return frozenset(line.partition(":")[0] for line in story.stdout.splitlines())


def detections(patches: Sequence[Patch], seeds: Sequence[int], *, jobs: int) -> Iterator[Detection]:
    """What comes of each of *patches*, in their order."""
    context = get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context, max_tasks_per_child=1) as pool:
        yield from pool.map(partial(detect, seeds=seeds), patches)


def row(detection: Detection) -> str:
    """A line of the table."""
    patch, seed = detection.patch, detection.seed
    first = "not found" if seed is None else f"{seed}"
    others = ", ".join(f"{rule} {at}" for rule, at in detection.others.items())
    return (
        f"{patch.name:28} {patch.rule:16} {first:>9} {detection.seconds:6.0f} s  {others}".rstrip()
    )


def main() -> int:
    asked = _arguments()
    patches = [patch for patch in PATCHES if not asked.names or patch.name in asked.names]
    missed = 0
    for detection in detections(patches, range(asked.seeds), jobs=asked.jobs):
        print(row(detection), flush=True)
        missed += detection.seed is None
    print(f"{len(patches) - missed} of {len(patches)} faults found within {asked.seeds} seeds")
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate.planted", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="of the faults; all by default")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many at most")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
