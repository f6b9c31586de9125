"""
How an apply gets on: a bar on a terminal, a line for each finished change elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import click

from provisioner.cli import terminal
from provisioner.model import Plan, Result, is_pending
from provisioner.render.result import result_line


@dataclass
class Progress:
    """What has ended so far; tells somebody of each."""

    tell: Callable[[Result], None]
    results: list[Result] = field(default_factory=list)

    def report(self, result: Result) -> None:
        self.results.append(result)
        if is_pending(result.change):
            self.tell(result)


@contextmanager
def progress(told: Plan, *, colour: bool, quiet: bool) -> Iterator[Progress]:
    """Follow the application of *told*; *quiet* says that standard output is taken."""
    if quiet:
        yield Progress(lambda _: None)
    elif told.pending and terminal.is_interactive():
        with _bar(len(told.pending)) as advance:
            yield Progress(advance)
    else:
        yield Progress(lambda result: click.echo(result_line(result, colour=colour), color=True))


@contextmanager
def _bar(total: int) -> Iterator[Callable[[Result], None]]:
    from rich import progress as bars  # noqa: PLC0415  # 40 ms that only a terminal should pay

    columns = (
        bars.TextColumn("Applying"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, transient=True) as shown:
        task = shown.add_task("Applying", total=total)
        yield lambda _: shown.advance(task)
