"""
The state of a stack as a file of a backend: `STACK.json`.

A command that only looks reads it without a lock.  `Store` is all that a ledger asks for.
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
from provisioner.model.facts import State
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
    file = backend.read(name)
    if file is None:
        backend.confirm(name)
    return state_of(file, where=backend.where(name), stack=stack)


def state_of(file: StoredFile | None, *, where: str, stack: str, moved: bool = False) -> State:
    """
    The *file* as a state of *stack*; an empty one if there is none.

    Raises StackMoved if that has another name now, unless *moved* says that this is meant.
    """
    if file is None:
        return State(stack=stack)
    state = parse_state(file.content, where=where, stack=stack)
    if state.moved_to and not moved:
        raise moved_away(state)
    return state


def remains_of(file: StoredFile | None, *, stack: str) -> State | None:
    """
    What remains of a state that cannot be read: no more than the highest serial it names.

    None if it names another stack than *stack*.
    """
    content = _text(file.content) if file else b""
    if set(_STACK.findall(content)) - {stack.encode()}:
        return None
    return State(stack=stack, serial=max(map(int, _SERIAL.findall(content)), default=0))


def serial_of(file: StoredFile | None) -> int | None:
    """The serial of the state in *file*; None if no run has written it."""
    if file is None:
        return None
    try:
        match orjson.loads(_text(file.content)):
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
        """Whether another run may write there by now."""
        ...

    def renew(self) -> bool:
        """Renew the lock, unless that was done a moment ago, and say whether it is still held."""
        ...

    def write(self, content: bytes) -> None:
        """
        Replace what is there by *content* in one step, or leave it as it was.

        Raises StateTaken if another run has certainly written there.
        """
        ...


class LockedFile:
    """
    A file under a lock, written only while it is what we last read or wrote.

    A write whose answer was lost may have been done: what it has written is ours as well.
    """

    def __init__(
        self,
        backend: Backend,
        lock: Lock,
        name: str,
        file: StoredFile | None,
        before: Callable[[StoredFile | None], None],
    ) -> None:
        self._backend = backend
        self._lock = lock
        self._name = name
        self._file = file
        self._version = file.version if file else None
        self._before: Callable[[StoredFile | None], None] | None = before
        self._unanswered: set[bytes] = set()

    @property
    def is_lost(self) -> bool:
        return self._lock.is_lost

    def renew(self) -> bool:
        return self._lock.renew()

    def write(self, content: bytes) -> None:
        if self._before and not self._lock.is_lost:
            self._before(self._file)
            self._before = self._file = None
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
            return self._lock.write(self._name, content, expected=self._version)
        except StateTaken:
            file = self._ours()
            if file is None:
                raise
        if file.content == content:
            return file.version
        return self._lock.write(self._name, content, expected=file.version)

    def _ours(self) -> StoredFile | None:
        """The file as a write of ours that was not answered has left it."""
        if self._lock.is_lost or not self._unanswered:
            return None
        file = self._backend.read(self._name)
        return file if file and _digest(file.content) in self._unanswered else None


def _digest(content: bytes) -> bytes:
    return sha256(content).digest()
