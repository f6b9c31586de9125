"""
Where the bytes of a state live: one file, replaced in one step.

`Store` is all that a ledger asks of a home, so that there can be other homes.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from provisioner.errors import StateError
from provisioner.files import read_whole, write_whole
from provisioner.model import State
from provisioner.state.codec import parse_state


class Store(Protocol):
    """A home for the bytes of one state.  Its only error is StateError."""

    def write(self, content: bytes) -> None:
        """Replace what is there by *content* in one step, or leave it as it was."""
        ...


@dataclass(frozen=True, slots=True)
class StateFile:
    """A state on disk."""

    path: Path

    def read(self) -> bytes | None:
        """The content; None if there is no file."""
        try:
            return read_whole(self.path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(
                f"the state {self.path} cannot be read: {error.strerror}.  It must be a plain file "
                "that you may read and write; nothing has been changed."
            ) from error

    def write(self, content: bytes) -> None:
        try:
            write_whole(self.path, content)
        except OSError as error:
            raise StateError(
                f"the state {self.path} cannot be written: {error.strerror}.  The file is as it "
                "was before.  Mend that and run again: what was made meanwhile is recognised by "
                "its label and taken over."
            ) from error


def read_state(path: Path, *, stack: str) -> State:
    """What is remembered of *stack*; nothing, if there is no file.  Needs no lock."""
    raw = StateFile(path).read()
    return State(stack=stack) if raw is None else parse_state(raw, where=str(path), stack=stack)
