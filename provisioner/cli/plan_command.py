"""`ctxprov plan`: what apply would do, without doing any of it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

import click

from provisioner.cli import clock, options, terminal
from provisioner.cli.base import Patch, plan_for_review
from provisioner.cli.outputs import Out, out_option, takes_stdout, with_json
from provisioner.cli.place import place_of
from provisioner.cli.read_stack import read_stack
from provisioner.cli.show_plan import show_plan
from provisioner.cli.status import Status, first_of
from provisioner.cli.survey import look
from provisioner.model import Cause, Plan
from provisioner.planner import plan
from provisioner.render.patch import patch_text
from provisioner.state import read_state


class _Causes(click.ParamType[frozenset[Cause]]):
    name = "causes"

    def convert(
        self,
        value: str | frozenset[Cause],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> frozenset[Cause]:
        if isinstance(value, frozenset):
            return value
        try:
            return frozenset(Cause(word) for word in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of edit, drift and time", param, ctx)


@click.command("plan")
@options.stack_argument
@options.emulator_option
@options.json_option
@click.option("-v", "--verbose", is_flag=True, help="Show every change attribute by attribute.")
@click.option(
    "--base",
    metavar="REF",
    help="Compare with the merge base of a git ref instead of state and live side; no key needed.",
)
@click.option("--at", type=clock.Moment(), metavar="WHEN", help="Plan for +6h or a moment.")
@click.option(
    "--detailed-exitcode", is_flag=True, help="Exit 2 if changes are pending, 0 if none are."
)
@click.option(
    "--exit-on",
    type=_Causes(),
    default="edit,drift,time",
    show_default=True,
    metavar="CAUSES",
    help="Which causes count for --detailed-exitcode.",
)
@options.prune_option
@options.replace_option
@options.allow_empty_option
@options.accept_scope_option
@options.models_option
@options.target_option
@options.exclude_option
@out_option
@options.colour_option
@options.log_option
def command(
    stack: Path,
    *,
    emulator: bool,
    as_json: bool,
    verbose: bool,
    base: str | None,
    at: datetime | None,
    detailed_exitcode: bool,
    exit_on: frozenset[Cause],
    prune: bool,
    replace: tuple[str, ...],
    allow_empty: bool,
    accept_scope: bool,
    models: Path | None,
    targets: tuple[str, ...],
    excludes: tuple[str, ...],
    outs: tuple[Out, ...],
    colour: bool | None,
) -> Status:
    """
    Show what apply would do.

    Compares the manifest and its content with the recorded state and with what is live,
    and changes nothing. It takes no lock.

    \b
    Examples:
      ctxprov plan
      ctxprov plan examples/support-bot --emulator
      ctxprov plan --detailed-exitcode --exit-on edit,drift
      ctxprov plan --at +6h
      ctxprov plan --out json=plan.json --out markdown=plan.md
      ctxprov plan --base origin/main -v
    """
    now = at or clock.now()
    manifest, desired = read_stack(stack, models=models, now=now, allow_empty=allow_empty)
    options.check_names(replace, desired)
    patches: tuple[Patch, ...] = ()
    if base:
        _refuse_beside_base(emulator=emulator, prune=prune, replace=replace)
        told, patches = plan_for_review(
            stack, manifest, desired, base, models=models, now=now, with_patches=verbose
        )
    else:
        place = place_of(manifest, emulator=emulator)
        state = read_state(place.state, stack=manifest.stack)
        seen = asyncio.run(look(desired, state, place.store, now=now, accept_scope=accept_scope))
        told = plan(
            desired,
            state,
            seen.live,
            stack=manifest.stack,
            now=now,
            prune=prune,
            replace=replace,
        )
    told = options.choose(told, targets, excludes)
    coloured = terminal.wants_colour(colour)
    outs = with_json(outs, as_json=as_json)
    if not takes_stdout(outs):
        for patch in patches:
            text = patch_text(patch.path, patch.before, patch.after, colour=coloured)
            click.echo(text, color=True)
    show_plan(told, outs, colour=coloured, verbose=verbose, timeless=base is not None)
    return first_of(
        Status.REFUSED if told.blocked else Status.OK,
        Status.PENDING if detailed_exitcode and _causes(told) & exit_on else Status.OK,
    )


def _refuse_beside_base(*, emulator: bool, prune: bool, replace: tuple[str, ...]) -> None:
    if emulator or prune or replace:
        raise click.UsageError(
            "--base compares two revisions of the repository and asks nobody: "
            "leave out --emulator, --prune and --replace."
        )


def _causes(told: Plan) -> frozenset[Cause | None]:
    return frozenset(change.reason.cause for change in told.pending)
