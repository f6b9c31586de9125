"""`ctxprov show` and `ctxprov output`: what is on record, for people and for applications."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

import click

from provisioner.cache import Json
from provisioner.catalog import load_catalog
from provisioner.cli import console, terminal
from provisioner.cli.documents import Output
from provisioner.cli.per_stack import StackOutcome, Work
from provisioner.errors import CtxprovError
from provisioner.escape import json_text
from provisioner.handles import handles_fields
from provisioner.manifest import load_manifest
from provisioner.model.facts import State
from provisioner.model.rates import Lookup
from provisioner.model.records import LiveCache
from provisioner.operations.observe import observe
from provisioner.operations.request import request_of
from provisioner.operations.session import Session
from provisioner.operations.stack_location import recorded
from provisioner.pricing import upkeep
from provisioner.render.shell import env_lines
from provisioner.render.show import show_one, show_text


async def show_stack(
    session: Session, output: Output, stack: Path, *, name: str | None, live: bool
) -> StackOutcome:
    """Show what is on record: a line per cache, or one cache in full."""
    prices = load_catalog(session.options.models).find

    _, location, state = recorded(session, stack)
    seen, now = None, session.ports.now()
    if live:
        observation = await observe(session, location, (), state)
        seen, now = {cache.id: cache for cache in observation.live}, observation.now
    console.show(_text(state, name, seen, prices, now, colour=output.colour))
    return StackOutcome(summary=f"{len(state.caches)} on record")


def _text(
    state: State,
    name: str | None,
    seen: Mapping[str, LiveCache] | None,
    prices: Lookup,
    now: datetime,
    *,
    colour: bool,
) -> str:
    rents = {record.name: upkeep(record, prices, at=now) for record in state.live_records}
    width = terminal.width()
    if name is None:
        return show_text(state, seen, rents=rents, now=now, width=width, colour=colour)
    if name not in state.caches:
        raise CtxprovError(f"{name!r} is not on record in {state.stack}; ctxprov plan says why.")
    record, rent = state.caches[name], rents.get(name)
    return show_one(record, seen, rent=rent, now=now, width=width, colour=colour)


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
    frame, _, state = recorded(session, stack)
    caches = handles_fields(state, hidden=(), now=session.ports.now())
    entry = _entry(caches["caches"], name, frame.stack)
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


def _entry(caches: Json, name: str, stack: str) -> Json:
    if isinstance(caches, Mapping) and name in caches:
        return caches[name]
    raise CtxprovError(
        f"{name!r} has no handle in {stack}: it is not on record or has expired. "
        "ctxprov plan shows why; ctxprov apply creates it."
    )
