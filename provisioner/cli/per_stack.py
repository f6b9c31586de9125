"""
One command over one or several stacks.

A stack that fails stops no other.  All of them share the clients of their providers, and
each requested document holds all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

import click
from msgspec import Struct, field

from provisioner.cli import console, terminal
from provisioner.cli.clients import Clients
from provisioner.cli.clock import BRIEF
from provisioner.cli.documents import Page, write
from provisioner.cli.messages import tell_error, tell_usage
from provisioner.cli.options import Out, expanded, takes_stdout
from provisioner.cli.status import SIGNALLED, Status, first_of
from provisioner.errors import CtxprovError
from provisioner.escape import plain
from provisioner.model.facts import State
from provisioner.render.layout import Column, Palette, table

_PULSE = 0.5
"""Seconds."""


class StackOutcome(Struct, frozen=True, kw_only=True):
    """How a command ended for one stack."""

    status: Status
    summary: str
    state: State | None = None
    """What is on record afterwards, where that is known."""
    stuck: frozenset[str] = frozenset()
    """Names whose old cache has to be kept alive, since the new one could not be made."""
    dying: frozenset[str] = frozenset()
    """Names that were to be given up, whether that went well or not."""
    cold: frozenset[str] = frozenset()
    """Names of caches that are on record and not alive."""
    labelled: int = 0
    """How many live caches carried the stack's label before."""
    ahead: timedelta = timedelta()
    """How far the clocks of the providers were ahead of this machine's."""


class Session(Struct, kw_only=True):
    """One run of a command: what its stacks share."""

    clients: Clients
    outs: tuple[Out, ...] = ()
    pages: list[Page] = field(default_factory=list)
    failures: list[CtxprovError] = field(default_factory=list)

    @property
    def is_quiet(self) -> bool:
        """Whether a document takes standard output, so that nothing else may go there."""
        return takes_stdout(self.outs)


Work: TypeAlias = Callable[[Path, Session], Awaitable[StackOutcome]]


StackRow: TypeAlias = tuple[Path, StackOutcome]


def over_stacks(
    stacks: Sequence[Path],
    work: Work,
    *,
    outs: tuple[Out, ...] = (),
    max_wait: timedelta = BRIEF,
) -> Status:
    """
    Do *work* for each stack, one after the other, and say how all of them ended.

    A quota that lets nothing through for *max_wait* is given up.
    """
    return status_of(rows_over(stacks, work, outs=outs, max_wait=max_wait))


def rows_over(
    stacks: Sequence[Path], work: Work, *, outs: tuple[Out, ...] = (), max_wait: timedelta
) -> tuple[StackRow, ...]:
    """The same, for callers that want to know how each of them ended."""
    return asyncio.run(_over_stacks(expanded(stacks), work, outs, max_wait))


def status_of(rows: Iterable[StackRow]) -> Status:
    return first_of(*(outcome.status for _, outcome in rows))


async def _over_stacks(
    stacks: Sequence[Path], work: Work, outs: tuple[Out, ...], max_wait: timedelta
) -> tuple[StackRow, ...]:
    rows: list[StackRow] = []
    async with _awake(), Clients(max_wait=max_wait) as clients:
        session = Session(clients=clients, outs=outs)
        for stack in stacks:
            if len(stacks) > 1 and not session.is_quiet:
                palette = Palette(terminal.wants_colour(None))
                console.say(f"\n{palette.paint(plain(str(stack)), 'strong')}")
            outcome = await _attempt(stack, work, session)
            rows.append((stack, outcome))
            if outcome.status in SIGNALLED:
                break
    if session.pages or session.failures:
        write(outs, session.pages, session.failures)
    if len(stacks) > 1 and not session.is_quiet:
        _tell(rows)
    return tuple(rows)


@asynccontextmanager
async def _awake() -> AsyncIterator[None]:
    """Let the loop turn now and then: a signal that came just before it fell asleep is heard."""

    async def turn() -> None:
        while True:  # noqa: ASYNC110  # it waits for nothing
            await asyncio.sleep(_PULSE)

    task = asyncio.create_task(turn())
    try:
        yield
    finally:
        task.cancel()


async def _attempt(stack: Path, work: Work, session: Session) -> StackOutcome:
    try:
        return await work(stack, session)
    except CtxprovError as error:
        session.failures.append(error)
        return StackOutcome(status=tell_error(error), summary=_first_line(str(error)))
    except click.UsageError as error:
        return StackOutcome(status=tell_usage(error), summary=_first_line(error.format_message()))


def _first_line(text: str) -> str:
    return plain(text.partition("\n")[0])


def _tell(rows: Iterable[StackRow]) -> None:
    cells = [(plain(str(stack)), str(int(e.status)), e.summary) for stack, e in rows]
    lines = table([Column()] * 3, cells)
    console.say("\n".join(["", *lines]))
