"""
Edits of a state by hand: each a decision over what is there, performed under the lock.

A copy to another backend is read back; what is there must be an earlier state of the same stack,
or nothing.  Between two stacks the receiving state is saved before the giving one, and the same
command finishes a run that is cut off between the two.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import orjson
from msgspec import Struct
from msgspec.structs import replace

from provisioner.cache import Json
from provisioner.errors import Refused, StateError, StateNewer
from provisioner.manifest import environments_of, load_frame
from provisioner.model.facts import State
from provisioner.model.records import RecordedCache
from provisioner.operations.locked_state import LockedState, locked_state
from provisioner.operations.session import Ports, Session
from provisioner.operations.stack_location import backends_of, location_of
from provisioner.planner import moved
from provisioner.state import read_state, remains_of, serial_of, state_name, state_of
from provisioner.state.history import read_history, read_version, runs_name, version_name
from provisioner.state.state_file import parse_state, state_bytes
from provisioner.state.transfer import Transfer, given_cache, renamed_stack
from provisioner.storage import Backend, StoredFile

_PUSHABLE = (
    "Nothing was changed: give what ctxprov state pull prints, or the file that a run left when it "
    "could not save."
)
_NAME = r"[a-z0-9][a-z0-9-]{0,47}"


class Side(Struct, frozen=True, kw_only=True):
    """A stack, and the backend of its state."""

    stack: str
    backend: Backend

    @property
    def where(self) -> str:
        return self.backend.where(state_name(self.stack))

    def parse(self, file: StoredFile | None) -> State:
        """What was read, also if that stack has another name now."""
        return state_of(file, where=self.where, stack=self.stack, moved=True)


def side_of(session: Session, stack: Path) -> Side:
    """The stack of a folder or manifest, as the session's options name it."""
    frame = load_frame(stack, environment=session.options.environment)
    return Side(stack=frame.stack, backend=location_of(session, frame).backend)


class StateWriting(Struct, frozen=True, kw_only=True):
    """How a state is written: not at all, or under a lock that is waited for."""

    dry_run: bool
    lock_timeout: timedelta


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
    side: Side,
    *,
    operation: str,
    edit: Editor,
    writing: StateWriting,
    repairs: bool,
) -> str:
    """
    Carry an edit out under the lock, or say what it would do without one.

    An edit that *repairs* takes also a state that cannot be read.
    """
    reader = _StateReader(side, repairs=repairs)
    if writing.dry_run:
        file = side.backend.read(state_name(side.stack))
        sentence = edit(reader.current(reader.read(file))).sentence
        return f"Dry run: {sentence} Nothing was written."
    if repairs:  # it refuses before a lock that is taken over is followed by a save
        edit(Current(state=State(stack=side.stack), is_damaged=True))
    async with _held(ports, side, operation, writing, reader.read) as held:
        edited = edit(reader.current(held.ledger.state))
        if edited.state is not None:
            await _save(held, edited.state, edited.sentence)
        return edited.sentence


class _StateReader:
    """Reads the state that is to be edited, and remembers whether that was possible."""

    def __init__(self, side: Side, *, repairs: bool) -> None:
        self._side = side
        self._repairs = repairs
        self._is_damaged = False

    def read(self, file: StoredFile | None) -> State:
        try:
            return state_of(file, where=self._side.where, stack=self._side.stack)
        except StateNewer:
            raise  # force cannot know what it would forget
        except StateError:
            remains = remains_of(file, stack=self._side.stack) if self._repairs else None
            if remains is None:
                raise
            self._is_damaged = True
            return remains

    def current(self, state: State) -> Current:
        return Current(state=state, is_damaged=self._is_damaged)


def record_of(side: Side, name: str) -> Json:
    """One record, as JSON."""
    state = read_state(side.backend, stack=side.stack)
    _require_record(state, name)
    document: dict[str, dict[str, Json]] = orjson.loads(state_bytes(state))
    return document["caches"][name]


def stored_state(side: Side, *, serial: int | None) -> StoredFile:
    """The state as it stands, or the version that had this *serial*.  Raises StateError."""
    file = side.backend.read(state_name(side.stack))
    if serial is not None and serial != serial_of(file):
        file = read_version(side.backend, side.stack, serial)
    if file is None:
        raise StateError(
            f"there is no {side.where}: nothing was applied yet, or the "
            "state is elsewhere (--state)."
        )
    return file


def end_lock(side: Side, lock_id: str | None, mark: str | None) -> str | None:
    """
    End the lock *lock_id*, or else the one whose id begins with *mark*, and return its id.

    None if the lock is none of that mark.  Raises StateTaken if there is no lock *lock_id*.
    """
    name = state_name(side.stack)
    owner = None if lock_id else side.backend.lock_owner(name)
    ended = lock_id or (owner.id if owner and mark and owner.id.startswith(mark) else None)
    if ended is not None:
        side.backend.unlock(name, ended)
    return ended


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


async def migrate_state(
    session: Session, stack: Path, *, address: str, writing: StateWriting
) -> str:
    """Copy to the backend at *address*, verify, and say what to write into the manifest."""
    elsewhere = replace(session, options=replace(session.options, address=address))
    side, there = side_of(session, stack), side_of(elsewhere, stack)
    if side.where == there.where:
        raise Refused(f"{side.where} is where the state is already.")
    if writing.dry_run:
        state = read_state(side.backend, stack=side.stack)
        _check(state, read_state(there.backend, stack=there.stack), there.where)
        return f"{side.where} would be copied to {there.where}. Nothing was written."
    await _copy(session.ports, side, there, writing)
    how = "give --state or CTXPROV_STATE:" if address.startswith("http") else "write state:"
    return (
        f"{there.where} is a copy of {side.where}. Now {how} {address}; then delete "
        "the old one, so that no run goes on with it."
    )


