"""
The state of a stack as a file of a backend: `STACK.json`.

Whoever only looks reads it without a lock.  `Store` is all that a ledger asks for.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from typing import Protocol

import orjson

from provisioner.documents import utf8
from provisioner.errors import StateError, StateTaken
from provisioner.model import State
from provisioner.state.state_file import parse_state
from provisioner.state.transfer import moved_away
from provisioner.storage import Backend, Lock, StoredFile

_STACK = re.compile(rb'"stack"\s*:\s*"([^"]*)"')
_SERIAL = re.compile(rb'"serial"\s*:\s*([0-9]{1,15})\b')


def state_name(stack: str) -> str:
    return f"{stack}.json"


def read_state(backend: Backend, *, stack: str) -> State:
    """
    What is remembered of *stack*; nothing, if its file is absent.  Needs no lock.

    Raises `StateUnreadable` if the file may be out of reach rather than absent.
    """
    name = state_name(stack)
    found = backend.read(name)
    if found is None:
        backend.confirm(name)
    return state_of(found, where=backend.where(name), stack=stack)


def state_of(found: StoredFile | None, *, where: str, stack: str, moved: bool = False) -> State:
    """
    What was *found*, as a state of *stack*.

    Raises StackMoved if that has another name now, unless *moved* says that this is meant.
    """
    if found is None:
        return State(stack=stack)
    state = parse_state(found.content, where=where, stack=stack)
    if state.moved_to and not moved:
        raise moved_away(state)
    return state


def remains_of(found: StoredFile | None, *, stack: str) -> State | None:
    """
    What can be told of a state that cannot be read: no more than the highest serial it names.

    None if it names another stack than *stack*.
    """
    content = _text(found.content) if found else b""
    if set(_STACK.findall(content)) - {stack.encode()}:
        return None
    return State(stack=stack, serial=max(map(int, _SERIAL.findall(content)), default=0))


def serial_of(found: StoredFile | None) -> int | None:
    """The serial of what was *found*; None if it is no state that was ever written."""
    if found is None:
        return None
    try:
        match orjson.loads(_text(found.content)):
            case {"serial": int(serial)}:
                return serial
            case _:
                return None
    except orjson.JSONDecodeError:
        return None


def _text(raw: bytes) -> bytes:
    with suppress(ValueError):
        return utf8(raw)
    return raw


class Store(Protocol):
    """Where the bytes of one state go.  Its only error is StateError."""

    @property
    def is_lost(self) -> bool:
        """Whether somebody else may write there by now."""
        ...

    def renew(self) -> bool:
        """Renew the lock, unless that was done a moment ago, and say whether it is still held."""
        ...

    def write(self, content: bytes) -> None:
        """
        Replace what is there by *content* in one step, or leave it as it was.

        Raises StateTaken if somebody else is known to have written there.
        """
        ...


class HeldFile:
    """
    A file under a lock, written only while it is what we last read or wrote.

    A write whose answer was lost may have been done: what it has written is ours as well.
    """

    def __init__(
        self,
        backend: Backend,
        hold: Lock,
        name: str,
        found: StoredFile | None,
        before: Callable[[StoredFile | None], None],
    ) -> None:
        self._backend = backend
        self._hold = hold
        self._name = name
        self._found = found
        self._version = found.version if found else None
        self._before: Callable[[StoredFile | None], None] | None = before
        self._unanswered: set[bytes] = set()

    @property
    def is_lost(self) -> bool:
        return self._hold.is_lost

    def renew(self) -> bool:
        return self._hold.renew()

    def write(self, content: bytes) -> None:
        if self._before and not self._hold.is_lost:
            self._before(self._found)
            self._before = self._found = None
        try:
            self._version = self._write(content)
        except StateTaken:
            raise
        except StateError:
            self._unanswered.add(_digest(content))
            raise
        self._unanswered.clear()

    def _write(self, content: bytes) -> str:
        try:
            return self._hold.write(self._name, content, expected=self._version)
        except StateTaken:
            found = self._ours()
            if found is None:
                raise
        if found.content == content:
            return found.version
        return self._hold.write(self._name, content, expected=found.version)

    def _ours(self) -> StoredFile | None:
        """The file as a write of ours that was not answered has left it."""
        if self._hold.is_lost or not self._unanswered:
            return None
        found = self._backend.read(self._name)
        return found if found and _digest(found.content) in self._unanswered else None


def _digest(content: bytes) -> bytes:
    return sha256(content).digest()
