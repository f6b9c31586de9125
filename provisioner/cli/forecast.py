"""
What a schedule will do with a stack, and whether it fits.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.cli import clock, console
from provisioner.cli.load import load_stack
from provisioner.cli.options import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.forecast import forecast, tolerance
from provisioner.render.forecast import forecast_json, forecast_text, schedule_sentence


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
        sentence = schedule_sentence(tolerance(desired), every)
        session.pages.append(lambda _: forecast_json(future, sentence))
        if not session.is_quiet:
            console.show(forecast_text(future, sentence))
        return StackOutcome(status=Status.OK, summary=sentence)

    return over_stacks(stacks, work, outs=with_json((), as_json=as_json))
