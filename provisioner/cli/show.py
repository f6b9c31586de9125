"""`ctxprov show` and `ctxprov output`: what is on record, for people and for applications."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import click

from provisioner.cli import console, terminal
from provisioner.cli.documents import Output
from provisioner.cli.per_stack import StackOutcome, Work
from provisioner.escape import json_text
from provisioner.handles import handles_fields
from provisioner.manifest import load_manifest
from provisioner.operations.read_records import Records, handle_of, read_records
from provisioner.operations.request import request_of
from provisioner.operations.session import Session
from provisioner.operations.stack_location import recorded
from provisioner.render.shell import env_lines
from provisioner.render.show import show_one, show_text


async def show_stack(
    session: Session, output: Output, stack: Path, *, name: str | None, live: bool
) -> StackOutcome:
    """Show what is on record: a line per cache, or one cache in full."""
    records = await read_records(session, stack, live=live)
    console.show(_text(records, name, colour=output.colour))
    return StackOutcome(summary=f"{len(records.state.caches)} on record")


def _text(records: Records, name: str | None, *, colour: bool) -> str:
    live, now, width = records.live, records.now, terminal.width()
    if name is None:
        rents = records.rents
        return show_text(records.state, live, rents=rents, now=now, width=width, colour=colour)
    record, rent = records.named(name), records.rents.get(name)
    return show_one(record, live, rent=rent, now=now, width=width, colour=colour)


def output_handles(
    session: Session,
    output: Output,
    *,
    name: str | None,
    form: Literal["json", "env", "request"],
    api: Literal["responses", "chat"] | None,
    no_content: bool,
) -> Work:
    """Print the handles that applications need, as JSON."""
    console.output_is_the_work()
    if name:
        return partial(_handle, session, name, form, api, no_content)
    if form != "json":
        raise click.UsageError(f"--format {form} needs the NAME of a cache.")
    return partial(_all_handles, session, output)


async def _all_handles(session: Session, output: Output, stack: Path) -> StackOutcome:
    """The handles of one stack as they are published, or those of several in one document."""
    _, _, state = recorded(session, stack)
    output.add_json(json_text(handles_fields(state, hidden=(), now=session.ports.now())))
    return StackOutcome()


async def _handle(
    session: Session,
    name: str,
    form: Literal["json", "env", "request"],
    api: Literal["responses", "chat"] | None,
    no_content: bool,  # noqa: FBT001  # bound by its name's caller
    stack: Path,
) -> StackOutcome:
    """The handle of one cache, as JSON or as variables, or a whole request."""
    _, _, state = recorded(session, stack)
    entry = handle_of(session, state, name)
    record = state.caches[name]
    if api and (form != "request" or record.handle.as_json()["provider"] != "openai"):
        raise click.UsageError("--api is for requests of openai entries.")
    match form:
        case "json":
            text = json_text(entry)
        case "env":
            text = env_lines(name, record.model, record.handle)
        case "request":
            api = api or "responses"
            manifest = load_manifest(stack, environment=session.options.environment)
            text = json_text(
                request_of(manifest, state, record, api=api, with_content=not no_content)
            )
    console.document(text, form="text" if form == "env" else "json")
    return StackOutcome()
