"""`ctxprov output`: what an application needs, from the state alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from provisioner.cli import clock, options
from provisioner.cli.place import place_of
from provisioner.cli.status import Status
from provisioner.errors import CtxprovError
from provisioner.handles import handles_words
from provisioner.manifest import load_manifest
from provisioner.render.escape import json_text
from provisioner.state import read_state


@click.command("output")
@click.argument("name", required=False)
@options.folder_option
@options.emulator_option
def command(name: str | None, folder: Path, *, emulator: bool) -> Status:
    """
    Print the handles that applications need, as JSON.

    Reads the state and nothing else. With a NAME prints that cache alone; a cache that has
    expired, or was never applied, has no handle, and asking for it by name fails.

    \b
    Examples:
      ctxprov output
      ctxprov output product-manual -C examples/support-bot
    """
    manifest = load_manifest(folder)
    place = place_of(manifest, emulator=emulator)
    state = read_state(place.state, stack=manifest.stack)
    words = handles_words(state, hidden=(), now=clock.now())
    caches = words["caches"]
    if name is None:
        click.echo(json_text(words), nl=False)
    elif isinstance(caches, Mapping) and name in caches:
        click.echo(json_text(caches[name]), nl=False)
    else:
        raise CtxprovError(
            f"{name!r} has no handle in {manifest.stack}: it is not on record or has expired. "
            "ctxprov plan says why, ctxprov apply makes it so."
        )
    return Status.OK
