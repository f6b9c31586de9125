"""`ctxprov validate`: every check that asks no provider."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from provisioner import runtime
from provisioner.catalog import load_catalog
from provisioner.checkout import bare_repositories
from provisioner.cli import console
from provisioner.cli.messages import advise, tell_error, tell_problems
from provisioner.cli.options import expanded
from provisioner.cli.status import Status, first_of
from provisioner.cli.terminal import program_ports
from provisioner.errors import MOST_PROBLEMS, CtxprovError, GitFailed, ManifestError, Problem
from provisioner.escape import plain
from provisioner.manifest import environments_of, read_manifest
from provisioner.manifest.types import Manifest
from provisioner.model.records import Desired
from provisioner.operations.checkout import checkout_around, destination_problems
from provisioner.resolver import load_and_resolve


def validate_stacks(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    models: Path | None,
    every: timedelta | None,
) -> Status:
    """Check a stack offline, without a key."""
    return first_of(
        *(
            _validated(stack, _environments(stack, environment), models, every)
            for stack in expanded(stacks)
        )
    )


def _environments(stack: Path, environment: str | None) -> tuple[str | None, ...]:
    return (environment,) if environment else environments_of(stack) or (None,)


def _validated(
    stack: Path, environments: Sequence[str | None], models: Path | None, every: timedelta | None
) -> Status:
    try:
        catalog = load_catalog(models)
    except CtxprovError as error:
        return tell_error(error)
    warnings, problems, now = _Findings(environments), _Findings(environments), runtime.SYSTEM.now()
    sound: list[tuple[str | None, Manifest, Sequence[Desired]]] = []
    ports = program_ports()
    checkout, exposed = checkout_around(ports, stack), _exposed(stack)
    for one in environments:
        problems.add(one, exposed)
        try:
            manifest, resolution = load_and_resolve(
                stack, catalog, environment=one, checkout=checkout, now=now
            )
        except GitFailed as error:
            return tell_error(error)
        except ManifestError as error:
            problems.add(one, error.problems)
            if draft := read_manifest(stack, environment=one).manifest:
                problems.add(one, destination_problems(draft, with_state=True))
        else:
            problems.add(one, destination_problems(manifest, with_state=True))
            warnings.add(one, resolution.warnings)
            sound += [] if exposed else [(one, manifest, resolution.desired)]
    advise(warnings.listed(), most=MOST_PROBLEMS)
    for one, manifest, desired in sound:
        _tell(one, manifest, desired, every)
    return tell_problems(listed) if (listed := problems.listed()) else Status.OK


def _exposed(stack: Path) -> Sequence[Problem]:
    """Bare repositories below *stack*: ctxprov starts git in none, other programs may."""
    folder = stack if stack.is_dir() else stack.parent
    message = (
        "is a bare git repository: git that is started here runs what its configuration names; "
        "remove it"
    )
    return [Problem(str(one), 1, 1, "", message) for one in bare_repositories(folder)]


class _Findings:
    """Problems or warnings of several environments, each once, with those that have it."""

    def __init__(self, environments: Sequence[str | None]) -> None:
        self._count = len(environments)
        self._where: dict[Problem, list[str]] = {}

    def add(self, environment: str | None, problems: Iterable[Problem]) -> None:
        for problem in problems:
            self._where.setdefault(problem, []).append(environment or "")

    def listed(self) -> Sequence[Problem]:
        return sorted(self._noted(*place) for place in self._where.items())

    def _noted(self, problem: Problem, names: Sequence[str]) -> Problem:
        if len(names) == self._count:
            return problem
        note = f"{problem.note}, " if problem.note else ""
        return replace(problem, note=f"{note}in {' and '.join(names)}")


def _tell(
    environment: str | None,
    manifest: Manifest,
    desired: Sequence[Desired],
    every: timedelta | None,
) -> None:
    count = len(desired)
    where = plain(f"{manifest.path}, {environment}" if environment else str(manifest.path))
    console.say(f"{where}: {count} cache{'s' * (count != 1)}, no problems.")
    if every:
        from provisioner.operations.forecast import tolerance  # noqa: PLC0415  # for --every
        from provisioner.render.forecast import schedule_sentence  # noqa: PLC0415  # likewise

        console.say(schedule_sentence(tolerance(desired), every))
