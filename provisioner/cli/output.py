"""`ctxprov output`: what an application needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from provisioner.cache import Json
from provisioner.cli import clock, console, options
from provisioner.cli.options import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.request import request_of
from provisioner.cli.status import Status
from provisioner.cli.target import location_of
from provisioner.errors import CtxprovError
from provisioner.escape import json_text
from provisioner.handles import handles_fields
from provisioner.manifest.stack import load_frame, load_manifest
from provisioner.manifest.types import Frame
from provisioner.model.facts import State
from provisioner.render.shell import env_lines
from provisioner.state import read_state


def output_handles(
    name: str | None,
    folders: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    form: Literal["json", "env", "request"],
    api: Literal["responses", "chat"] | None,
    no_content: bool,
) -> Status:
    """Print the handles that applications need, as JSON."""
    console.output_is_the_work()
    if name is None:
        if form != "json":
            raise click.UsageError(f"--format {form} needs the NAME of a cache.")
        return _all(folders, environment, address, emulator=emulator)
    stack = options.the_only(folders)
    frame, state = _remembered(stack, environment, address, emulator=emulator)
    caches = handles_fields(state, hidden=(), now=clock.now())
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
            manifest = load_manifest(stack, environment=environment)
            text = json_text(
                request_of(manifest, state, record, api=api, with_content=not no_content)
            )
    console.document(text, form="text" if form == "env" else "json")
    return Status.OK


def _all(
    folders: tuple[Path, ...], environment: str | None, address: str | None, *, emulator: bool
) -> Status:
    """The handles of one stack as they are published, or those of several in one document."""

    async def work(stack: Path, session: Session) -> StackOutcome:
        _, state = _remembered(stack, environment, address, emulator=emulator)
        text = json_text(handles_fields(state, hidden=(), now=clock.now()))
        session.pages.append(lambda _: text)
        return StackOutcome(status=Status.OK, summary="")

    return over_stacks(folders, work, outs=with_json((), as_json=True))


def _remembered(
    stack: Path, environment: str | None, address: str | None, *, emulator: bool
) -> tuple[Frame, State]:
    frame = load_frame(stack, environment=environment)
    location = location_of(frame, address=address, emulator=emulator)
    return frame, read_state(location.backend, stack=frame.stack)


def _entry(caches: Json, name: str, stack: str) -> Json:
    if isinstance(caches, Mapping) and name in caches:
        return caches[name]
    raise CtxprovError(
        f"{name!r} has no handle in {stack}: it is not on record or has expired. "
        "ctxprov plan shows why; ctxprov apply creates it."
    )
