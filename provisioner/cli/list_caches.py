"""`ctxprov list` and `ctxprov gc`: the live caches of whole projects."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from provisioner.catalog import load_catalog
from provisioner.cli import console, terminal
from provisioner.cli.documents import Output
from provisioner.cli.messages import tell, tell_error
from provisioner.cli.options import expanded
from provisioner.cli.per_stack import opened
from provisioner.cli.status import Status, first_of
from provisioner.errors import Refused
from provisioner.escape import json_text, plain
from provisioner.operations import collect_garbage as garbage_of
from provisioner.operations import list_caches as lists
from provisioner.operations.collect_garbage import Garbage, GcRequest
from provisioner.operations.session import Session
from provisioner.operations.stack_location import backend_at, check_stack
from provisioner.render.listing import list_document, list_text


async def list_caches(stacks: tuple[Path, ...], **given: Any) -> Status:  # noqa: ANN401  # click checked them
    """List every live cache of the project, with or without our label."""
    folders = expanded(stacks)
    async with opened(given) as (session, output):
        listed, failures = await lists.list_caches(session, folders)
    status = first_of(*map(tell_error, failures))
    if listed is None:
        return status
    output.add_json(json_text(list_document(listed.caches, now=listed.now)))
    width, colour = terminal.width(), output.colour
    output.show(list_text(listed.caches, now=listed.now, width=width, colour=colour))
    output.write()
    for name, address in listed.undeclared.items():
        command = ["ctxprov", "destroy", "--stack", name, "--state", address]
        command += ["--emulator"] if session.options.emulator else []
        tell(
            f"{name} has live caches and is declared no longer. What is on record of it ends with: "
            f"{shlex.join(command)}"
        )
    return status


async def collect_garbage(**given: Any) -> Status:  # noqa: ANN401  # click checked them
    """List live caches whose label names a stack without a state, and delete chosen ones."""
    async with opened(given) as (session, output):
        auto_approve = given.pop("auto_approve")
        request = _request(session, **given)
        garbage = await garbage_of.find_garbage(session, request)
        _show_garbage(garbage, output)
        deleted: Sequence[str] = ()
        if garbage.chosen:
            if not auto_approve:
                await _ask(len(garbage.chosen), output)
            deleted = await garbage_of.delete_garbage(session, request, garbage)
    _report(garbage, request, deleted, output)
    return Status.FAILED if garbage.owners.unclear else Status.OK


def _request(
    session: Session,
    *,
    ids: tuple[str, ...],
    stacks: tuple[str, ...],
    addresses: tuple[str, ...],
    key_env: str | None,
    lock_timeout: timedelta,
) -> GcRequest:
    for stack in stacks:
        check_stack(stack)
    usual = session.ports.environ.get("CTXPROV_STATE")
    places = addresses or ((usual,) if usual else ())
    if not places:
        raise click.UsageError("gc needs every place of states: give --state ADDRESS for each.")
    return GcRequest(
        backends=tuple(backend_at(session.ports, place) for place in places),
        ids=frozenset(ids),
        stacks=frozenset(stacks),
        key_env=key_env,
        lock_timeout=lock_timeout,
        prices=load_catalog(session.options.models).find,
    )


async def _ask(count: int, output: Output) -> None:
    if output.is_quiet or not terminal.is_interactive():
        raise Refused(
            "gc needs an approval, and there is no terminal to ask on: read the list above and add "
            "--auto-approve. Nothing was changed."
        )
    if not await terminal.confirm(f"Delete {count} cache{'s' * (count != 1)} for good?"):
        raise Refused("Declined; nothing was changed.")


def _show_garbage(garbage: Garbage, output: Output) -> None:
    caches = garbage.chosen or garbage.ownerless
    if not caches:
        output.show("No live cache of this project carries the label of a stack without a state.\n")
        return
    width, colour = terminal.width(), output.colour
    output.show(list_text(caches, now=garbage.now, width=width, colour=colour, ids=True))


def _report(garbage: Garbage, request: GcRequest, deleted: Sequence[str], output: Output) -> None:
    """Say what became of it, and name the stacks that stay unclear."""
    unclear = garbage.owners.unclear
    for stack, why in sorted(unclear.items()):
        tell(f"Error: whether {stack} has a state is not clear, so its caches stay: {why}")
    if output.is_quiet:
        document = list_document(garbage.ownerless, now=garbage.now)
        document["unreadable"] = dict(unclear)
        document["deleted"] = list(deleted)
        output.add_json(json_text(document))
        output.write()
    elif deleted:
        console.say(plain(f"Deleted: {', '.join(deleted)}."))
    elif garbage.ownerless and not (request.stacks or request.ids):
        console.say("Delete with ctxprov gc and --stack NAME or an ID, beside the same --state.")
