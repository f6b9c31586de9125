"""`ctxprov drift` and `ctxprov next`: what changed without us, and when to run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from provisioner.cache import Json
from provisioner.catalog import load_catalog
from provisioner.cli.documents import Output, plan_page, show_plan
from provisioner.cli.messages import tell_error
from provisioner.cli.options import expanded
from provisioner.cli.per_stack import StackOutcome, opened
from provisioner.cli.status import Status, first_of
from provisioner.errors import CtxprovError
from provisioner.escape import json_text, plain
from provisioner.operations.drift import Due, drift_of, due_of
from provisioner.operations.session import Session
from provisioner.times import moment_text
from provisioner.view.plan import Presentation
from provisioner.view.units import when


async def report_drift(session: Session, output: Output, stack: Path) -> StackOutcome:
    """Report what another program changed on the live side; change nothing."""
    drift = await drift_of(session, stack)
    prices = load_catalog(session.options.models).find
    shown = Presentation(plan=drift.plan, prices=prices, writes=())
    output.pages.append(plan_page(lambda: shown.whole))
    if count := len(drift.plan.changes):
        show_plan(shown, output)
        return StackOutcome(status=Status.PENDING, summary=f"{count} drifted")
    output.show(f"{drift.calm}\n")
    return StackOutcome(summary=drift.calm)


async def report_next_run(stacks: tuple[Path, ...], **given: Any) -> Status:  # noqa: ANN401  # click checked them
    """Show when to run again, by the state alone."""
    dues: list[Due] = []
    statuses: list[Status] = []
    folders = expanded(stacks)
    async with opened(given) as (session, output):
        now = session.ports.now()
        for stack in folders:
            try:
                dues.append(await due_of(session, stack, now))
            except CtxprovError as error:
                statuses.append(tell_error(error))
    output.add_json(json_text(_json(dues, now)))
    for one in dues:
        name = f"{plain(one.stack)}: " if len(dues) > 1 else ""
        output.show(plain(f"{name}{_sentence(one, now)}") + "\n")
    output.write()
    is_failure = any(one.cold and one.cold.is_failure for one in dues)
    return first_of(*statuses, Status.FAILED if is_failure else Status.OK)


def _sentence(one: Due, now: datetime) -> str:
    if one.cold:
        return one.cold.sentence
    if one.due is None:
        return "Nothing is due: no recorded cache will need a refresh."
    run = "Run now." if one.due <= now else f"Run at {when(one.due, at=now)}."
    return f"{run} Covered until {when(one.end, at=now)}." if one.end else run


def _json(per_stack: Sequence[Due], now: datetime) -> dict[str, Json]:
    """The first of all moments, and those of each stack."""
    dues = [one.due for one in per_stack if one.due]
    ends = [one.end for one in per_stack if one.end]
    return {
        **_moments(min(dues, default=None), min(ends, default=None), now),
        "stacks": [
            {"stack": one.stack, "recorded": one.cold is None, **_moments(one.due, one.end, now)}
            for one in per_stack
        ],
    }


def _moments(due: datetime | None, end: datetime | None, now: datetime) -> dict[str, Json]:
    return {
        "next": moment_text(due) if due else None,
        "in_seconds": int((due - now).total_seconds()) if due else None,
        "covered_until": moment_text(end) if end else None,
    }
