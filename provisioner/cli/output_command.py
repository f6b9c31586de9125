"""`ctxprov output`: what an application needs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import click

from provisioner.cache import Json
from provisioner.cli import clock, console, options
from provisioner.cli.outputs import with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.request import request_of
from provisioner.cli.status import Status
from provisioner.cli.target import location_of
from provisioner.errors import CtxprovError
from provisioner.escape import json_text
from provisioner.handles import handles_words
from provisioner.manifest import Frame, load_frame, load_manifest
from provisioner.model import State
from provisioner.render.shell import env_lines
from provisioner.state import read_state


@click.command("output")
@click.argument("name", required=False)
@options.folders_or_one_option
@options.env_option
@options.emulator_option
@options.state_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "env", "request"]),
    default="json",
    show_default=True,
    help="The handle as JSON or as variables for a shell, or a whole request.",
)
@click.option(
    "--api",
    type=click.Choice(["responses", "chat"]),
    default=None,
    help="Which of OpenAI's APIs a request is for; by default responses.",
)
@click.option(
    "--no-content",
    is_flag=True,
    help="Put path and digest in place of the content of a request.",
)
def command(
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
    """
    Print the handles that applications need, as JSON.

    Reads the state. With a NAME prints that cache alone; a cache that has expired, or was
    never applied, has no handle, and asking for it by name fails. A request is made of the
    entry's files, which must be those that were applied.

    \b
    Examples:
      ctxprov output
      ctxprov output product-manual -C examples/support-bot
      ctxprov output product-manual --format env
      ctxprov output refund-policy --format request --no-content
      ctxprov output triage --format request --api chat
      ctxprov output -C stacks/one -C stacks/two
    """
    console.output_is_the_work()
    if name is None:
        if form != "json":
            raise click.UsageError(f"--format {form} needs the NAME of a cache.")
        return _all(folders, environment, address, emulator=emulator)
    stack = options.the_only(folders)
    frame, state = _remembered(stack, environment, address, emulator=emulator)
    caches = handles_words(state, hidden=(), now=clock.now())
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
        text = json_text(handles_words(state, hidden=(), now=clock.now()))
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
        "ctxprov plan says why, ctxprov apply makes it so."
    )
