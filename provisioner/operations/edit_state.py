"""
Edits of a state by hand, each a decision over what is there, and one way to perform them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from difflib import get_close_matches
from types import MappingProxyType
from typing import TypeAlias

import orjson
from msgspec import Struct
from msgspec.structs import replace

from provisioner.cache import Json
from provisioner.errors import Refused, StateError, StateNewer
from provisioner.model.facts import State
from provisioner.model.records import RecordedCache
from provisioner.operations.locked_state import locked_state
from provisioner.operations.ports import Ports
from provisioner.planner.hypothetical import moved
from provisioner.state import read_state, remains_of, state_name, state_of
from provisioner.state.state_file import parse_state, state_bytes
from provisioner.storage import Backend, StoredFile

_PUSHABLE = (
    "Nothing was changed: give what ctxprov state pull prints, or the file that a run left when it "
    "could not save."
)
_NAME = r"[a-z0-9][a-z0-9-]{0,47}"


class Current(Struct, frozen=True, kw_only=True):
    """The state that is to be edited."""

    state: State
    is_damaged: bool = False
    """Whether it cannot be read, and *state* is what remains of it."""


class StateEdit(Struct, frozen=True, kw_only=True):
    """What is to be remembered instead, or None if it is already so; and that in a sentence."""

    state: State | None
    sentence: str


Editor: TypeAlias = Callable[[Current], StateEdit]


async def edit_state(
    ports: Ports,
    backend: Backend,
    stack: str,
    *,
    operation: str,
    edit: Editor,
    timeout: timedelta,
    dry_run: bool,
    repairs: bool,
) -> str:
    """
    Carry an edit out under the lock, or say what it would do without one.

    An edit that *repairs* takes also a state that cannot be read.
    """
    reader = _StateReader(backend, stack, repairs=repairs)
    if dry_run:
        sentence = edit(reader.current(reader.read(backend.read(state_name(stack))))).sentence
        return f"Dry run: {sentence} Nothing was written."
    if repairs:  # it refuses before a lock that is taken over is followed by a save
        edit(Current(state=State(stack=stack), is_damaged=True))

    async with locked_state(
        ports, backend, stack=stack, operation=operation, timeout=timeout, read=reader.read
    ) as held:
        edited = edit(reader.current(held.ledger.state))
        if edited.state is not None:
            held.ledger.put(edited.state)
            await held.end(edited.sentence)
        return edited.sentence


class _StateReader:
    """Reads the state that is to be edited, and remembers whether that was possible."""

    def __init__(self, backend: Backend, stack: str, *, repairs: bool) -> None:
        self._where = backend.where(state_name(stack))
        self._stack = stack
        self._repairs = repairs
        self._is_damaged = False

    def read(self, file: StoredFile | None) -> State:
        try:
            return state_of(file, where=self._where, stack=self._stack)
        except StateNewer:
            raise  # force cannot know what it would forget
        except StateError:
            remains = remains_of(file, stack=self._stack) if self._repairs else None
            if remains is None:
                raise
            self._is_damaged = True
            return remains

    def current(self, state: State) -> Current:
        return Current(state=state, is_damaged=self._is_damaged)


def record_of(backend: Backend, stack: str, name: str) -> Json:
    """One record, as JSON."""
    state = read_state(backend, stack=stack)
    _require_record(state, name)
    document: dict[str, dict[str, Json]] = orjson.loads(state_bytes(state))
    return document["caches"][name]


def renamed(at: Current, old: str, new: str) -> StateEdit:
    _require_record(at.state, old)
    check_name(new)
    if new in at.state.caches:
        raise Refused(f"{new} is on record already; nothing was changed.")
    sentence = f"{old} is {new} now; a live cache keeps the label of its old name."
    return StateEdit(state=moved(at.state, [(old, new)]), sentence=sentence)


def check_name(name: str) -> None:
    if not re.fullmatch(_NAME, name):
        raise Refused(f"{name!r} is not a cache name: use at most 48 of a-z, 0-9 and -.")


def forgotten(at: Current, name: str) -> StateEdit:
    _require_record(at.state, name)
    record = at.state.caches[name]
    caches = {key: value for key, value in at.state.caches.items() if key != name}
    fate = (
        f" Its live cache {record.id} is a stray now: adopted again if it is declared, else left "
        "to expire."
        if isinstance(record, RecordedCache)
        else ""
    )
    return StateEdit(
        state=replace(at.state, caches=MappingProxyType(caches)),
        sentence=f"{name} is forgotten.{fate}",
    )


def pushed(at: Current, raw: bytes, *, where: str, force: bool) -> StateEdit:
    """Refuses another stack; without *force* also a serial that is not newer."""
    state = parse_state(raw, where=where, stack=at.state.stack, remedy=_PUSHABLE)
    done = f"{where} is the state of {state.stack} now"
    if at.is_damaged:
        return StateEdit(state=state, sentence=f"{done}; what was there cannot be read.")
    if replace(state, serial=at.state.serial, run=at.state.run) == at.state:
        return StateEdit(state=None, sentence=f"{where} is what is there already.")
    if state.serial <= at.state.serial and not force:
        raise Refused(
            f"{where} has serial {state.serial}, and the state has {at.state.serial} already: it "
            "would undo what was saved since. Nothing was changed; --force overrides this."
        )
    return StateEdit(state=state, sentence=f"{done}.")


def _require_record(state: State, name: str) -> None:
    if name not in state.caches:
        close = get_close_matches(name, state.caches, 1)
        guess = f"did you mean {close[0]}?" if close else "ctxprov state list shows what is."
        raise StateError(f"{name!r} is not on record in {state.stack}; {guess}")
