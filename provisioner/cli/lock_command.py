"""`ctxprov lock`: who holds the state of a stack."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from provisioner.cli import options
from provisioner.cli.place import place_of
from provisioner.cli.status import Status
from provisioner.homes.holder import holder_bytes
from provisioner.manifest import load_manifest
from provisioner.render.escape import json_text, plain
from provisioner.state import state_name


@click.group("lock")
def command() -> None:
    """
    Say who holds the state of a stack.

    \b
    Examples:
      ctxprov lock status
      ctxprov lock status --json
    """


@command.command("status")
@options.folder_option
@options.env_option
@options.emulator_option
@options.state_option
@options.json_option
def status(
    *, folder: Path, environment: str | None, emulator: bool, address: str | None, as_json: bool
) -> Status:
    """
    Say who holds the state, since when, and by which lock.

    \b
    Examples:
      ctxprov lock status
      ctxprov lock status --json
    """
    manifest = load_manifest(folder, environment=environment)
    home = place_of(manifest, address=address, emulator=emulator).home
    name = state_name(manifest.stack)
    holder = home.holder(name)
    if as_json:
        words = orjson.loads(holder_bytes(holder)) if holder else None
        click.echo(json_text({"stack": manifest.stack, "holder": words}), nl=False)
    elif holder is None:
        click.echo(f"Nobody holds {plain(home.where(name))}.")
    else:
        click.echo(plain(f"{holder} holds {home.where(name)}; its lock is {holder.id}."))
    return Status.OK
