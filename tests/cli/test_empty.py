"""An empty argument is wrong usage, and an empty variable is none."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import provisioner
from provisioner.cli import group, run
from provisioner.environment import set_in
from tests.cli.cli_harness import GEMINI, LONG, Stage


def commands(
    command: click.Command, arguments: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command of the tree, with the arguments that name it."""
    if not isinstance(command, click.Group):
        yield arguments, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        one = command.get_command(context, name)
        assert one
        yield from commands(one, (*arguments, name))


def empty_arguments() -> Iterator[tuple[str, ...]]:
    """Every argument and every option of every command, given as nothing."""
    for arguments, command in commands(group):
        for param in command.params:
            if isinstance(param, click.Argument):
                yield (*arguments, "")
                continue
            for option in (*param.opts, *param.secondary_opts):
                yield (*arguments, option, "")
                if option.startswith("--"):
                    yield (*arguments, f"{option}=")


@pytest.mark.heavy
def test_every_argument_and_option(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every command refuses every empty argument and option, with status 64 and no change."""
    monkeypatch.chdir(tmp_path)
    tried = list(empty_arguments())
    assert len(tried) > 300
    for arguments in tried:
        assert run(arguments) == 64, arguments
        assert "is empty" in capsys.readouterr().err, arguments
    assert list(tmp_path.iterdir()) == []


def test_the_argument_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """The message says which argument is empty, and what to do."""
    run(["plan", "stacks/a", "--base", ""])
    assert "Argument 4 (after --base) is empty" in capsys.readouterr().err
    run(["plan", "--base="])
    assert "The value of --base is empty" in capsys.readouterr().err


def test_after_the_end_of_options(capsys: pytest.CaptureFixture[str]) -> None:
    """After `--` a folder may look like an option, and still not be empty."""
    assert run(["validate", "--", "--state="]) == 1
    assert "--state=" in capsys.readouterr().err
    assert run(["validate", "--", ""]) == 64


def test_destroy_of_an_unset_variable(stage: Stage) -> None:
    """`destroy ""` in a stack's folder deletes nothing."""
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    stage.apply()
    arguments = [sys.executable, "-m", "provisioner", "destroy", "", "--auto-approve"]
    ended = subprocess.run(arguments, cwd=stage.root, capture_output=True, text=True, check=False)
    assert ended.returncode == 64, ended
    assert len(stage.live()) == len(stage.state()["caches"]) == 1


@pytest.mark.parametrize(
    "name", ["CTXPROV_STATE", "CTXPROV_ENV", "CTXPROV_MODELS", "GOOGLE_API_KEY", "CI"]
)
def test_empty_variable(stage: Stage, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A variable that is set to nothing is as good as none."""
    monkeypatch.setenv(name, "")
    stage.write(f"a: {{{GEMINI}, content: a.md}}", a=LONG)
    assert stage.apply().status == 0
    assert set(stage.state()["caches"]) == {"a"}


def test_gits_variables_stay() -> None:
    """Of the environment, what is empty is left out, but for git's own variables."""
    environ = {"CI": "", "GITHUB_SHA": "", "GIT_ASKPASS": "", "HOME": "/root"}
    assert set_in(environ) == {"GIT_ASKPASS": "", "HOME": "/root"}


def test_one_reader_of_the_environment() -> None:
    """Nothing else reads the environment, so nothing can take an empty variable for a choice."""
    root = Path(provisioner.__file__).parent
    readers = {
        str(path.relative_to(root))
        for path in root.rglob("*.py")
        if any(
            isinstance(node, ast.Attribute)
            and node.attr in {"environ", "getenv"}
            and isinstance(node.value, ast.Name)
            and node.value.id == os.__name__
            for node in ast.walk(ast.parse(path.read_text()))
        )
    }
    assert readers == {"environment.py"}
