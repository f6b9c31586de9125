"""A plan, and what became of it: on the terminal, and in every document that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from provisioner.cli import terminal
from provisioner.cli.outputs import Out, takes_stdout, write
from provisioner.model import Plan, Result, is_pending
from provisioner.planner import next_refresh, valid_until
from provisioner.render.document import plan_json
from provisioner.render.markdown import plan_markdown, result_markdown
from provisioner.render.result import result_json, result_text
from provisioner.render.text import plan_text

_PAGE = 100
"""Columns of a text that goes into a file."""


def show_plan(
    told: Plan,
    outs: Iterable[Out] = (),
    *,
    colour: bool,
    verbose: bool = False,
    timeless: bool = False,
) -> None:
    """
    Print *told* unless a document takes standard output, and write the documents.

    A *timeless* plan compares revisions, so no clock ends it.
    """
    outs = tuple(outs)
    until = None if timeless else valid_until(told)

    def text(width: int, *, colour: bool) -> str:
        return plan_text(
            told,
            width=width,
            colour=colour,
            valid_until=until,
            next_refresh=None if timeless else next_refresh(told),
            verbose=verbose,
            hints=_hints(told),
        )

    if not takes_stdout(outs):
        click.echo(text(terminal.width(), colour=colour), nl=False, color=True)
    write(
        outs,
        {
            "text": lambda: text(_PAGE, colour=False),
            "json": lambda: plan_json(told, valid_until=until),
            "markdown": lambda: plan_markdown(told, valid_until=until),
        },
    )


def _hints(told: Plan) -> Iterator[str]:
    if told.is_partial:
        yield "This is a part of the plan, selected by name; the rest stays as it is."


def show_results(
    told: Plan, results: Iterable[Result], outs: Iterable[Out], *, colour: bool
) -> None:
    """Tell how every pending change ended, in the same places."""
    ended = tuple(result for result in results if is_pending(result.change))
    if told.pending and not takes_stdout(outs):
        text = result_text(ended, width=terminal.width(), colour=colour)
        click.echo(text, nl=False, color=True)
    write(
        outs,
        {
            "text": lambda: result_text(ended, width=_PAGE, colour=False),
            "json": lambda: result_json(told, ended),
            "markdown": lambda: result_markdown(told, ended),
        },
    )
