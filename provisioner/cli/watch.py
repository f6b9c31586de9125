"""
A run again and again, for people who run a container rather than a schedule.

Between two runs it sleeps until time brings something to do, never longer than --every,
since no edit announces itself.  It retries a run that failed soon, and then less and
less often.  A signal ends the sleep, and with it the program.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from provisioner.cli.messages import EXPECTED, tell, tell_error
from provisioner.cli.options import SOONEST
from provisioner.cli.per_stack import StackOutcome, StackRow, status_of
from provisioner.cli.status import SIGNALLED, Status
from provisioner.planner.transitions import next_run
from provisioner.runtime import Runtime
from provisioner.view.units import when

RETRY, SLOWEST = timedelta(seconds=30), timedelta(minutes=10)
HOURLY = timedelta(hours=1)
JITTER = timedelta(minutes=1)
"""At most so much later, so that many containers do not come at once."""

_STEP = 0.5
"""Seconds.  A signal that came just before a sleep began is heard after one step of it."""


def watched(
    turn: Callable[[], Sequence[StackRow]],
    *,
    every: timedelta,
    runtime: Runtime,
) -> Status:
    """
    Take one *turn* after the other until a signal comes, and return its status.

    Wrong usage ends it where it began; later it is a failure like others.
    """
    rows = turn()
    if status_of(rows) is Status.USAGE:
        return Status.USAGE
    retries = waits()
    while (status := status_of(rows)) not in SIGNALLED:
        if status is Status.OK:
            retries = waits()
        now = runtime.now()
        wait = next_wait(rows, now, every=every, retry=None if status is Status.OK else retries)
        wait += timedelta(seconds=runtime.random.uniform(0, min(wait / 10, JITTER).total_seconds()))
        tell(f"Next run at {when(now + wait, at=now)}.")
        _sleep(wait.total_seconds(), runtime)
        rows = _again(turn)
    return status


def next_wait(
    rows: Sequence[StackRow], now: datetime, *, every: timedelta, retry: Iterator[timedelta] | None
) -> timedelta:
    """How long to sleep after *rows*: until something is due, or until a failure's next try."""
    if retry is not None:
        return min(next(retry), every)
    waits = (_until_due(outcome, now) for _, outcome in rows)
    return max(SOONEST, min([every, *(wait for wait in waits if wait is not None)]))


def _until_due(outcome: StackOutcome, now: datetime) -> timedelta | None:
    """How long until a stack wants a run, by the clocks of its providers."""
    there = now + outcome.ahead
    due = next_run(outcome.state, there) if outcome.state else None
    return None if due is None else due - there


def _sleep(seconds: float, runtime: Runtime) -> None:
    end = runtime.monotonic() + seconds
    while (rest := end - runtime.monotonic()) > 0:
        runtime.pause(min(rest, _STEP))


def _again(turn: Callable[[], Sequence[StackRow]]) -> Sequence[StackRow]:
    """A turn that ends nothing: a folder may be away for a moment, or a disk full."""
    try:
        return turn()
    except EXPECTED as error:
        return [(Path(), StackOutcome(status=tell_error(error)))]


def waits() -> Iterator[timedelta]:
    """Half a minute, a minute, two …, ten minutes for ever."""
    wait = RETRY
    while True:
        yield wait
        wait = min(wait * 2, SLOWEST)
