"""
Stacks by their name alone: `STACK` or `STACK.ENV`, which a manifest may no longer declare.

The folder's manifest says where a state is only while it declares that very stack; else the
address must be given.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import click

from provisioner.cli.place import home_at, place_of
from provisioner.errors import ManifestError, Refused
from provisioner.homes import Home
from provisioner.manifest import Frame, load_frame

_STACK = re.compile(r"[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,15})?")


def check_stack(name: str) -> str:
    """Return *name* if it is a stack's, else raise a usage error."""
    if not _STACK.fullmatch(name):
        raise click.UsageError(f"{name!r} is no name of a stack: STACK or STACK.ENV.")
    return name


def homes_of(
    stacks: Sequence[str], folder: Path, address: str | None, *, emulator: bool
) -> Sequence[Home]:
    """
    The home of each state: at *address*, or where the manifest of *folder* says.

    A stack that the manifest does not declare (any more, or yet) is where the others are.
    Raises Refused if it declares none of them.
    """
    for stack in stacks:
        check_stack(stack)
    if address and not emulator:
        return [home_at(address) for _ in stacks]
    frames = [_frame(folder, stack) for stack in stacks]
    known = [one for one in frames if one]
    if not known:
        raise Refused(
            f"{folder} declares neither {' nor '.join(stacks)}: name the stack's folder with -C, "
            "or the place of the state with --state."
        )
    return [place_of(one or known[0], address=address, emulator=emulator).home for one in frames]


def _frame(folder: Path, stack: str) -> Frame | None:
    try:
        frame = load_frame(folder, environment=stack.partition(".")[2] or None)
    except ManifestError:
        return None
    return frame if frame.stack == stack else None
