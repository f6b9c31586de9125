"""`ctxprov next`: when to run again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from msgspec import Struct

from provisioner.cache import Json
from provisioner.cli import clock, console
from provisioner.cli.absent_state import Finding, finding, is_unrecorded, labelled
from provisioner.cli.clients import Clients
from provisioner.cli.messages import tell_error
from provisioner.cli.observe import observe
from provisioner.cli.options import expanded
from provisioner.cli.status import Status, first_of
from provisioner.cli.target import location_of
from provisioner.errors import CtxprovError
from provisioner.escape import json_text, plain
from provisioner.manifest.stack import load_frame
from provisioner.planner.transitions import covered_until, next_run
from provisioner.state import read_state
from provisioner.times import moment_text
from provisioner.view.units import when


class _Due(Struct, frozen=True, kw_only=True):
    """When a stack wants a run, and until when it is warm without one; None is never."""

    stack: str
    due: datetime | None
    end: datetime | None
    cold: Finding | None
    """What it means that nothing is on record, if that is so."""


def report_next_run(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    as_json: bool,
) -> Status:
    """Show when to run again, by the state alone."""
    now = clock.now()
    located = (environment, address)
    dues, statuses = asyncio.run(_dues(expanded(stacks), located, now, emulator=emulator))
    if as_json:
        console.document(json_text(_json(dues, now)), form="json")
    else:
        for one in dues:
            name = f"{plain(one.stack)}: " if len(dues) > 1 else ""
            console.say(plain(f"{name}{_sentence(one, now)}"))
    return first_of(*statuses, *(one.cold.status for one in dues if one.cold))


async def _dues(
    stacks: Iterable[Path],
    located: tuple[str | None, str | None],
    now: datetime,
    *,
    emulator: bool,
) -> tuple[Sequence[_Due], Sequence[Status]]:
    """When each stack wants a run, and the statuses of those that cannot tell."""
    dues: list[_Due] = []
    failures: list[Status] = []
    async with Clients() as clients:
        for stack in stacks:
            try:
                dues.append(await _due(clients, stack, located, now, emulator=emulator))
            except CtxprovError as error:
                failures.append(tell_error(error))
    return dues, failures


async def _due(
    clients: Clients,
    stack: Path,
    located: tuple[str | None, str | None],
    now: datetime,
    *,
    emulator: bool,
) -> _Due:
    environment, address = located
    frame = load_frame(stack, environment=environment)
    location = location_of(frame, address=address, emulator=emulator)
    state = read_state(location.backend, stack=frame.stack)
    cold = None
    if is_unrecorded(frame, state):
        observation = await observe(clients, location, (), state, accept_scope=False)
        cold = finding(location, frame.stack, labelled=labelled(observation.live, state))
    return _Due(
        stack=frame.stack, due=next_run(state, now), end=covered_until(state, now), cold=cold
    )


def _sentence(one: _Due, now: datetime) -> str:
    if one.cold:
        return one.cold.sentence
    if one.due is None:
        return "Nothing is due: no recorded cache will need a refresh."
    run = "Run now." if one.due <= now else f"Run at {when(one.due, at=now)}."
    return f"{run} Covered until {when(one.end, at=now)}." if one.end else run


def _json(per_stack: Sequence[_Due], now: datetime) -> dict[str, Json]:
    """The first of all moments, and those of each stack."""
    dues = [one.due for one in per_stack if one.due]
    ends = [one.end for one in per_stack if one.end]
    return {
        **_moments(min(dues, default=None), min(ends, default=None), now),
        "stacks": [
            {"stack": one.stack, "recorded": one.cold is None, **_moments(one.due, one.end, now)}
            for one in per_stack
        ],
    }


def _moments(due: datetime | None, end: datetime | None, now: datetime) -> dict[str, Json]:
    return {
        "next": moment_text(due) if due else None,
        "in_seconds": int((due - now).total_seconds()) if due else None,
        "covered_until": moment_text(end) if end else None,
    }
