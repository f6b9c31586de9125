"""
What is written beside the results, on standard error, made harmless: sentences, failures, the log.

A failure that was expected is a paragraph, a bug keeps its traceback, and a wait for another run
is counted down.  What the sentences say is decided where they are raised.
"""

from __future__ import annotations

import logging
import math
import sys
import traceback
from collections.abc import Sequence
from datetime import timedelta

import click

from provisioner.cli import clock, console
from provisioner.cli.status import Status
from provisioner.errors import (
    MOST_PROBLEMS,
    CtxprovError,
    ManifestError,
    Problem,
    Refused,
    ScopeRefused,
    StateLocked,
    clipped,
)
from provisioner.escape import plain
from provisioner.operations.session import Misuse
from provisioner.storage import OnWait
from provisioner.storage.lock_owner import LockOwner
from provisioner.times import moment_text


def tell(sentence: str) -> None:
    console.note(plain(sentence))


_LONGEST = 4_000
"""Characters of one failure; what a server or a file contributes to it is cut much earlier."""


def explain(error: Exception) -> Status:
    """Print *error* to standard error: a failure in a paragraph, a bug with its traceback."""
    if isinstance(error, CtxprovError):
        return tell_error(error)
    console.note("".join(traceback.format_exception(error)))
    console.note("This is a bug in ctxprov: the traceback above says where.")
    return Status.FAILED


def tell_error(error: CtxprovError) -> Status:
    """Print an expected failure, made harmless."""
    if isinstance(error, ManifestError):
        return tell_problems(error.problems)
    console.note(f"Error: {plain(clipped(str(error), _LONGEST))}")
    return _status_of(error)


def usage_error(error: click.UsageError | Misuse) -> click.UsageError:
    """The same, as click shows it."""
    if isinstance(error, click.UsageError):
        return error
    sentence = plain(str(error))
    if error.option is None:
        return click.UsageError(sentence)
    return click.BadParameter(sentence, param_hint=error.option)


def tell_usage(error: click.UsageError) -> Status:
    """Print how a command is meant, and what is wrong."""
    error.ctx = error.ctx or click.get_current_context(silent=True)
    error.show()
    return Status.USAGE


def tell_problems(problems: Sequence[Problem]) -> Status:
    """Print what is wrong with a manifest: a line each of the first, and how many there are."""
    for problem in problems[:MOST_PROBLEMS]:
        console.note(plain(str(problem)))
    count = len(problems)
    if count > MOST_PROBLEMS:
        console.note(f"… and {count - MOST_PROBLEMS:,} more.")
    console.note(f"{count:,} problem{'s' * (count != 1)}; nothing was changed.")
    return Status.FAILED


def _status_of(error: CtxprovError) -> Status:
    match error:
        case StateLocked():
            return Status.LOCKED
        case Refused() | ScopeRefused():
            return Status.REFUSED
        case _:
            return Status.FAILED


_OURS = logging.getLogger("provisioner")


class _Harmless(logging.Formatter):
    """A record is one line, with any text of a server in it."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


class _Aside(logging.Handler):
    """Standard error, as it is when there is something to say."""

    def emit(self, record: logging.LogRecord) -> None:
        console.progress(f"{self.format(record)}\n", aside=True)


def start_log(level: str) -> None:
    """Log from *level* on; nothing below the warning of a library holds a key."""
    handler = _Aside()
    handler.setFormatter(_Harmless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    _OURS.handlers.clear()


class _Warnings(logging.Handler):
    """Shows what our own library warns of, such as git's words about a remote."""

    def emit(self, record: logging.LogRecord) -> None:
        tell(f"warning: {record.getMessage()}")


def show_warnings() -> None:
    """Show warnings without a log; nothing is shown twice."""
    if not _OURS.handlers:
        _OURS.addHandler(_Warnings(logging.WARNING))


def waiting() -> OnWait:
    """A line that moves on a terminal; elsewhere it is printed once."""
    shown: list[int] = []

    def on_wait(owner: LockOwner | None, remaining: timedelta) -> None:
        seconds = math.ceil(remaining.total_seconds())
        moves = console.is_terminal(sys.stderr)
        if shown and (shown[-1] == seconds or not moves):
            return
        shown.append(seconds)
        who = plain(str(owner)) if owner else "another run"
        ending = "\r" if moves else "\n"
        text = f"Waiting up to {seconds}s for {who}{_why(owner)} ...{ending}"
        console.progress(text, aside=True)

    return on_wait


def _why(owner: LockOwner | None) -> str:
    """Why a lock that looks dead is watched, and not taken at once."""
    if owner is None or owner.until is None or clock.now() < owner.until:
        return ""
    until = moment_text(owner.until.replace(microsecond=0))
    return f"; its lock ran out at {until} and is taken over if no renewal shows that it lives"
