"""Exit statuses, wrong usage and help."""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path

import click
import pytest

from provisioner import cli
from provisioner.cli import COMMANDS
from provisioner.cli.status import Status, first_of
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"

TABLE = {
    "OK": 0,
    "FAILED": 1,
    "PENDING": 2,
    "REFUSED": 3,
    "LOCKED": 4,
    "USAGE": 64,
    "HUNG_UP": 129,
    "INTERRUPTED": 130,
    "TERMINATED": 143,
}
ORDER = [129, 130, 143, 64, 4, 1, 3, 2, 0]


def test_the_table() -> None:
    """The statuses are these numbers, and the first of the documented order applies."""
    assert {status.name: status.value for status in Status} == TABLE
    for one, other in combinations_with_replacement(ORDER, 2):
        assert first_of(Status(other), Status(one)) == one


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_documented(page: str) -> None:
    """README, the commands' page and the module say the same numbers in the same order."""
    readme = (Path(__file__).parents[2] / page).read_text()
    table = readme.partition("## Exit status")[2].partition("## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")][1:]

    assert [int(n) for row in rows for n in row.replace(",", " ").split()] == ORDER


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--nonsense"],
        ["nonsense"],
        ["plan", ".", "--exit-on", "whim"],
        ["plan", ".", "--at", "tomorrow"],
        ["plan", ".", "--replace", "unknown"],
        ["plan", ".", "--target", "unknown-*"],
        ["plan", ".", "--out", "plan.pdf"],
        ["plan", ".", "--json", "--out", "text=-"],
        ["apply", ".", "--expect", "4f53cda18c2b"],
        ["plan", ".", "--base", "main", "--emulator"],
        ["apply", ".", "--prune", "--expect", "0" * 64],
        ["apply", ".", "--plan", "a", "--expect", "0" * 64, "--auto-approve"],
        ["apply", ".", "--parallelism", "0"],
        ["apply", ".", "--lock-timeout", "soon"],
        ["apply", ".", "--lock-timeout", "3651d"],
        ["forecast", ".", "--miss-rate", "200%"],
        ["forecast", ".", "--for", "9999999d", "--every", "9999999d"],
        ["forecast", ".", "--for", "3651d"],
        ["forecast", ".", "--for", "999999999d999999999d"],
        ["validate", ".", "--every", "9999999d"],
        ["explain", "a", "-C", ".", "--at", "9999-12-31T23:59:59Z"],
        ["plan", ".", "--at", "+3651d"],
        ["plan", "/nowhere/*"],
    ],
    ids=" ".join,
)
def test_wrong_usage(stage: Stage, arguments: list[str]) -> None:
    """Wrong usage is 64, says what is wrong, and changes nothing."""
    stage.write(A, a=LONG)
    result = stage.run(*arguments)

    assert result.status == 64
    assert "Error: " in result.err
    assert not stage.state_file.exists()


def test_no_terminal(stage: Stage) -> None:
    """Without a terminal nothing is asked and nothing is done."""
    stage.write(A, a=LONG)
    result = stage.run("apply", ".")

    assert result.status == 3
    assert "--auto-approve" in result.err
    assert stage.live() == {}


@pytest.mark.parametrize("name", ["state", "lock"])
def test_help_of_verbs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each verb of a command has examples of its own."""
    group = cli.group.get_command(click.Context(cli.group), name)
    assert isinstance(group, click.Group)
    for verb in group.commands:
        assert cli.run([name, verb, "--help"]) == 0
        assert f"  ctxprov {name} {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command has help with examples, and the list of commands says the same of it."""
    assert cli.run([name, "--help"]) == 0
    text = capsys.readouterr().out

    assert "Examples:" in text
    assert f"  ctxprov {name}" in text
    assert COMMANDS[name] in " ".join(text.split())
