"""`ctxprov init`: a stack that works, and what to do with it next."""

from __future__ import annotations

from pathlib import Path

from provisioner.cli import console
from provisioner.cli.status import Status
from provisioner.cli.terminal import program_ports
from provisioner.escape import plain
from provisioner.operations import init_stack as initial


def init_stack(folder: Path, stack: str | None) -> Status:
    """Write a small stack to start from."""
    initial.init_stack(program_ports(), folder, stack)
    where = "" if folder == Path() else f" {folder}"
    console.say(f"Next: ctxprov plan{plain(where)} --emulator, which needs no key.")
    return Status.OK
