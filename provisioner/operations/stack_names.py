"""
Stacks by their name alone: `STACK` or `STACK.ENV`, which a manifest may no longer declare.

The folder's manifest says where a state is only while it declares that very stack; else the
address must be given.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from provisioner.errors import ManifestError, Refused
from provisioner.manifest.stack import load_frame
from provisioner.manifest.types import Frame
from provisioner.model.facts import State
from provisioner.operations.ports import Misuse
from provisioner.operations.session import Session
from provisioner.operations.stack_location import backend_at, location_of
from provisioner.storage import Backend

_STACK = re.compile(r"[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,15})?")

_VARIABLE = re.compile(r"([A-Z_][A-Z0-9_]*)?(GEMINI|GOOGLE)[A-Z0-9_]*")
"""What a manifest may name."""


def check_stack(name: str) -> str:
    """Return *name* if it is a stack's, else raise Misuse."""
    if not _STACK.fullmatch(name):
        raise Misuse(f"{name!r} is not a stack name: give STACK or STACK.ENV.")
    return name


def backends_of(session: Session, stacks: Sequence[str], folder: Path) -> Sequence[Backend]:
    """
    The backend of each state: where the options say, or the manifest of *folder*.

    A stack that the manifest does not declare (any more, or yet) is where the others are.
    Raises Refused if it declares none of them.
    """
    for stack in stacks:
        check_stack(stack)
    options = session.options
    if options.address and not options.emulator:
        return [backend_at(session.ports, options.address) for _ in stacks]
    frames = [_frame(folder, stack) for stack in stacks]
    declared = [one for one in frames if one]
    if not declared:
        raise Refused(
            f"{folder} declares neither {' nor '.join(stacks)}: name the stack's folder with -C, "
            "or the place of the state with --state."
        )
    return [location_of(session, one or declared[0]).backend for one in frames]


def keys_of(state: State, given: Mapping[str, str]) -> Mapping[str, str | None]:
    """
    The variable with the key of each provider that *state* remembers, as *given* or recorded.

    A recorded name is taken only if a manifest could have it, so that a state from elsewhere
    leads to no other secret.  Raises Refused with what to give for the others.
    """
    settings = state.stack_settings.key_envs if state.stack_settings else {}
    recorded = {
        name: variable
        for name, variable in settings.items()
        if variable is None or _VARIABLE.fullmatch(variable)
    }
    variables = {"gemini": None, **recorded, **given}
    needed = {record.provider for record in state.live_records}
    needed.update(retiring.provider for retiring in state.retiring.values())
    if missing := sorted(needed - variables.keys()):
        options = " ".join(f"--key-env {name}=VARIABLE" for name in missing)
        raise Refused(
            f"The state of {state.stack} has caches of {', '.join(missing)}: say which variable "
            f"has the key of that project with {options}. Nothing was changed."
        )
    return variables


def _frame(folder: Path, stack: str) -> Frame | None:
    try:
        frame = load_frame(folder, environment=stack.partition(".")[2] or None)
    except ManifestError:
        return None
    return frame if frame.stack == stack else None
