"""`ctxprov unlock`: end the lock of a run that is dead."""

from __future__ import annotations

from pathlib import Path

import click

from provisioner.cli import console, options
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.cli.target import location_of
from provisioner.environment import process_environment
from provisioner.escape import plain
from provisioner.manifest import load_frame
from provisioner.state import state_name
from provisioner.storage.lock_owner import mark_of
from provisioner.storage.protocol import Backend


@click.command("unlock")
@click.argument("lock_id", metavar="[ID]", required=False)
@click.option("--mine", is_flag=True, help="End the lock of this very CI job, if it has one.")
@options.folders_or_one_option
@options.env_option
@options.emulator_option
@options.state_option
def command(
    lock_id: str | None,
    *,
    mine: bool,
    folders: tuple[Path, ...],
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
      ctxprov unlock --mine -C 'stacks/*'
    """
    if mine == bool(lock_id):
        raise click.UsageError("Give the ID that ctxprov lock status tells, or --mine.")
    mark = mark_of(process_environment())
    if mine and mark is None:
        raise click.UsageError("--mine is for CI jobs, and nothing says which this is.")

    async def work(stack: Path, _: Session) -> StackOutcome:
        frame = load_frame(stack, environment=environment)
        backend = location_of(frame, address=address, emulator=emulator).backend
        name = state_name(frame.stack)
        ended = lock_id or _lock_of(backend, name, mark)
        if ended is None:
            console.say(f"This job holds no lock of {plain(backend.where(name))}.")
            return StackOutcome(status=Status.OK, summary="not locked by this job")
        backend.unlock(name, ended)
        console.say(f"The lock {plain(ended)} of {plain(backend.where(name))} is ended.")
        return StackOutcome(status=Status.OK, summary=f"lock {plain(ended)} is ended")

    return over_stacks(folders if mine else (options.the_only(folders),), work)


def _lock_of(backend: Backend, name: str, mark: str | None) -> str | None:
    """The lock that the job with this *mark* holds."""
    owner = backend.lock_owner(name)
    return owner.id if owner and mark and owner.id.startswith(mark) else None
