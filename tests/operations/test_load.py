"""A stack is loaded with its warnings, and one that declares nothing only if that is meant."""

from __future__ import annotations

from pathlib import Path

from provisioner.operations.load import prices_or_ours
from tests.builders import FLASH
from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.stacks import CATALOG

A = f"a: {{{GEMINI}, content: a.md}}"


def test_nothing_declared(stage: Stage) -> None:
    """A manifest that declares nothing is refused unless it is meant."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.write()

    for command in ("plan", "apply"):
        result = stage.run(command, ".")
        assert result.status == 3
        assert "--allow-empty" in result.err
    assert stage.apply("--allow-empty").status == 0
    assert stage.state()["caches"] == {}


def test_many_warnings(stage: Stage) -> None:
    """A plan tells the first ten warnings and counts the rest; validate tells them all."""
    stage.write(*[f"n{i}: {{{GEMINI}, content: a.md}}" for i in range(15)], a="short")

    result = stage.run("plan", ".").err.splitlines()
    assert len(result) == 11
    assert "5 more warnings" in result[-1]
    assert len(stage.run("validate", ".").err.splitlines()) == 15


def test_prices_that_cannot_be_read(tmp_path: Path) -> None:
    """What only shows prices takes those that ctxprov ships, where the file cannot be read."""
    assert prices_or_ours(tmp_path / "absent.json")("gemini", FLASH) == CATALOG.find(
        "gemini", FLASH
    )
    assert CATALOG.find("gemini", FLASH)
