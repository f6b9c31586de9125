"""`ctxprov list`: every live cache of the projects, with or without our label."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from msgspec import Struct

from provisioner.cache import CachedContext
from provisioner.catalog import load_catalog
from provisioner.cli import clock, console, terminal
from provisioner.cli.clients import Clients
from provisioner.cli.messages import tell, tell_error
from provisioner.cli.observe import ahead_of, is_open
from provisioner.cli.options import expanded
from provisioner.cli.status import Status, first_of
from provisioner.cli.target import address_of, location_of, project_in, store_of
from provisioner.errors import CtxprovError, StackMoved, StateError
from provisioner.escape import json_text
from provisioner.manifest.stack import environments_of, load_manifest
from provisioner.manifest.types import Manifest
from provisioner.model.attributes import Label
from provisioner.model.facts import State
from provisioner.model.records import LiveCache, RecordedCache
from provisioner.pricing.costs import upkeep
from provisioner.render.listing import Listed, list_document, list_text
from provisioner.state import read_state


class _Way(Struct, frozen=True, kw_only=True):
    """A name for a project, and the way there: the emulator's store, the key's variable."""

    provider: str
    store: Path | None
    key_env: str | None


def list_caches(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    models: Path | None,
    as_json: bool,
    colour: bool | None,
) -> Status:
    """List every live cache of the project, with or without our label."""
    folders: list[tuple[Path, Sequence[Manifest]]] = []
    failures: list[CtxprovError] = []
    for stack in expanded(stacks):
        try:
            folders.append((stack, _manifests(stack, environment)))
        except CtxprovError as error:
            failures.append(error)
    seen, unasked, ahead = asyncio.run(_list(_ways(folders, emulator=emulator)))
    now = clock.now() + ahead
    failures += unasked
    status = first_of(*map(tell_error, failures))
    if failures and not seen:
        return status
    recorded = _recorded(
        (one for _, manifests in folders for one in manifests), address, emulator=emulator
    )
    undeclared = _undeclared(folders, {live for _, listed in seen for live in _stacks(listed)})
    prices = load_catalog(models).find
    caches = [
        Listed(live=live, display_name=one.display_name, rent=upkeep(live, prices, at=now))
        for provider, listed in seen
        for one in listed
        for live in (LiveCache.of(provider, one),)
    ]
    if as_json:
        text = json_text(list_document(caches, recorded=recorded, undeclared=undeclared, now=now))
        console.document(text, form="json")
    else:
        text = list_text(
            caches,
            recorded=recorded,
            undeclared=undeclared,
            now=now,
            width=terminal.width(),
            colour=terminal.wants_colour(colour),
        )
        console.show(text)
    for name, frame in undeclared.items():
        tell(_ending(name, address_of(frame, address), emulator=emulator))
    return status


def _manifests(stack: Path, environment: str | None) -> Sequence[Manifest]:
    """A manifest for each environment; none if it is not sound: a list must come even so."""
    environments = environments_of(stack)
    chosen = (environment,) if environment and environments else environments or (None,)
    try:
        return [load_manifest(stack, environment=one) for one in chosen]
    except CtxprovError:
        if environment and environments:
            raise
        return []


def _ways(folders: Iterable[tuple[Path, Sequence[Manifest]]], *, emulator: bool) -> Iterable[_Way]:
    """The ways to all projects that these stacks declare, as far as their keys are at hand."""
    ways: dict[_Way, None] = {}
    for stack, manifests in folders:
        for one in manifests or (None,):
            keys = one.providers if one else {"gemini": None}
            used = (one.used if one else None) or {"gemini"}
            store = store_of(stack, one) if emulator else None
            others = (name for name in keys.keys() - used if is_open(keys[name], name, store))
            for name in sorted({*used, *others}):
                way = _Way(provider=name, store=project_in(store, name), key_env=keys[name])
                ways[way] = None
    return ways


async def _list(
    ways: Iterable[_Way],
) -> tuple[Sequence[tuple[str, Sequence[CachedContext]]], Sequence[CtxprovError], timedelta]:
    """
    What each project has, once, by any of its names; and why others could not be asked.

    Also how far the foremost of their clocks is ahead of the local one.
    """
    seen: dict[tuple[Path | None, str], tuple[str, Sequence[CachedContext]]] = {}
    failures: list[CtxprovError] = []
    ahead: list[timedelta] = []
    async with Clients() as clients:
        for way in ways:
            try:
                client = await clients.client(way.store, way.key_env)
                project = way.store, client.key_fingerprint
                if project not in seen:
                    seen[project] = way.provider, await clients.listed(client)
                    ahead.append(ahead_of(clients, client, seen[project][1]))
            except CtxprovError as error:
                failures.append(error)
    return list(seen.values()), failures, max(ahead, default=timedelta())


def _stacks(listed: Iterable[CachedContext]) -> Iterable[str]:
    labels = (Label.parse(one.display_name) for one in listed)
    return (label.stack for label in labels if label)


def _undeclared(
    folders: Iterable[tuple[Path, Sequence[Manifest]]], alive: Collection[str]
) -> Mapping[str, Manifest]:
    """
    Stacks with live caches that a manifest at hand named once and names no more.

    Only its environments count; a stack of another name may be another repository's.
    """
    gone: dict[str, Manifest] = {}
    for path, manifests in folders:
        if not manifests:
            continue
        base = manifests[0].stack.partition(".")[0]
        names = {f"{base}.{one}" for one in environments_of(path)} or {base}
        for stack in sorted(alive):
            if stack.partition(".")[0] == base and stack not in names:
                gone[stack] = manifests[0]
    return gone


def _ending(stack: str, address: str, *, emulator: bool) -> str:
    command = ["ctxprov", "destroy", "--stack", stack, "--state", address]
    return (
        f"{stack} has live caches and is declared no longer. What is on record of it ends with: "
        f"{shlex.join([*command, *(['--emulator'] if emulator else [])])}"
    )


def _recorded(
    manifests: Iterable[Manifest], address: str | None, *, emulator: bool
) -> Mapping[str, Collection[str]]:
    """The ids on record, by stack, of those that have a record."""
    recorded: dict[str, Collection[str]] = {}
    for manifest in manifests:
        try:
            backend = location_of(manifest, address=address, emulator=emulator).backend
            state = read_state(backend, stack=manifest.stack)
        except (StateError, StackMoved) as error:
            tell(f"warning: strays of {manifest.stack} are not marked: {error}")
            continue
        if state != State(stack=manifest.stack):
            records = state.caches.values()
            ids = {record.id for record in records if isinstance(record, RecordedCache)}
            recorded[manifest.stack] = {*ids, *state.retiring, *state.given}
    return recorded
