"""`ctxprov show`: what is on record, and how long it has to live."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import click

from provisioner.catalog import load_catalog
from provisioner.cli import clock, options, terminal
from provisioner.cli.place import Place, place_of
from provisioner.cli.reach import Reach
from provisioner.cli.status import Status
from provisioner.cli.survey import survey
from provisioner.errors import CtxprovError
from provisioner.manifest import load_manifest
from provisioner.model import LiveCache, RecordedCache, State
from provisioner.pricing import upkeep
from provisioner.render.show import show_one, show_text
from provisioner.state import read_state


@click.command("show")
@click.argument("name", required=False)
@options.folder_option
@options.env_option
@options.emulator_option
@options.state_option
@click.option("--live", is_flag=True, help="Ask the provider as well; needs a key.")
@options.models_option
@options.colour_option
@options.log_option
def command(
    name: str | None,
    folder: Path,
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    live: bool,
    models: Path | None,
    colour: bool | None,
) -> Status:
    """
    Show what is on record: a line per cache, or one cache in full.

    Reads the state; with --live asks the provider what has become of it.

    \b
    Examples:
      ctxprov show
      ctxprov show product-manual -C examples/support-bot --emulator --live
    """
    manifest = load_manifest(folder, environment=environment)
    place = place_of(manifest, address=address, emulator=emulator)
    state = read_state(place.home, stack=manifest.stack)
    if name is not None and name not in state.caches:
        raise CtxprovError(f"{name!r} is not on record in {manifest.stack}; ctxprov plan says why.")
    now = clock.now()
    seen = asyncio.run(_live(state, place, now)) if live else None
    prices = load_catalog(models).find
    rents = {
        record.name: upkeep(record, prices, at=now)
        for record in state.caches.values()
        if isinstance(record, RecordedCache)
    }
    width, coloured = terminal.width(), terminal.wants_colour(colour)
    if name is None:
        text = show_text(state, seen, rents=rents, now=now, width=width, colour=coloured)
    else:
        text = show_one(
            state.caches[name],
            seen,
            rent=rents.get(name),
            now=now,
            width=width,
            colour=coloured,
        )
    click.echo(text, nl=False, color=True)
    return Status.OK


async def _live(state: State, place: Place, now: datetime) -> Mapping[str, LiveCache]:
    async with Reach() as reach:
        seen = await survey(reach, place, (), state, now=now, accept_scope=False)
    return {cache.id: cache for cache in seen.live}
