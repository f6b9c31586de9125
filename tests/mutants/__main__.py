"""
Changes the product in small ways and counts the changes that no test notices.

`python -m tests.mutants planner pricing --sample 200 --seed 1` prints a line for each area and the
mutants that survive.  Those that `survivors.toml` lists with a reason are accepted; a listed one
that is killed by now is reported too.  Run it without other work on the machine, or with `nice`.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from tests.mutants.operators import Mutant, mutants
from tests.mutants.runner import Profile, Verdict, profile, run

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).parent / "survivors.toml"
LIMITS = "operations/check_limits"
AREAS = ("planner", "applier", "state", "handles", "approval", LIMITS, "pricing")
TESTS = (
    *(f"tests/{area}" for area in AREAS),
    *(f"tests/test_{area}.py" for area in (*AREAS, "convergence")),
    *(f"tests/operations/test_{module}.py" for module in ("check_limits", "forecast")),
)
"""What is run, as far as it exists: the tests of these rooms, and histories of whole runs."""


class Survivor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mutant that no test needs to kill."""

    function: str
    statement: str
    change: str
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.function, self.statement, self.change


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the mutants that the arguments name.  0 if all survivors are accepted, else 1."""
    options = _options(arguments)
    chosen = list(_chosen(options))
    chosen += _controls(chosen, options)
    seen = _profile(options)
    verdicts: list[Verdict] = []
    with Path(options.results).open("wb") as results:

        def report(verdict: Verdict) -> None:
            verdicts.append(verdict)
            results.write(msgspec.json.encode(verdict) + b"\n")
            results.flush()

        run(
            ROOT,
            _selection(options),
            chosen,
            seen,
            budget=options.budget,
            jobs=options.jobs,
            report=report,
        )
    return _summary(verdicts)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    parser.add_argument("areas", nargs="*", default=AREAS, help="rooms or modules of provisioner/")
    parser.add_argument("--sample", type=int, help="mutants of each area; all by default")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--controls", type=int, default=20, help="runs without any change")
    parser.add_argument("--budget", type=float, default=15, help="seconds of tests for a mutant")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--again", help="only what survived according to this file of results")
    parser.add_argument("--only", help="only functions whose name contains this")
    parser.add_argument("--profile", help="a file that keeps what tests execute")
    parser.add_argument("--tests", nargs="*", default=TESTS, help="files and folders of tests")
    parser.add_argument("--results", default="/dev/null", help="where each verdict is written")
    return parser.parse_args(arguments)


def _selection(options: argparse.Namespace) -> list[str]:
    return [*(path for path in options.tests if (ROOT / path).exists()), "-m", "not heavy"]


def _profile(options: argparse.Namespace) -> Profile:
    kept = Path(options.profile) if options.profile else None
    if kept and kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=Profile)
    seen = profile(ROOT, _selection(options))
    if kept:
        kept.write_bytes(msgspec.json.encode(seen))
    return seen


def _chosen(options: argparse.Namespace) -> Iterator[Mutant]:
    again = None
    if options.again:
        lines = Path(options.again).read_bytes().splitlines()
        verdicts = [msgspec.json.decode(line, type=Verdict) for line in lines]
        again = {_key(one) for one in verdicts if one.end in {"survived", "unseen"}}
    for area in options.areas:
        some = [
            mutant
            for mutant in _mutants(area)
            if (not options.only or options.only in mutant.function)
            and (again is None or _key(mutant) in again)
        ]
        if options.sample and options.sample < len(some):
            some = random.Random(options.seed).sample(some, options.sample)  # noqa: S311
        yield from some


def _mutants(area: str) -> Iterator[Mutant]:
    for file in _files(area):
        yield from mutants(str(file.relative_to(ROOT)), file.read_text())


def _controls(chosen: Sequence[Mutant], options: argparse.Namespace) -> list[Mutant]:
    """The tests of some mutants without their change: one that fails says that others may lie."""
    within = [mutant for mutant in chosen if mutant.function]
    some = random.Random(options.seed).sample(within, min(options.controls, len(within)))  # noqa: S311
    return [replace(mutant, number=-1, change="") for mutant in some]


def _files(area: str) -> list[Path]:
    folder = ROOT / "provisioner"
    files = sorted((folder / area).rglob("*.py")) or [(folder / area).with_suffix(".py")]
    return [file for file in files if file.exists()] or sys.exit(f"no such area: {area}")


def _key(one: Mutant | Verdict) -> tuple[str, str, str]:
    return one.function, one.statement, one.change


def _area(module: str) -> str:
    area = module.removeprefix("provisioner/").removesuffix(".py")
    return area if area == LIMITS else area.partition("/")[0]


def _summary(verdicts: Sequence[Verdict]) -> int:
    accepted = {survivor.key: survivor for survivor in _accepted()}
    counts: dict[str, Counter[str]] = {}
    survivors = []
    failed = [verdict for verdict in verdicts if verdict.number < 0 and verdict.end != "survived"]
    for verdict in failed:
        _line(f"without any change a test failed: {verdict.module}: {verdict.function}")
    for verdict in verdicts:
        if verdict.number < 0:
            continue
        count = counts.setdefault(_area(verdict.module), Counter())
        count["mutants"] += 1
        count[verdict.end] += 1
        if verdict.end in {"survived", "unseen"}:
            if _key(verdict) in accepted:
                count["accepted"] += 1
            else:
                survivors.append(verdict)
        elif _key(verdict) in accepted:
            _line(f"listed as a survivor, but killed: {_key(verdict)}")
    everything = {_key(mutant) for area in AREAS for mutant in _mutants(area)}
    for key in accepted.keys() - everything:
        _line(f"listed as a survivor, but there is no such mutant: {key}")
    for verdict in sorted(survivors, key=lambda one: (one.module, one.first)):
        where = f"{verdict.module}:{verdict.first}: {verdict.function}: {verdict.end}"
        _line(f"{where} ({verdict.tests} tests)\n    {verdict.statement}\n    {verdict.change}")
    _line(f"at {_revision()}")
    for area, count in counts.items():
        killed = count["failed"] + count["timeout"]
        _line(
            f"{area}: {count['mutants']} mutants, {killed} killed ({count['timeout']} by time), "
            f"{killed / count['mutants']:.1%}; {count['accepted']} accepted survivors"
        )
    return 1 if survivors or failed else 0


def _accepted() -> list[Survivor]:
    document = tomllib.loads(LIST.read_text())
    return msgspec.convert(document.get("survivor", []), type=list[Survivor])


def _revision() -> str:
    described = subprocess.run(
        ["git", "-C", str(ROOT), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=True,
    )
    return described.stdout.strip()


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
