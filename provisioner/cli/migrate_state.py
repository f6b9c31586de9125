"""
A stack's state from one backend to another: under both locks, and read back.

What is at the destination must be an earlier state of the same stack, or nothing.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial

from provisioner.cli.locked_state import locked_state
from provisioner.errors import Refused, StateError
from provisioner.model.facts import State
from provisioner.state import read_state, state_name
from provisioner.state.history import read_history, runs_name, version_name
from provisioner.storage import Backend


async def migrate_state(
    backend: Backend, there: Backend, stack: str, *, address: str, timeout: timedelta, dry_run: bool
) -> str:
    """Copy, verify, and say what to write into the manifest."""
    name = state_name(stack)
    if backend.where(name) == there.where(name):
        raise Refused(f"{backend.where(name)} is where the state is already.")
    if dry_run:
        _check(read_state(backend, stack=stack), read_state(there, stack=stack), there.where(name))
        return f"{backend.where(name)} would be copied to {there.where(name)}. Nothing was written."
    await _copy(backend, there, stack, timeout)
    how = "give --state or CTXPROV_STATE:" if address.startswith("http") else "write state:"
    return (
        f"{there.where(name)} is a copy of {backend.where(name)}. Now {how} {address}; then delete "
        "the old one, so that no run goes on with it."
    )


async def _copy(backend: Backend, there: Backend, stack: str, timeout: timedelta) -> None:
    held = partial(locked_state, stack=stack, operation="state migrate", timeout=timeout)
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
