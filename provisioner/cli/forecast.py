"""`ctxprov forecast`: what a schedule will do with a stack, and whether it fits."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from provisioner.cli.documents import Output
from provisioner.cli.per_stack import StackOutcome
from provisioner.operations import forecast
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
    future = await forecast.forecast_stack(
        session, stack, span=span, every=every, miss_rate=miss_rate
    )
    output.add_json(forecast_json(future))
    output.show(forecast_text(future))
    return StackOutcome(summary=schedule_sentence(future.tightest, every))
