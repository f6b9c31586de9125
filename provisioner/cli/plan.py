"""`ctxprov plan` and `ctxprov explain`: what apply would do, and why."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import click

from provisioner.cli import console, terminal
from provisioner.cli.documents import Output, plan_page, show_plan
from provisioner.cli.messages import tell_error, warn
from provisioner.cli.per_stack import ShownOperation, StackOutcome
from provisioner.cli.status import Status, first_of
from provisioner.model.changes import Cause
from provisioner.operations.checkout import commit_here
from provisioner.operations.plan import PlannedStack, PlanRequest, plan_stack
from provisioner.operations.session import Session
from provisioner.render.summary import headline
from provisioner.view.plan import Presentation


def plan_stacks(
    session: Session,
    output: Output,
    *,
    detailed_exitcode: bool,
    exit_on: frozenset[Cause],
    **given: Any,  # noqa: ANN401  # click checked them; PlanRequest names them
) -> ShownOperation:
    """Show what apply would do."""
    request = PlanRequest(with_patches=output.verbose and not output.is_quiet, **given)
    if request.base and (session.options.emulator or request.prune or request.replace):
        raise click.UsageError(
            "--base compares two revisions of the repository and asks no provider: "
            "leave out --emulator, --prune and --replace."
        )
    pending = exit_on if detailed_exitcode else frozenset[Cause]()
    return ShownOperation(
        operate=partial(plan_stack, session, request),
        show=partial(_outcome, session, output, pending),
    )


def _outcome(
    session: Session,
    output: Output,
    pending: frozenset[Cause],
    stack: Path,
    planned: PlannedStack,
) -> StackOutcome:
    shown = _show(session, output, stack, planned)
    if planned.manifest is None:
        return StackOutcome(summary="declared no longer")
    for remark in planned.remarks:
        warn(remark)
    output.failures.extend(planned.failures)
    status = first_of(
        *map(tell_error, planned.failures),
        Status.REFUSED if planned.is_refused else Status.OK,
        Status.PENDING if planned.plan.causes & pending else Status.OK,
    )
    return StackOutcome(status=status, summary=headline(shown.short))


def _show(session: Session, output: Output, stack: Path, planned: PlannedStack) -> Presentation:
    """Add the plan to the documents, and write it and the texts that differ to the terminal."""
    manifest = planned.manifest
    shown = Presentation(
        plan=planned.plan,
        prices=planned.prices,
        writes=planned.writes,
        commit=commit_here(session.ports, stack) if output.outs and manifest else None,
        timeless=planned.timeless,
        breaches=planned.breaches,
    )
    output.pages.append(plan_page(lambda: shown.whole, verbose=output.verbose, manifest=manifest))
    if planned.patches:
        from provisioner.render.difference import patch_text  # noqa: PLC0415  # for --base -v

        for patch in planned.patches:
            console.say(patch_text(patch, colour=output.colour))
    show_plan(shown, output)
    return shown


async def explain_cache(
    session: Session,
    output: Output,
    stack: Path,
    *,
    name: str,
    at: datetime | timedelta | None,
) -> StackOutcome:
    """Explain what plan decides about one cache, and from what."""
    from provisioner.operations import explain  # noqa: PLC0415  # a plan does without
    from provisioner.render.explain import explain_json, explain_text  # noqa: PLC0415  # likewise

    stack_name, explained = await explain.explain_cache(session, stack, name, at=at)
    output.add_json(explain_json(stack_name, explained))
    output.show(explain_text(explained, width=terminal.width(), colour=output.colour))
    verbs = (one.change.verb for one in explained)
    return StackOutcome(summary=", ".join(verbs))
