"""`ctxprov forecast`: what a schedule will do with a stack."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from provisioner.catalog import load_catalog
from provisioner.cli import clock, console, options
from provisioner.cli.load import load_stack
from provisioner.cli.outputs import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.schedule import schedule_of
from provisioner.cli.status import Status
from provisioner.forecast import Forecast, forecast
from provisioner.render.forecast import CacheFuture, Future, forecast_json, forecast_text


@click.command("forecast")
@options.stacks_argument
@options.env_option
@click.option(
    "--for",
    "span",
    type=options.Duration(),
    default="7d",
    show_default=True,
    metavar="DURATION",
    help="How far to look.",
)
@click.option(
    "--every",
    type=options.Duration(at_least=timedelta(minutes=1)),
    default="30m",
    show_default=True,
    metavar="DURATION",
    help="How often the schedule runs.",
)
@click.option(
    "--miss-rate",
    type=options.Share(),
    default="0%",
    show_default=True,
    metavar="PERCENT",
    help="How many of the runs are missed.",
)
@options.models_option
@options.json_option
def command(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    span: timedelta,
    every: timedelta,
    miss_rate: float,
    models: Path | None,
    as_json: bool,
) -> Status:
    """
    Simulate what a schedule will do with a stack.

    Uses the planner itself on a simulated clock: how often each cache is refreshed, made
    again, for how long it is cold, and what all that costs. It begins at this machine's clock,
    makes no request and needs no key.

    \b
    Examples:
      ctxprov forecast
      ctxprov forecast --for 30d --every 1h --miss-rate 5%
      ctxprov forecast stacks/* --json
    """
    lookup = load_catalog(models).find

    async def work(stack: Path, session: Session) -> StackOutcome:
        now = clock.now()
        manifest, desired = load_stack(
            stack, environment=environment, models=models, now=now, allow_empty=True
        )
        future = forecast(
            desired,
            stack=manifest.stack,
            now=now,
            span=span,
            every=every,
            miss_rate=miss_rate,
            lookup=lookup,
        )
        sentence = schedule_of(desired, every)
        told = _told(manifest.stack, future, sentence)
        session.pages.append(lambda _: forecast_json(told))
        if not session.is_quiet:
            console.show(forecast_text(told))
        return StackOutcome(status=Status.OK, summary=sentence)

    return over_stacks(stacks, work, outs=with_json((), as_json=as_json))


def _told(stack: str, future: Forecast, sentence: str) -> Future:
    caches = tuple(
        CacheFuture(
            name=one.name,
            refreshes=one.refreshes,
            creations=one.creations,
            cold=one.cold,
            spent=one.spent,
        )
        for one in future.outlooks
    )
    return Future(
        stack=stack, runs=future.runs, missed=future.missed, schedule=sentence, caches=caches
    )
