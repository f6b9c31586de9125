"""
Which labels of a project have an owner: a stack whose state is at one of several places.

A state that cannot be read, or that a run holds, is never taken for an absent one.  A stack that
was renamed owns what its new name has on record, and nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from msgspec import Struct

from provisioner.errors import StateError, StateUnreadable
from provisioner.model.facts import State
from provisioner.model.records import LiveCache
from provisioner.operations.ports import Ports
from provisioner.state import state_name, state_of
from provisioner.storage import Backend, Lock, StoredFile
from provisioner.storage.lock_owner import lock_owner_here


class Owners(Struct, frozen=True, kw_only=True):
    """What the states at the given places say."""

    stacks: frozenset[str]
    """That have a state under this very name."""
    ids: frozenset[str]
    """On record or retiring in any of them, or given by one to a stack elsewhere."""
    unclear: dict[str, str]
    """Stacks that may have a state or not, and why."""

    def lacks(self, cache: LiveCache) -> bool:
        """Whether *cache* carries the label of a stack that has no state, and no other owner."""
        label = cache.label
        return (
            label is not None
            and label.stack not in self.stacks
            and label.stack not in self.unclear
            and cache.id not in self.ids
        )


async def owners_of(
    ports: Ports,
    stacks: Iterable[str],
    backends: Sequence[Backend],
    *,
    held: Collection[str] = (),
) -> Owners:
    """
    Look for the states of *stacks*, and of those that have got something from them.

    Of those that are *held*, this very run has the locks.
    """
    states: list[State] = []
    unclear: dict[str, str] = {}
    waiting, seen = sorted(set(stacks)), set[str]()
    while waiting:
        stack = waiting.pop()
        if stack in seen:
            continue
        seen.add(stack)
        try:
            answers = [
                await _state(ports, backend, stack, is_held=stack in held) for backend in backends
            ]
        except StateError as error:
            unclear[stack] = str(error)
            continue
        there = [state for state in answers if state]
        states += there
        waiting += (
            other for state in there for other in (state.moved_to, *state.given.values()) if other
        )
    return Owners(
        stacks=frozenset(state.stack for state in states if not state.moved_to),
        ids=frozenset(id_ for state in states for id_ in (*state.ids, *state.given)),
        unclear=unclear,
    )


async def _state(ports: Ports, backend: Backend, stack: str, *, is_held: bool) -> State | None:
    """
    The state of *stack* at *backend*; None if it is absent and no run is about to write it.

    Raises StateError if that is not clear.
    """
    name = state_name(stack)
    file = await asyncio.to_thread(backend.read, name)
    if file is None and not is_held:
        file = await _absence(ports, backend, name)
    if file is None:
        return None
    return state_of(file, where=backend.where(name), stack=stack, moved=True)


async def _absence(ports: Ports, backend: Backend, name: str) -> StoredFile | None:
    """Make sure that *name* is absent: by asking, or where that tells nothing by its lock."""
    try:
        await asyncio.to_thread(backend.confirm, name)
    except StateUnreadable:
        async with locked(ports, backend, name, timeout=timedelta()):
            return await asyncio.to_thread(backend.read, name)
    if owner := await asyncio.to_thread(backend.lock_owner, name):
        raise StateError(f"{backend.where(name)} is absent, but {owner} holds it.")
    return None


def locked(
    ports: Ports, backend: Backend, name: str, *, timeout: timedelta
) -> AbstractAsyncContextManager[Lock]:
    """Hold the lock of a state that need not be there."""
    who = lock_owner_here("gc", since=ports.now(), environ=ports.environ)
    return backend.lock(name, who, timeout=timeout, on_wait=ports.console.waiting())
