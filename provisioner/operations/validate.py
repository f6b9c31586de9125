"""
Every check of a stack that asks no provider, over all of its environments at once.

Decides what is a problem and in which environments; how it is shown is the caller's.  Raises
what keeps it from looking: a catalogue of models that cannot be read, git that fails.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from provisioner.catalog import Catalog, load_catalog
from provisioner.checkout import bare_repositories
from provisioner.errors import ManifestError, Problem
from provisioner.manifest import environments_of, read_manifest
from provisioner.manifest.types import Manifest
from provisioner.model.records import Desired
from provisioner.operations.checkout import checkout_around, destination_problems
from provisioner.operations.session import Ports
from provisioner.resolver import load_and_resolve


class SoundStack(Struct, frozen=True, kw_only=True):
    """A stack in one environment, with nothing wrong as far as its own files go."""

    environment: str | None
    manifest: Manifest
    desired: tuple[Desired, ...]


class Validation(Struct, frozen=True, kw_only=True):
    """What is sound of a stack, and what is not."""

    sound: tuple[SoundStack, ...]
    problems: Sequence[Problem]
    """In the order of their places, each once, with the environments that have it."""
    warnings: Sequence[Problem]
    """Likewise."""


def validate_stack(
    ports: Ports, stack: Path, *, environment: str | None, models: Path | None
) -> Validation:
    """
    Check the stack of a folder or manifest, in *environment* or else in each that it declares.

    Raises ManifestError for a catalogue *models* that cannot be read, and GitFailed.
    """
    catalog = load_catalog(models)
    environments = (environment,) if environment else environments_of(stack) or (None,)
    check = _Check(ports, stack, catalog, environments)
    for one in environments:
        check.environment(one)
    return Validation(
        sound=tuple(check.sound),
        problems=check.problems.listed(),
        warnings=check.warnings.listed(),
    )


class _Check:
    """The check of one stack, as far as it has come."""

    def __init__(
        self, ports: Ports, stack: Path, catalog: Catalog, environments: Sequence[str | None]
    ) -> None:
        self._stack = stack
        self._catalog = catalog
        self._now = ports.now()
        self._checkout = checkout_around(ports, stack)
        self._exposed = _exposed(stack)
        self.sound: list[SoundStack] = []
        self.problems = _Findings(environments)
        self.warnings = _Findings(environments)

    def environment(self, name: str | None) -> None:
        """Check what the stack is in the environment *name*."""
        self.problems.add(name, self._exposed)
        try:
            manifest, resolution = load_and_resolve(
                self._stack,
                self._catalog,
                environment=name,
                checkout=self._checkout,
                now=self._now,
            )
        except ManifestError as error:
            self.problems.add(name, error.problems)
            if draft := read_manifest(self._stack, environment=name).manifest:
                self.problems.add(name, destination_problems(draft, with_state=True))
            return
        self.problems.add(name, destination_problems(manifest, with_state=True))
        self.warnings.add(name, resolution.warnings)
        if not self._exposed:
            desired = resolution.desired
            self.sound.append(SoundStack(environment=name, manifest=manifest, desired=desired))


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
