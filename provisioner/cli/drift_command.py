"""`ctxprov drift`: has somebody changed the live side?"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import click

from provisioner.cli import clock, options, terminal
from provisioner.cli.outputs import Out, out_option, with_json
from provisioner.cli.place import place_of
from provisioner.cli.show_plan import show_plan
from provisioner.cli.status import Status
from provisioner.cli.survey import look
from provisioner.manifest import load_manifest
from provisioner.model import Cause
from provisioner.planner import plan, recorded_as_desired
from provisioner.state import read_state


@click.command("drift")
@options.stack_argument
@options.emulator_option
@options.accept_scope_option
@options.json_option
@out_option
@options.colour_option
@options.log_option
def command(
    stack: Path,
    *,
    emulator: bool,
    accept_scope: bool,
    as_json: bool,
    outs: tuple[Out, ...],
    colour: bool | None,
) -> Status:
    """
    Say whether somebody changed the live side; changes nothing.

    Compares what is recorded with what is live. Tells of caches that are missing, were
    shortened, or carry this stack's label without being on record; is silent about what time
    does and about edits. Exits 2 on drift.

    \b
    Examples:
      ctxprov drift
      ctxprov drift --json
    """
    manifest = load_manifest(stack)
    place = place_of(manifest, emulator=emulator)
    state = read_state(place.state, stack=manifest.stack)
    now = clock.now()
    seen = asyncio.run(look((), state, place.store, now=now, accept_scope=accept_scope))
    told = plan(recorded_as_desired(state), state, seen.live, stack=manifest.stack, now=now)
    drifted = tuple(c for c in told.changes if c.reason.cause is Cause.DRIFT)
    if drifted or outs or as_json:
        show_plan(
            replace(told, changes=drifted),
            with_json(outs, as_json=as_json),
            colour=terminal.wants_colour(colour),
        )
    else:
        click.echo(f"No drift: the live side of {manifest.stack} is as recorded.")
    return Status.PENDING if drifted else Status.OK
