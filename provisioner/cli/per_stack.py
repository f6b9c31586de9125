"""
One command over one or several stacks: the one place that opens a session and ends it.

A stack that fails stops no other.  All of them share the clients of their providers, and
each requested document holds all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from provisioner import runtime
from provisioner.cli import messages, terminal
from provisioner.cli.documents import Output
from provisioner.cli.options import BRIEF, expanded
from provisioner.cli.status import SIGNALLED, Status, first_of
from provisioner.cli.terminal import Interruptions, program_ports
from provisioner.errors import CtxprovError
from provisioner.escape import plain
from provisioner.model.facts import State
from provisioner.operations.clients import Clients
from provisioner.operations.session import Session, StackOptions
from provisioner.render.layout import Column, Palette, table

_PULSE = 0.5
"""Seconds."""


class StackOutcome(Struct, frozen=True, kw_only=True):
    """How a command ended for one stack."""

    status: Status = Status.OK
    summary: str = ""
    state: State | None = None
    """What is on record afterwards, where that is known."""
    cold: frozenset[str] = frozenset()
    """Names of caches that are on record and not alive."""
    ahead: timedelta = timedelta()
    """How far the clocks of the providers were ahead of this machine's."""


StackRow: TypeAlias = tuple[Path, StackOutcome]
Work: TypeAlias = Callable[[Path], Awaitable[StackOutcome]]


class ShownOperation(Struct, frozen=True, kw_only=True):
    """An operation on a stack, and what shows its value and decides the status."""

    operate: Callable[[Path], Awaitable[Any]]
    show: Callable[[Path, Any], StackOutcome]


Prepare: TypeAlias = Callable[..., Any]
"""
What is done for each stack, given a session, its output and what else the command line asks.

A coroutine that takes the stack as well is its own work.
"""


async def rows_over(prepare: Prepare, given: dict[str, Any]) -> tuple[StackRow, ...]:
    """
    Do for each stack what *prepare* makes of the arguments *given*, and say how each ended.

    One stack comes after the other; a signal ends the loop.
    """
    given = dict(given)
    metrics_file = given.pop("metrics_file", None)
    stacks = (given.pop("folder"),) if "folder" in given else expanded(given.pop("stacks"))
    rows: list[StackRow] = []
    interruptions = Interruptions()
    async with opened(given, interruptions) as (session, output):
        if iscoroutinefunction(prepare):
            work: Work | ShownOperation = partial(prepare, session, output, **given)
        else:
            work = prepare(session, output, **given)
        for stack in stacks:
            if len(stacks) > 1:
                palette = Palette(terminal.wants_colour(None))
                output.show(f"\n{palette.paint(plain(str(stack)), 'strong')}\n")
            try:
                if isinstance(work, ShownOperation):
                    outcome = work.show(stack, await work.operate(stack))
                else:
                    outcome = await work(stack)
                status = first_of(outcome.status, *interruptions.statuses)
                rows.append((stack, replace(outcome, status=status)))
            except messages.EXPECTED as error:
                if isinstance(error, CtxprovError):
                    output.failures.append(error)
                status, summary = messages.tell_error(error), messages.summary_of(error)
                rows.append((stack, StackOutcome(status=status, summary=summary)))
            if rows[-1][1].status in SIGNALLED:
                break
    output.write()
    if len(stacks) > 1:
        cells = [(plain(str(stack)), str(int(row.status)), row.summary) for stack, row in rows]
        output.show("\n".join(["", *table([Column()] * 3, cells), ""]))
    if metrics_file:
        from provisioner.cli.metrics import write_metrics  # noqa: PLC0415  # slow to import

        write_metrics(metrics_file, rows, models=session.options.models)
    return tuple(rows)


def status_of(rows: Iterable[StackRow]) -> Status:
    return first_of(*(outcome.status for _, outcome in rows))


@asynccontextmanager
async def opened(
    given: dict[str, Any], interruptions: Interruptions | None = None
) -> AsyncIterator[tuple[Session, Output]]:
    """Take what a session and its output need out of *given*, and open them for the block."""
    output = Output.of(given)
    chosen = {name: given.pop(name) for name in StackOptions.__struct_fields__ if name in given}
    max_wait = given.pop("max_wait", BRIEF)
    ports = program_ports(interruptions)
    async with _awake(), Clients(ports, max_wait=max_wait) as clients:
        yield Session(options=StackOptions(**chosen), ports=ports, clients=clients), output


@asynccontextmanager
async def _awake() -> AsyncIterator[None]:
    """Let the loop turn now and then: a signal that came just before it fell asleep is heard."""

    async def turn() -> None:
        while True:  # it waits for nothing
            await runtime.SYSTEM.sleep(_PULSE)

    task = asyncio.create_task(turn())
    try:
        yield
    finally:
        task.cancel()
