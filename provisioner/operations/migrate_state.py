"""
A state from one backend, or from one stack, to another: under both locks.

A copy to another backend is read back; what is there must be an earlier state of the same stack,
or nothing.  Between two stacks the receiving state is saved before the giving one, and the same
command finishes a run that is cut off between the two.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import TypeAlias

from msgspec import Struct

from provisioner.errors import Refused, StateError
from provisioner.model.facts import State
from provisioner.operations.locked_state import LockedState, locked_state
from provisioner.operations.ports import Ports
from provisioner.state import read_state, state_name, state_of
from provisioner.state.history import read_history, runs_name, version_name
from provisioner.state.transfer import Transfer
from provisioner.storage import Backend, StoredFile


async def migrate_state(
    ports: Ports,
    backend: Backend,
    there: Backend,
    stack: str,
    *,
    address: str,
    timeout: timedelta,
    dry_run: bool,
) -> str:
    """Copy, verify, and say what to write into the manifest."""
    name = state_name(stack)
    if backend.where(name) == there.where(name):
        raise Refused(f"{backend.where(name)} is where the state is already.")
    if dry_run:
        _check(read_state(backend, stack=stack), read_state(there, stack=stack), there.where(name))
        return f"{backend.where(name)} would be copied to {there.where(name)}. Nothing was written."
    await _copy(ports, backend, there, stack, timeout)
    how = "give --state or CTXPROV_STATE:" if address.startswith("http") else "write state:"
    return (
        f"{there.where(name)} is a copy of {backend.where(name)}. Now {how} {address}; then delete "
        "the old one, so that no run goes on with it."
    )


async def _copy(
    ports: Ports, backend: Backend, there: Backend, stack: str, timeout: timedelta
) -> None:
    held = partial(locked_state, ports, stack=stack, operation="state migrate", timeout=timeout)
    async with (
        held(backend) as old,
        held(there) as new,
    ):
        state = old.ledger.state
        _check(state, new.ledger.state, there.where(state_name(stack)))
        await asyncio.to_thread(_copy_history, backend, there, stack)
        new.ledger.put(state)
        await new.end(f"copied from {backend.where(state_name(stack))}")
        copy = await asyncio.to_thread(read_state, there, stack=stack)
        if copy.caches != state.caches or copy.retiring != state.retiring:
            raise StateError(
                f"{there.where(state_name(stack))} does not read back as it was written. The old "
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


class Side(Struct, frozen=True, kw_only=True):
    """One of the two stacks, and the backend of its state."""

    stack: str
    backend: Backend

    @property
    def where(self) -> str:
        return self.backend.where(state_name(self.stack))

    def parse(self, file: StoredFile | None) -> State:
        """What was read, also if that stack has another name now."""
        return state_of(file, where=self.where, stack=self.stack, moved=True)


async def transfer_records(
    ports: Ports,
    giving: Side,
    receiving: Side,
    decide: DecideTransfer,
    *,
    operation: str,
    sentence: str,
    timeout: timedelta,
    dry_run: bool,
) -> str:
    """Carry out what *decide* says, which *sentence* tells."""
    if giving.where == receiving.where:
        raise Refused(f"{giving.stack} is that stack already; nothing was changed.")
    done = f"Already done: {sentence}"
    if dry_run:
        transfer = decide(
            *(s.parse(s.backend.read(state_name(s.stack))) for s in (giving, receiving))
        )
        return f"Dry run: {sentence} Nothing was written." if transfer else done
    async with AsyncExitStack() as stack:
        held = {
            side.where: await stack.enter_async_context(_held(ports, side, operation, timeout))
            for side in sorted((giving, receiving), key=lambda side: side.where)
        }
        old, new = held[giving.where], held[receiving.where]
        transfer = decide(old.ledger.state, new.ledger.state)
        if transfer is None:
            return done
        await _save(new, transfer.receiving, f"{operation}: from {giving.stack}")
        await _save(old, transfer.giving, f"{operation}: to {receiving.stack}")
    return sentence


def _held(
    ports: Ports, side: Side, operation: str, timeout: timedelta
) -> AbstractAsyncContextManager[LockedState]:
    return locked_state(
        ports, side.backend, stack=side.stack, operation=operation, timeout=timeout, read=side.parse
    )


async def _save(held: LockedState, state: State, outcome: str) -> None:
    held.ledger.put(state)
    await held.end(outcome)
