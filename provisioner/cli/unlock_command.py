"""`ctxprov unlock`: end the lock of a run that is dead."""

from __future__ import annotations

import os
from pathlib import Path

import click

from provisioner.cli import clock, options
from provisioner.cli.place import place_of
from provisioner.cli.status import Status
from provisioner.homes.holder import holder_here
from provisioner.manifest import load_manifest
from provisioner.render.escape import plain
from provisioner.state import state_name


@click.command("unlock")
@click.argument("lock_id", metavar="[ID]", required=False)
@click.option("--mine", is_flag=True, help="End the lock of this very CI job, if it has one.")
@options.folder_option
@options.env_option
@options.emulator_option
@options.state_option
def command(
    lock_id: str | None,
    *,
    mine: bool,
    folder: Path,
    environment: str | None,
    emulator: bool,
    address: str | None,
) -> Status:
    """
    End the lock of a run that is dead.

    A lock runs out by itself; this does not wait for it. If the run lives after all, what it
    still writes is refused. On disk a lock ends with its run and needs no ending.

    \b
    Examples:
      ctxprov unlock 3f9c0a7be1d2
      ctxprov unlock --mine
    """
    if mine == bool(lock_id):
        raise click.UsageError("Give the ID that ctxprov lock status tells, or --mine.")
    manifest = load_manifest(folder, environment=environment)
    home = place_of(manifest, address=address, emulator=emulator).home
    name = state_name(manifest.stack)
    if mine:
        job = holder_here("unlock", since=clock.now(), environ=os.environ).job
        if job is None:
            raise click.UsageError("--mine is for CI jobs, and nothing says which this is.")
        holder = home.holder(name)
        if holder is None or holder.job != job:
            click.echo(f"This job holds no lock of {plain(home.where(name))}.")
            return Status.OK
        lock_id = holder.id
    home.unlock(name, lock_id or "")
    click.echo(f"The lock {plain(lock_id or '')} of {plain(home.where(name))} is ended.")
    return Status.OK
