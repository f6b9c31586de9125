"""
What went wrong, in words and as a status: an expected failure or a bug.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import click

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

_LONGEST = 4_000
"""Characters of one failure; what a server or a file contributes to it is cut much earlier."""


def explain(error: Exception) -> Status:
    """Tell *error* on standard error: a failure in a paragraph, a bug with its traceback."""
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