async def _copy(ports: Ports, side: Side, there: Side, writing: StateWriting) -> None:
    async with (
        _held(ports, side, "state migrate", writing) as old,
        _held(ports, there, "state migrate", writing) as new,
    ):
        state = old.ledger.state
        _check(state, new.ledger.state, there.where)
        await ports.in_thread(partial(_copy_history, side.backend, there.backend, side.stack))
        await _save(new, state, f"copied from {side.where}")
        copy = await ports.in_thread(partial(read_state, there.backend, stack=there.stack))
        if copy.caches != state.caches or copy.retiring != state.retiring:
            raise StateError(
                f"{there.where} does not read back as it was written. The old "
                "state is untouched: go on with it."
            )


def _check(state: State, present: State, where: str) -> None:
    if state == State(stack=state.stack):
        raise Refused(f"there is no state of {state.stack} to copy.")
    if present.serial >= state.serial and present.caches != state.caches:
        raise Refused(
            f"{where} holds a state with serial {present.serial}, and ours has {state.serial}: it "
            "may be newer. Nothing was changed; move it away if it is not wanted."
        )


def _copy_history(backend: Backend, there: Backend, stack: str) -> None:
    if backend.keeps_history or there.keeps_history:
        return
    kept = [run.kept for run in read_history(backend, stack) if run.kept is not None]
    for name in (*(version_name(stack, serial) for serial in kept), runs_name(stack)):
        file, other = backend.read(name), there.read(name)
        if file and (other is None or other.content != file.content):
            there.write(name, file.content, expected=other.version if other else None)


DecideTransfer: TypeAlias = Callable[[State, State], Transfer | None]
"""Given the giving state and the receiving one."""


async def give_record(
    session: Session,
    stack: Path,
    folder: Path,
    *,
    old: str,
    new: str,
    environment: str | None,
    writing: StateWriting,
) -> str:
    """
    Give the record *old* of *stack* to the stack of *folder*, as *new*, and say what to do next.

    That is in *environment*, else in the giving stack's if *folder* declares one of that name.
    """
    same = session.options.environment
    environment = environment or (same if same in environments_of(folder) else None)
    there = replace(session, options=replace(session.options, environment=environment))
    giving, receiving = side_of(session, stack), side_of(there, folder)
    check_name(new)
    providers = load_frame(folder, environment=environment).providers

    def decide(source: State, target: State) -> Transfer | None:
        record = source.caches.get(old)
        if isinstance(record, RecordedCache) and record.provider not in providers:
            raise Refused(
                f"{receiving.stack} knows no provider {record.provider}: declare it there first. "
                "Nothing was changed."
            )
        return given_cache(source, target, old, new, accept=session.options.accept_scope)

    sentence = (
        f"{old} of {giving.stack} is {new} of {receiving.stack}; a live cache keeps its label. "
        f"Declare it there, and no longer in {giving.stack}, before the next apply."
    )
    return await transfer_records(
        session.ports, giving, receiving, decide, "state mv", sentence, writing
    )


async def rename_stack(
    session: Session, folder: Path, *, old: str, new: str, writing: StateWriting
) -> str:
    """Give all that is on record in the stack *old* to the stack *new*."""
    here, there = backends_of(session, (old, new), folder)
    giving, receiving = Side(stack=old, backend=here), Side(stack=new, backend=there)
    sentence = (
        f"{old} is {new} now; live caches keep their labels. Write the new name into "
        "the manifest before the next run."
    )
    return await transfer_records(
        session.ports, giving, receiving, renamed_stack, "state rename-stack", sentence, writing
    )


async def transfer_records(
    ports: Ports,
    giving: Side,
    receiving: Side,
    decide: DecideTransfer,
    operation: str,
    sentence: str,
    writing: StateWriting,
) -> str:
    """Carry out what *decide* says, which *sentence* tells."""
    if giving.where == receiving.where:
        raise Refused(f"{giving.stack} is that stack already; nothing was changed.")
    done = f"Already done: {sentence}"
    if writing.dry_run:
        transfer = decide(
            *(s.parse(s.backend.read(state_name(s.stack))) for s in (giving, receiving))
        )
        return f"Dry run: {sentence} Nothing was written." if transfer else done
    async with AsyncExitStack() as stack:
        held = {}
        for side in sorted((giving, receiving), key=lambda side: side.where):
            lock = _held(ports, side, operation, writing, side.parse)
            held[side.where] = await stack.enter_async_context(lock)
        old, new = held[giving.where], held[receiving.where]
        transfer = decide(old.ledger.state, new.ledger.state)
        if transfer is None:
            return done
        await _save(new, transfer.receiving, f"{operation}: from {giving.stack}")
        await _save(old, transfer.giving, f"{operation}: to {receiving.stack}")
    return sentence


def _held(
    ports: Ports,
    side: Side,
    operation: str,
    writing: StateWriting,
    read: Callable[[StoredFile | None], State] | None = None,
) -> AbstractAsyncContextManager[LockedState]:
    timeout = writing.lock_timeout
    return locked_state(
        ports, side.backend, stack=side.stack, operation=operation, timeout=timeout, read=read
    )


async def _save(held: LockedState, state: State, outcome: str) -> None:
    held.ledger.put(state)
    await held.end(outcome)
