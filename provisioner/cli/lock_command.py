"""`ctxprov lock`: who holds the state of a stack."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from provisioner.cli import console, options
from provisioner.cli.outputs import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.cli.target import location_of
from provisioner.escape import json_text, plain
from provisioner.manifest import load_frame
from provisioner.state import state_name
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes


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
@options.folders_option
@options.env_option
@options.emulator_option
@options.state_option
@options.json_option
def status(
    *,
    folders: tuple[Path, ...],
    environment: str | None,
    emulator: bool,
    address: str | None,
    as_json: bool,
) -> Status:
    """
    Say who holds the state, since when, and by which lock.

    \b
    Examples:
      ctxprov lock status
      ctxprov lock status --json
      ctxprov lock status -C 'stacks/*'
    """

    async def work(stack: Path, session: Session) -> StackOutcome:
        frame = load_frame(stack, environment=environment)
        backend = location_of(frame, address=address, emulator=emulator).backend
        name = state_name(frame.stack)
        owner = backend.lock_owner(name)
        words = orjson.loads(lock_owner_bytes(owner)) if owner else None
        page = json_text({"stack": frame.stack, "holder": words})
        session.pages.append(lambda _: page)
        told = f"{owner} holds" if owner else "Nobody holds"
        lock = f"; its lock is {owner.id}" if owner and owner.id else ""
        if not session.is_quiet:
            console.say(plain(f"{told} {backend.where(name)}{lock}."))
        return StackOutcome(status=Status.OK, summary=_summary(owner))

    return over_stacks(folders, work, outs=with_json((), as_json=as_json))


def _summary(owner: LockOwner | None) -> str:
    if owner is None:
        return "free"
    return f"lock {plain(owner.id)}" if owner.id else "locked"
