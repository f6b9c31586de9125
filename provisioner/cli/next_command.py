"""`ctxprov next`: when to run again."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli import clock, options
from provisioner.cli.place import place_of
from provisioner.cli.status import Status
from provisioner.manifest import load_manifest
from provisioner.planner import covered_until, next_run
from provisioner.render.escape import json_text
from provisioner.render.sizes import when
from provisioner.state import read_state
from provisioner.times import moment_text


@click.command("next")
@options.stack_argument
@options.env_option
@options.emulator_option
@options.state_option
@options.json_option
def command(
    stack: Path,
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    as_json: bool,
) -> Status:
    """
    Say when to run again, by the state alone.

    Prints the moment at which the first refresh falls due, and until when everything that
    is kept warm stays warm if nobody runs at all. Needs no key.

    \b
    Examples:
      ctxprov next
      ctxprov next --json
    """
    manifest = load_manifest(stack, environment=environment)
    place = place_of(manifest, address=address, emulator=emulator)
    state = read_state(place.home, stack=manifest.stack)
    now = clock.now()
    due, end = next_run(state, now), covered_until(state, now)
    if as_json:
        words = {
            "next": moment_text(due) if due else None,
            "in_seconds": int((due - now).total_seconds()) if due else None,
            "covered_until": moment_text(end) if end else None,
        }
        click.echo(json_text(words), nl=False)
    elif due is None:
        click.echo("Time brings nothing to do.")
    else:
        click.echo("Run now." if due <= now else f"Run at {when(due, at=now)}.")
        if end:
            click.echo(f"Covered until {when(end, at=now)}.")
    return Status.OK
