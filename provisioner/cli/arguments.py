"""
What holds for every argument of every command, before any of them is read.

An empty argument is a variable that a job did not set, never a choice.  It is refused here, by
the arguments alone, so that no option and no command can forget it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import click

_EMPTY_OPTION = re.compile(r"(--[a-z][a-z0-9-]*)=", re.ASCII)
_END_OF_OPTIONS = "--"


def refuse_empty(argv: Sequence[str]) -> None:
    """Raise click.UsageError if an argument, or the value of an option, is empty."""
    may_be_option = True
    for number, word in enumerate(argv, start=1):
        if not word:
            raise click.UsageError(_sentence(f"Argument {number}{_after(argv[: number - 1])}"))
        may_be_option = may_be_option and word != _END_OF_OPTIONS
        if may_be_option and (option := _EMPTY_OPTION.fullmatch(word)):
            raise click.UsageError(_sentence(f"The value of {option[1]}"))


def _after(before: Sequence[str]) -> str:
    return f" (after {before[-1]})" if before and before[-1].startswith("-") else ""


def _sentence(what: str) -> str:
    return f"{what} is empty, perhaps a variable that is not set. Give a value, or leave it out."
