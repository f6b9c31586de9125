"""
How an apply gets on: a bar on a terminal, a line for each finished change elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TypeAlias

from provisioner.cli import console, terminal
from provisioner.model.facts import Result
from provisioner.model.plan import Plan
from provisioner.render.result import result_line

Tell: TypeAlias = Callable[[Result], None]
_CELLS = 40
_PULSE = 0.1
"""Seconds that a line may wait for others."""


@contextmanager
def progress(plan: Plan, results: list[Result], *, colour: bool, quiet: bool) -> Iterator[Tell]:
    """
    Follow the application of *plan*: the caller passes every result to what is yielded.

    Results of pending changes go into *results*; the terminal shows them unless *quiet*: then a
    document takes standard output.
    """
    with _show(plan, colour=colour, quiet=quiet) as show:

        def report(result: Result) -> None:
            if result.change.is_pending:
                results.append(result)
                show(result)

        yield report


@contextmanager
def _show(plan: Plan, *, colour: bool, quiet: bool) -> Iterator[Tell]:
    if quiet:
        yield lambda _: None
    elif plan.pending and terminal.is_interactive():
        with _bar(len(plan.pending)) as advance:
            yield advance
    else:
        with _lines(colour=colour) as show:
            yield show


@contextmanager
def _lines(*, colour: bool) -> Iterator[Tell]:
    """Show those of one pulse together: each time, three threads take turns."""
    shown: dict[str, str] = {}
    lines: list[str] = []

    def flush() -> None:
        if lines:
            console.progress("".join(lines))
            lines.clear()

    def show(result: Result) -> None:
        if not lines:
            asyncio.get_running_loop().call_later(_PULSE, flush)
        lines.append(f"{result_line(result, colour=colour, shown=shown)}\n")

    try:
        yield show
    finally:
        flush()


@contextmanager
def _bar(total: int) -> Iterator[Tell]:
    begun, done = monotonic(), list[Result]()

    def line() -> str:
        full = _CELLS * len(done) // total
        bar = "█" * full + "░" * (_CELLS - full)
        return f"Applying {bar} {len(done)}/{total} {monotonic() - begun:.0f}s"

    with console.moving(line):
        yield done.append
