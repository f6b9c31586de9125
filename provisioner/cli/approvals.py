"""
Approval from elsewhere: by a plan that was reviewed, or by its fingerprint.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import click

from provisioner.approval import approval_of, is_expected, objections
from provisioner.cli.plan_file import plan_views
from provisioner.errors import Refused
from provisioner.model import Plan
from provisioner.render.objections import objection_lines

_ANEW = "Nothing was changed; plan again and have the new plan approved."

plan_option = click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Do no more than this plan in JSON approves; asks nobody.",
)


def _whole(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """A fingerprint is approved whole: twelve digits can be met on purpose."""
    if value is not None and not re.fullmatch(r"[0-9a-f]{64}", value, re.ASCII):
        raise click.BadParameter(
            f"{value!r} is not a whole fingerprint: give all 64 digits, as a plan in JSON or "
            "Markdown has them.",
            ctx,
            param,
        )
    return value


expect_option = click.option(
    "--expect",
    callback=_whole,
    metavar="FINGERPRINT",
    help="Do only the edits of this fingerprint, or none if all are done; asks nobody.",
)


def approval_by(
    plan_file: Path | None, expect: str | None, *, stack: str
) -> Callable[[Plan], None] | None:
    """What checks a fresh plan against what was approved; None if nothing was."""
    if plan_file and expect:
        raise click.UsageError("--plan and --expect are two ways to say the same: give one.")
    if plan_file:
        return _by_plan(plan_file, stack)
    if expect:
        return _by_fingerprint(expect)
    return None


def _by_plan(file: Path, stack: str) -> Callable[[Plan], None]:
    views = plan_views(file)
    view = next((one for one in views if one.stack == stack), None)
    if view is None:
        others = ", ".join(sorted(one.stack for one in views))
        raise Refused(f"{file} is a plan of the stack {others}, not of {stack}.")
    approval = approval_of(view)

    def approve(told: Plan) -> None:
        found = objections(told, approval)
        if found:
            for line in objection_lines((o.name, o.approved, o.wanted) for o in found):
                click.echo(line, err=True)
            raise Refused(f"{len(found)} of these edits are not in {file}. {_ANEW}")

    return approve


def _by_fingerprint(fingerprint: str) -> Callable[[Plan], None]:
    def approve(told: Plan) -> None:
        if not is_expected(told, fingerprint):
            raise Refused(
                f"These edits have the fingerprint {told.fingerprint}, "
                f"and {fingerprint} was approved. {_ANEW}"
            )

    return approve
