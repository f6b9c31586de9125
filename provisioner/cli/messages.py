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
from typing import TYPE_CHECKING

import click

from provisioner import runtime
from provisioner.cli import console
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
from provisioner.times import moment_text

if TYPE_CHECKING:
    from provisioner.storage.lock_owner import LockOwner


def tell(sentence: str) -> None:
    console.note(plain(sentence))


def warn(warning: str) -> None:
    tell(f"warning: {warning}")


_MOST_WARNINGS = 10
"""How many warnings of a manifest are printed before what a command is about."""


def advise(warnings: Sequence[Problem], *, most: int = _MOST_WARNINGS) -> None:
    """Print the first *most* of *warnings*; the rest is counted."""
    for warning in warnings[:most]:
        warn(str(warning))
    if (rest := len(warnings) - most) > 0:
        hint = "; ctxprov validate shows more of them" if most < MOST_PROBLEMS else ""
        tell(f"… and {rest:,} more warnings{hint}.")


_LONGEST = 4_000
"""Characters of one failure; what a server or a file contributes to it is cut much earlier."""


EXPECTED = (CtxprovError, click.UsageError, Misuse)
"""Failures that are no bug."""


def tell_error(error: Exception) -> Status:
    """
    Print *error* to standard error, made harmless, and return the status that it ends with.

    A failure is a paragraph, wrong usage comes with how the command is meant, and a bug keeps its
    traceback.
    """
    match error:
        case ManifestError():
            return tell_problems(error.problems)
        case CtxprovError():
            console.note(f"Error: {plain(clipped(str(error), _LONGEST))}")
            return _status_of(error)
        case click.UsageError() | Misuse():
            usage = _usage_error(error)
            usage.ctx = usage.ctx or click.get_current_context(silent=True)
            usage.show()
            return Status.USAGE
        case _:
            console.note("".join(traceback.format_exception(error)))
            console.note("This is a bug in ctxprov: the traceback above says where.")
            return Status.FAILED


def summary_of(error: Exception) -> str:
    """The first line of an expected failure."""
    if isinstance(error, click.UsageError | Misuse):
        sentence = _usage_error(error).format_message()
    else:
        sentence = str(error)
    return plain(sentence.partition("\n")[0])


def _usage_error(error: click.UsageError | Misuse) -> click.UsageError:
    """The same, as click shows it."""
    if isinstance(error, click.UsageError):
        return error
    sentence = plain(str(error))
    if error.option is None:
        return click.UsageError(sentence)
    return click.BadParameter(sentence, param_hint=error.option)


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
    if isinstance(error, StateLocked):
        return Status.LOCKED
    return Status.REFUSED if isinstance(error, Refused | ScopeRefused) else Status.FAILED


_OURS = logging.getLogger("provisioner")


class _Aside(logging.Handler):
    """Standard error: a record is one line there, with any text of a server in it."""

    def emit(self, record: logging.LogRecord) -> None:
        console.progress(f"{plain(self.format(record))}\n", aside=True)


def start_log(level: str | None) -> None:
    """
    Log from *level* on; nothing below the warning of a library holds a key.

    Without a log show warnings, each once.
    """
    if level is None:
        if not any(isinstance(handler, _Warnings) for handler in _OURS.handlers):
            _OURS.addHandler(_Warnings(logging.WARNING))
        return
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level.upper(), format=form, handlers=[_Aside()], force=True)
    _OURS.handlers.clear()


class _Warnings(logging.Handler):
    """Shows what our own library warns of, such as git's words about a remote."""

    def emit(self, record: logging.LogRecord) -> None:
        warn(record.getMessage())


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
    if owner is None or owner.until is None or runtime.SYSTEM.now() < owner.until:
        return ""
    until = moment_text(owner.until.replace(microsecond=0))
    return f"; its lock ran out at {until} and is taken over if no renewal shows that it lives"
