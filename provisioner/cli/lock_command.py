"""`ctxprov lock`: who holds the state of a stack."""

from __future__ import annotations

from pathlib import Path

import click
import orjson

from provisioner.cli import console, options
from provisioner.cli.outputs import with_json
from provisioner.cli.place import place_of
from provisioner.cli.stacks import Ended, Run, over_stacks
from provisioner.cli.status import Status
from provisioner.escape import json_text, plain
from provisioner.manifest import load_frame
from provisioner.state import state_name
from provisioner.storage.lock_owner import Holder, holder_bytes


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

    async def work(stack: Path, run: Run) -> Ended:
        frame = load_frame(stack, environment=environment)
        home = place_of(frame, address=address, emulator=emulator).home
        name = state_name(frame.stack)
        holder = home.holder(name)
        words = orjson.loads(holder_bytes(holder)) if holder else None
        page = json_text({"stack": frame.stack, "holder": words})
        run.pages.append(lambda _: page)
        told = f"{holder} holds" if holder else "Nobody holds"
        lock = f"; its lock is {holder.id}" if holder and holder.id else ""
        if not run.is_quiet:
            console.say(plain(f"{told} {home.where(name)}{lock}."))
        return Ended(status=Status.OK, summary=_summary(holder))

    return over_stacks(folders, work, outs=with_json((), as_json=as_json))


def _summary(holder: Holder | None) -> str:
    if holder is None:
        return "free"
    return f"lock {plain(holder.id)}" if holder.id else "locked"
