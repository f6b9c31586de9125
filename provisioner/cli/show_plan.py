"""A plan, and what became of it: on the terminal, and in every document that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

import click

from provisioner.cli import terminal
from provisioner.cli.outputs import Page
from provisioner.model import Plan, Result
from provisioner.model.limits import Breach
from provisioner.planner import next_refresh, valid_until
from provisioner.render.document import plan_json
from provisioner.render.limits import limit_sentences
from provisioner.render.markdown import plan_markdown, result_markdown
from provisioner.render.result import result_json, result_text
from provisioner.render.text import plan_text

_PAGE = 100
"""Columns of a text that goes into a file."""


def plan_page(
    told: Plan, *, timeless: bool = False, verbose: bool = False, breaches: Sequence[Breach] = ()
) -> Page:
    """*told* in every format, with what goes beyond its limits."""
    until = None if timeless else valid_until(told)
    text = partial(_text, told, _PAGE, timeless=timeless, verbose=verbose, breaches=breaches)
    return {
        "text": lambda: text(colour=False),
        "json": lambda: plan_json(told, valid_until=until, breaches=breaches),
        "markdown": lambda: plan_markdown(told, valid_until=until, breaches=breaches),
    }


def show_plan(
    told: Plan,
    *,
    colour: bool,
    verbose: bool = False,
    timeless: bool = False,
    breaches: Sequence[Breach] = (),
) -> None:
    """Print *told*.  A *timeless* plan compares revisions, so no clock ends it."""
    text = _text(
        told,
        terminal.width(),
        colour=colour,
        timeless=timeless,
        verbose=verbose,
        breaches=breaches,
    )
    click.echo(text, nl=False, color=True)


def result_page(told: Plan, results: Sequence[Result]) -> Page:
    """How every pending change ended, in every format."""
    return {
        "text": lambda: result_text(results, width=_PAGE, colour=False),
        "json": lambda: result_json(told, results),
        "markdown": lambda: result_markdown(told, results),
    }


def show_results(told: Plan, results: Iterable[Result], *, colour: bool) -> None:
    if told.pending:
        text = result_text(results, width=terminal.width(), colour=colour)
        click.echo(text, nl=False, color=True)


def _text(
    told: Plan,
    width: int,
    *,
    colour: bool,
    timeless: bool,
    verbose: bool,
    breaches: Sequence[Breach],
) -> str:
    return plan_text(
        told,
        width=width,
        colour=colour,
        valid_until=None if timeless else valid_until(told),
        next_refresh=None if timeless else next_refresh(told),
        verbose=verbose,
        hints=_hints(told, breaches),
    )


def _hints(told: Plan, breaches: Sequence[Breach]) -> Iterator[str]:
    yield from limit_sentences(breaches)
    if told.is_partial:
        yield "This is a part of the plan, selected by name; the rest stays as it is."
