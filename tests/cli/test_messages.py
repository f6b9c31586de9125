"""What goes to standard error: a failure in a paragraph, a bug with its traceback."""

from __future__ import annotations

import pytest

from provisioner.cli import Ending
from provisioner.cli.messages import advise
from provisioner.cli.status import Status
from provisioner.errors import (
    MOST_PROBLEMS,
    CtxprovError,
    ManifestError,
    Problem,
    Refused,
    ScopeRefused,
    StateError,
    StateLocked,
    StateTaken,
)

PROBLEM = Problem("ctxprov.yaml", 2, 1, "stack", "is odd")


def test_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """A bug keeps its traceback and says that it is one."""
    with Ending() as ending:
        1 / 0  # noqa: B018  # it fails
    assert ending.status == 1
    result = capsys.readouterr().err

    assert "ZeroDivisionError" in result
    assert "This is a bug in ctxprov" in result


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (CtxprovError("it failed"), Status.FAILED),
        (StateError("it failed"), Status.FAILED),
        (StateTaken("it failed"), Status.FAILED),
        (Refused("it failed"), Status.REFUSED),
        (ScopeRefused("it failed"), Status.REFUSED),
        (StateLocked("it failed"), Status.LOCKED),
    ],
    ids=lambda each: type(each).__name__,
)
def test_a_failure(error: Exception, status: Status, capsys: pytest.CaptureFixture[str]) -> None:
    """A failure that was expected is one paragraph, and its kind decides the status."""
    with Ending() as ending:
        raise error

    assert ending.status is status
    assert capsys.readouterr().err == "Error: it failed\n"


def test_a_failure_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    """What a server contributes to a failure moves no cursor, and is cut where it is endless."""
    with Ending():
        raise CtxprovError(f"\x1b[31m{'x' * 100_000}")

    text = capsys.readouterr().err

    assert "\x1b" not in text
    assert len(text) < 5_000


@pytest.mark.parametrize(
    ("count", "last"),
    [
        (1, ["1 problem; nothing was changed."]),
        (MOST_PROBLEMS, [f"{MOST_PROBLEMS} problems; nothing was changed."]),
        (1_500, [f"… and {1_500 - MOST_PROBLEMS:,} more.", "1,500 problems; nothing was changed."]),
    ],
)
def test_problems(count: int, last: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Each problem is a line with its place; beyond a limit they are counted."""
    problems = [Problem("ctxprov.yaml", line, 1, "stack", "is odd") for line in range(count)]
    with Ending() as ending:
        raise ManifestError(problems)

    assert ending.status is Status.FAILED
    lines = capsys.readouterr().err.splitlines()
    assert lines[-len(last) :] == last
    assert len(lines) == min(count, MOST_PROBLEMS) + len(last)


@pytest.mark.parametrize(
    ("most", "rest"),
    [
        (3, []),
        (2, ["… and 1 more warnings; ctxprov validate shows more of them."]),
    ],
)
def test_warnings(most: int, rest: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The first warnings are shown and the rest is counted, with the command that shows it."""
    with Ending():
        advise([PROBLEM] * 3, most=most)

    assert capsys.readouterr().err.splitlines() == [f"warning: {PROBLEM}"] * most + rest
