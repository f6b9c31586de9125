"""
Moves between two stacks, under both locks: the receiving state is saved before the giving one.

A run that is cut off between the two is finished by the same command.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import timedelta
from typing import TypeAlias

from msgspec import Struct

from provisioner.cli.locked_state import LockedState, locked_state
from provisioner.errors import Refused
from provisioner.model.facts import State
from provisioner.state import state_name, state_of
from provisioner.state.transfer import Transfer
from provisioner.storage import Backend, StoredFile

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


async def transferred(
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
            side.where: await stack.enter_async_context(_held(side, operation, timeout))
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
    side: Side, operation: str, timeout: timedelta
) -> AbstractAsyncContextManager[LockedState]:
    return locked_state(
        side.backend, stack=side.stack, operation=operation, timeout=timeout, read=side.parse
    )


async def _save(held: LockedState, state: State, outcome: str) -> None:
    held.ledger.put(state)
    await held.end(outcome)
