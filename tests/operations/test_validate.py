"""A stack is checked in all of its environments at once, and asks no provider."""

from __future__ import annotations

from pathlib import Path

import pytest

from provisioner.cli.terminal import program_ports
from provisioner.errors import ManifestError
from provisioner.operations.validate import Validation, validate_stack
from tests.cli.cli_harness import GEMINI, HEAD, LONG, Stage

ENVIRONMENTS = f"{HEAD}environments:\n  dev:\n  prod: {{caches: {{b: null}}}}\n"


def validation_of(folder: Path, environment: str | None = None) -> Validation:
    return validate_stack(program_ports(), folder, environment=environment, models=None)


def test_sound(stage: Stage) -> None:
    """What is sound comes with its caches, per environment."""
    entries = f"a: {{{GEMINI}, content: a.md}}", f"b: {{{GEMINI}, content: a.md}}"
    stage.write(*entries, head=ENVIRONMENTS, a=LONG)

    whole, one = validation_of(stage.root), validation_of(stage.root, "prod")

    names = [(sound.environment, [want.name for want in sound.desired]) for sound in whole.sound]
    assert names == [("dev", ["a", "b"]), ("prod", ["a"])]
    assert [sound.environment for sound in one.sound] == ["prod"]
    assert (whole.problems, whole.warnings) == ([], [])


def test_problems(stage: Stage) -> None:
    """A problem of every environment is listed once, one of some names them, all in order."""
    entries = f"a: {{{GEMINI}, content: no}}", f"b: {{{GEMINI}, content: no}}"
    stage.write(*entries, head=ENVIRONMENTS)

    validation = validation_of(stage.root)

    assert validation.sound == ()
    assert [(problem.where, problem.note) for problem in validation.problems] == [
        ("caches.a.content", ""),
        ("caches.b.content", "in dev"),
    ]


def test_repositories_below(stage: Stage) -> None:
    """A bare repository below the stack is a problem, and nothing beside it is sound."""
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    bare = stage.root / "docs"
    for folder in ("objects", "refs"):
        (bare / folder).mkdir(parents=True)
    (bare / "HEAD").write_text("ref: refs/heads/main\n")

    validation = validation_of(stage.root)

    assert [Path(problem.file).name for problem in validation.problems] == ["docs"]
    assert validation.sound == ()


def test_models(stage: Stage) -> None:
    """A catalogue of models that cannot be read ends the check."""
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)

    with pytest.raises(ManifestError, match="gone"):
        validate_stack(program_ports(), stage.root, environment=None, models=Path("gone"))
