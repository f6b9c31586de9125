"""`output` in every format."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.cli_harness import Stage


def output(stage: Stage, *arguments: str) -> str:
    result = stage.run("output", *arguments, "-C", ".")
    assert result.status == 0, result.err
    return result.out


def test_variables(applied: Stage) -> None:
    """A shell that reads the variables has them."""
    for name in ("a", "n", "o"):
        script = output(applied, name, "--format", "env") + f'echo "$CTXPROV_{name.upper()}_MODEL"'
        done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
        assert done.stdout.strip() in {"gemini-3.8-flash", "claude-sonnet-5-5", "gpt-6.1-terra"}


def test_one_and_all(applied: Stage) -> None:
    """Without a name every handle is printed, with one that handle alone."""
    everything = json.loads(output(applied))["caches"]

    assert set(everything) == {"a", "n", "o"}
    assert json.loads(output(applied, "a")) == everything["a"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["nothing"], 1),
        (["--format", "env"], 64),
        (["n", "--api", "chat"], 64),
        (["n", "--format", "request", "--api", "chat"], 64),
    ],
)
def test_what_there_is_not(applied: Stage, arguments: list[str], status: int) -> None:
    """A name, a format or an API that does not exist ends output with its status."""
    assert applied.run("output", *arguments, "-C", ".").status == status
