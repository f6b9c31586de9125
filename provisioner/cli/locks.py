"""
Show lock owners and end locks, for `ctxprov lock status` and `ctxprov unlock`.
"""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from provisioner.cli import console, options
from provisioner.cli.options import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.cli.target import location_of
from provisioner.environment import process_environment
from provisioner.escape import json_text, plain
from provisioner.manifest.stack import load_frame
from provisioner.state import state_name
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes, mark_of
from provisioner.storage.protocol import Backend


def show_locks(
    *,
    folders: tuple[Path, ...],
    environment: str | None,
    emulator: bool,
    address: str | None,
    as_json: bool,
) -> Status:
    """Show the lock owner of the state, since when, and the lock's ID."""

    async def work(stack: Path, session: Session) -> StackOutcome:
        frame = load_frame(stack, environment=environment)
        backend = location_of(frame, address=address, emulator=emulator).backend
        name = state_name(frame.stack)
        owner = backend.lock_owner(name)
        fields = orjson.loads(lock_owner_bytes(owner)) if owner else None
        page = json_text({"stack": frame.stack, "holder": fields})
        session.pages.append(lambda _: page)
        subject = f"{owner} holds" if owner else "No run holds"
        lock = f"; its lock is {owner.id}" if owner and owner.id else ""
        if not session.is_quiet:
            console.say(plain(f"{subject} {backend.where(name)}{lock}."))
        return StackOutcome(status=Status.OK, summary=_summary(owner))

    return over_stacks(folders, work, outs=with_json((), as_json=as_json))


def _summary(owner: LockOwner | None) -> str:
    if owner is None:
        return "free"
    return f"lock {plain(owner.id)}" if owner.id else "locked"


def end_locks(
    lock_id: str | None,
    *,
    mine: bool,
    folders: tuple[Path, ...],
    environment: str | None,
    emulator: bool,
    address: str | None,
) -> Status:
    """End the lock of a run that is dead."""
    if mine == bool(lock_id):
        raise click.UsageError("Give the ID that ctxprov lock status prints, or --mine.")
    mark = mark_of(process_environment())
    if mine and mark is None:
        raise click.UsageError("--mine works in a CI job only, and the environment names none.")

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
