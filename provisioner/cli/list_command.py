"""`ctxprov list`: every live cache of the project, whoever made it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import click

from provisioner.cache import CachedContext
from provisioner.catalog import load_catalog
from provisioner.cli import clock, options, terminal
from provisioner.cli.place import place_of, project_in, store_of
from provisioner.cli.reach import Reach
from provisioner.cli.status import Status
from provisioner.errors import CtxprovError, StateError
from provisioner.manifest import Manifest, environments_of, load_manifest
from provisioner.model import LiveCache, RecordedCache, State
from provisioner.pricing import rent
from provisioner.render.listing import Listed, list_json, list_text
from provisioner.state import read_state


@click.command("list")
@options.stack_argument
@options.env_option
@options.emulator_option
@options.state_option
@options.models_option
@options.json_option
@options.colour_option
@options.log_option
def command(
    stack: Path,
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    models: Path | None,
    as_json: bool,
    colour: bool | None,
) -> Status:
    """
    List every live cache of the project, whoever made it.

    Needs an API key, but neither manifest nor state. Where a manifest names several
    projects, those that its caches use are listed. Caches that ctxprov labelled are
    grouped by stack; where a manifest is at hand, its strays are marked. Changes nothing.

    \b
    Examples:
      ctxprov list
      ctxprov list --json
      ctxprov list examples/support-bot --emulator
    """
    manifest = _manifest(stack, environment)
    now = clock.now()
    seen = asyncio.run(_list(_projects(stack, manifest, emulator=emulator)))
    known = _known(manifest, address, emulator=emulator) if manifest else {}
    prices = load_catalog(models).find
    caches = [
        Listed(live=live, display_name=one.display_name, rent=rent(live, prices, at=now))
        for provider, one in seen
        for live in (LiveCache.of(provider, one),)
    ]
    if as_json:
        text = list_json(caches, known=known, now=now)
    else:
        text = list_text(
            caches,
            known=known,
            now=now,
            width=terminal.width(),
            colour=terminal.wants_colour(colour),
        )
    click.echo(text, nl=False, color=True)
    return Status.OK


def _manifest(stack: Path, environment: str | None) -> Manifest | None:
    """The manifest, if there is a sound one: a list must come also when there is none."""
    try:
        return load_manifest(stack, environment=environment)
    except CtxprovError:
        if environment and environments_of(stack):
            raise
        return None


def _projects(
    stack: Path, manifest: Manifest | None, *, emulator: bool
) -> Mapping[str, tuple[Path | None, str | None]]:
    """For each provider, the emulator's store and the variable of the key."""
    keys = manifest.providers if manifest else {"gemini": None}
    entries = manifest.caches.values() if manifest else ()
    used = keys.keys() & {entry.provider for entry in entries} or {"gemini"}
    store = store_of(stack, manifest) if emulator else None
    return {name: (project_in(store, name), keys[name]) for name in sorted(used)}


async def _list(
    projects: Mapping[str, tuple[Path | None, str | None]],
) -> Sequence[tuple[str, CachedContext]]:
    async with Reach() as reach:
        return [
            (provider, one)
            for provider, (store, key_env) in projects.items()
            for one in await reach.listed(await reach.client(store, key_env))
        ]


def _known(
    manifest: Manifest, address: str | None, *, emulator: bool
) -> Mapping[str, Collection[str]]:
    try:
        home = place_of(manifest, address=address, emulator=emulator).home
        state = read_state(home, stack=manifest.stack)
    except StateError:
        return {}
    if state == State(stack=manifest.stack):
        return {}
    ids = {record.id for record in state.caches.values() if isinstance(record, RecordedCache)}
    return {manifest.stack: ids | set(state.retiring)}
