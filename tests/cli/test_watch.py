"""`apply --watch`: a run again and again, and how long it sleeps in between."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import islice, pairwise
from pathlib import Path
from random import Random

import click
import pytest
from msgspec.structs import replace

from provisioner.cli.options import SOONEST
from provisioner.cli.per_stack import StackOutcome, StackRow
from provisioner.cli.status import Status
from provisioner.cli.watch import next_wait, waits, watched
from provisioner.errors import CtxprovError
from provisioner.model.facts import State
from provisioner.runtime import SYSTEM, Runtime
from tests.builders import HOUR, NOW, desired, recorded, state
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
MINUTE = timedelta(minutes=1)


class Earliest(Random):
    """Draws the lower end."""

    def uniform(self, a: float, b: float) -> float:
        return min(a, b)


class Clock:
    """Goes on with each pause alone, and keeps how long it was between two turns."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.naps: list[float] = []

    @property
    def runtime(self) -> Runtime:
        return replace(
            SYSTEM,
            now=lambda: NOW + timedelta(seconds=self.passed),
            monotonic=lambda: self.passed,
            pause=self.pause,
            random=Earliest(),
        )

    def pause(self, seconds: float) -> None:
        self.passed += seconds

    def noting(self, turn: Callable[[], Sequence[StackRow]]) -> Callable[[], Sequence[StackRow]]:
        turns: list[float] = []

        def noted() -> Sequence[StackRow]:
            turns.append(self.passed)
            self.naps = [later - earlier for earlier, later in pairwise(turns)]
            return turn()

        return noted


def ended(status: Status, before: State | None) -> list[StackRow]:
    return [(Path("a"), StackOutcome(status=status, summary="", state=before))]


def test_it_sleeps_until_a_window_opens() -> None:
    """The sleep ends when the first refresh is due, but is never longer than asked for."""
    before = state(recorded(desired("a")))
    due = 5 * HOUR

    now = before.caches["a"].updated_at
    rows = ended(Status.OK, before)

    assert next_wait(rows, now, every=24 * HOUR, retry=None) == due
    assert next_wait(rows, now, every=HOUR, retry=None) == HOUR
    assert next_wait(rows, now + due, every=HOUR, retry=None) == SOONEST


def test_failures_wait_longer_and_longer() -> None:
    """A failure is tried again soon, then less often, and never less than every ten minutes."""
    assert [wait / MINUTE for wait in islice(waits(), 7)] == [0.5, 1, 2, 4, 8, 10, 10]


def test_success_forgets_earlier_failures() -> None:
    """After a success the next failure is tried again soon."""
    turns = iter([Status.FAILED, Status.FAILED, Status.OK, Status.FAILED, Status.TERMINATED])
    clock = Clock()

    status = watched(
        clock.noting(lambda: ended(next(turns), None)), every=HOUR, runtime=clock.runtime
    )

    assert status is Status.TERMINATED
    assert clock.naps == [30, 60, 3600, 30]


def test_a_later_turn_may_fail_altogether() -> None:
    """A folder that is away for a moment ends nothing; wrong usage from the start does."""
    clock = Clock()
    endings: Iterator[Status | Exception] = iter(
        [Status.OK, CtxprovError("full"), click.UsageError("away"), Status.TERMINATED]
    )

    def turn() -> list[StackRow]:
        ending = next(endings)
        if isinstance(ending, Exception):
            raise ending
        return ended(ending, None)

    status = watched(clock.noting(turn), every=HOUR, runtime=clock.runtime)

    assert status is Status.TERMINATED
    assert clock.naps == [3600, 30, 60]
    wrong = watched(lambda: ended(Status.USAGE, None), every=HOUR, runtime=SYSTEM)
    assert wrong is Status.USAGE


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent there")
def test_sigterm_ends_the_sleep(stage: Stage) -> None:
    """A container that is stopped while it sleeps ends at once; what it did is saved."""
    stage.write(A, a=LONG)
    command = [sys.executable, "-m", "provisioner", "apply", str(stage.root)]
    with subprocess.Popen(
        [*command, "--watch", "--auto-approve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stderr
        assert "Next run at" in run.stderr.readline()
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=30)

    assert run.returncode == 143
    assert list(stage.state()["caches"]) == ["a"]
