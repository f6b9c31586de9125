"""What a schedule will do with a stack, and whether it fits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.cli.documents import Output
from provisioner.cli.per_stack import StackOutcome
from provisioner.forecast import forecast, tolerance
from provisioner.operations.load import load_stack
from provisioner.operations.session import Session
from provisioner.render.forecast import forecast_json, forecast_text, schedule_sentence


async def forecast_stack(
    session: Session,
    output: Output,
    stack: Path,
    *,
    span: timedelta,
    every: timedelta,
    miss_rate: float,
) -> StackOutcome:
    """Simulate what a schedule will do with a stack."""
    lookup = load_catalog(session.options.models).find

    now = session.ports.now()
    manifest, desired = load_stack(session, stack, now=now, allow_empty=True)
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
    output.add_json(forecast_json(future, sentence))
    output.show(forecast_text(future, sentence))
    return StackOutcome(summary=sentence)
