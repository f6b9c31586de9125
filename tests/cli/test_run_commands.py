"""The options of what plans and applies."""

from __future__ import annotations

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


def test_detailed_exitcode(stage: Stage) -> None:
    """Pending changes are 2 only when asked for, and only for the causes asked for."""
    stage.write(A, a=LONG)

    assert stage.run("plan", ".").status == 0
    assert stage.run("plan", ".", "--detailed-exitcode").status == 2
    assert stage.run("plan", ".", "--detailed-exitcode", "--exit-on", "drift,time").status == 0
    stage.apply()
    assert stage.run("plan", ".", "--detailed-exitcode").status == 0


@pytest.mark.parametrize("text", ["", "4f53cda18c2b", "0" * 63, "0" * 65, "z" * 64, "0" * 64 + ","])
def test_half_an_approval(stage: Stage, text: str) -> None:
    """An approval is a whole fingerprint, or what `approved` prints; else it is wrong usage."""
    stage.write(A, a=LONG)

    assert stage.run("apply", ".", "--expect", text).status == 64
    assert stage.live() == {}


@pytest.mark.parametrize("causes", ["whim", "edit,", "edit;drift", "Edit"])
def test_unknown_causes(stage: Stage, causes: str) -> None:
    """A cause that does not exist is wrong usage, which lists those that do."""
    result = stage.run("plan", ".", "--exit-on", causes)

    assert result.status == 64
    assert "edit, drift and time" in " ".join(result.err.split())


@pytest.mark.parametrize("pair", ["eu", "eu=", "=GEMINI_API_KEY"])
def test_half_a_pair(stage: Stage, pair: str) -> None:
    """`--key-env` takes a provider and a variable, both."""
    arguments = ("--stack", "demo", "--state", str(stage.root / "state"))
    result = stage.run("destroy", *arguments, "--key-env", pair)

    assert result.status == 64
    assert "PROVIDER=VARIABLE" in result.err


@pytest.mark.parametrize(
    ("name", "more", "sentence"),
    [
        ("demo", ("x", "y"), "give neither besides"),
        ("demo", ("--env", "prod"), "give neither besides"),
        ("A B", ("x", "y"), "'A B' is not a stack name"),
        ("demo", ("--emulator",), "--state ADDRESS"),
    ],
)
def test_named_twice(stage: Stage, name: str, more: tuple[str, ...], sentence: str) -> None:
    """`--stack` beside folders is refused once, before anything, with the command's usage."""
    state = () if "--emulator" in more else ("--state", str(stage.root / "state"))
    result = stage.run("destroy", "--stack", name, *state, *more)

    assert result.status == 64
    assert result.out == ""
    assert result.err.count("Usage: ctxprov destroy") == 1
    assert result.err.count("Error: ") == result.err.count(sentence) == 1
