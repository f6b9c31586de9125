"""
What a schedule will do with a stack, and whether it fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.cli import clock, console
from provisioner.cli.load import load_stack
from provisioner.cli.options import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.forecast import Forecast, forecast, tolerance
from provisioner.model.records import Desired
from provisioner.render.forecast import (
    CacheFuture,
    Future,
    forecast_json,
    forecast_text,
    schedule_sentence,
)


def forecast_stacks(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    span: timedelta,
    every: timedelta,
    miss_rate: float,
    models: Path | None,
    as_json: bool,
) -> Status:
    """Simulate what a schedule will do with a stack."""
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
        view = _view(manifest.stack, future, sentence)
        session.pages.append(lambda _: forecast_json(view))
        if not session.is_quiet:
            console.show(forecast_text(view))
        return StackOutcome(status=Status.OK, summary=sentence)

    return over_stacks(stacks, work, outs=with_json((), as_json=as_json))


def _view(stack: str, future: Forecast, sentence: str) -> Future:
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


def schedule_of(desired: Iterable[Desired], every: timedelta) -> str:
    tightest = tolerance(desired)
    if tightest is None:
        return schedule_sentence(None, ttl=timedelta(), window=timedelta(), every=every)
    return schedule_sentence(tightest.name, ttl=tightest.ttl, window=tightest.window, every=every)
