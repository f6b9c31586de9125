"""Every live cache of the projects, with or without our label."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

from provisioner.cache import CachedContext
from provisioner.catalog import load_catalog
from provisioner.errors import CtxprovError, StackMoved, StateError
from provisioner.manifest import environments_of, load_manifest
from provisioner.manifest.types import Manifest
from provisioner.model.facts import State
from provisioner.model.records import LiveCache
from provisioner.operations.observe import ahead_of, is_open
from provisioner.operations.session import Session
from provisioner.operations.stack_location import address_of, location_of, project_in, store_of
from provisioner.pricing import upkeep
from provisioner.render.listing import Listed
from provisioner.state import read_state


class _Way(Struct, frozen=True, kw_only=True):
    """A name for a project, and the way there: the emulator's store, the key's variable."""

    provider: str
    store: Path | None
    key_env: str | None


class LiveList(Struct, frozen=True, kw_only=True):
    """The live caches of all projects, and what the manifests and states at hand say of them."""

    now: datetime
    """By the clock of the provider that is foremost."""
    caches: Sequence[Listed]
    undeclared: Mapping[str, str]
    """Stacks with live caches that are declared no longer, and the address of their state."""


async def list_caches(
    session: Session, stacks: Iterable[Path]
) -> tuple[LiveList | None, Sequence[CtxprovError]]:
    """What lives in the projects of *stacks*, None if none could be asked; and what failed."""
    folders: list[tuple[Path, Sequence[Manifest]]] = []
    failures: list[CtxprovError] = []
    for stack in stacks:
        try:
            folders.append((stack, _manifests(stack, session.options.environment)))
        except CtxprovError as error:
            failures.append(error)
    seen, unasked, ahead = await _list(session, dict.fromkeys(_ways(session, folders)))
    failures += unasked
    if failures and not seen:
        return None, failures
    now = session.ports.now() + ahead
    prices = load_catalog(session.options.models).find
    shown = [(one, LiveCache.of(provider, one)) for provider, listed in seen for one in listed]
    alive = {live.label.stack for _, live in shown if live.label}
    recorded = _recorded(session, (one for _, manifests in folders for one in manifests))
    address = session.options.address
    gone = _undeclared(folders, alive)
    caches = [
        Listed(
            live=live,
            display_name=one.display_name,
            rent=upkeep(live, prices, at=now),
            stray=_is_stray(live, recorded),
            undeclared=live.label is not None and live.label.stack in gone,
        )
        for one, live in shown
    ]
    return LiveList(
        now=now,
        caches=caches,
        undeclared={name: address_of(manifest, address) for name, manifest in gone.items()},
    ), failures


def _is_stray(live: LiveCache, recorded: Mapping[str, Collection[str]]) -> bool:
    """*recorded* are the ids on record, by stack, of those stacks whose state is at hand."""
    ids = recorded.get(live.label.stack) if live.label else None
    return ids is not None and live.id not in ids


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


def _ways(session: Session, folders: Iterable[tuple[Path, Sequence[Manifest]]]) -> Iterator[_Way]:
    """The ways to all projects that these stacks declare, as far as their keys are at hand."""
    ports = session.ports
    for stack, manifests in folders:
        for one in manifests or (None,):
            keys = one.providers if one else {"gemini": None}
            used = (one.used if one else None) or {"gemini"}
            store = store_of(stack, one) if session.options.emulator else None
            others = (n for n in keys.keys() - used if is_open(keys[n], n, store, ports))
            for name in sorted({*used, *others}):
                yield _Way(provider=name, store=project_in(store, name), key_env=keys[name])


async def _list(
    session: Session, ways: Iterable[_Way]
) -> tuple[Sequence[tuple[str, Sequence[CachedContext]]], Sequence[CtxprovError], timedelta]:
    """
    What each project has, once, by any of its names; and why others could not be asked.

    Also how far the foremost of their clocks is ahead of the local one.
    """
    seen: dict[tuple[Path | None, str], tuple[str, Sequence[CachedContext]]] = {}
    failures: list[CtxprovError] = []
    ahead: list[timedelta] = []
    for way in ways:
        try:
            client = await session.clients.client(way.store, way.key_env)
            project = way.store, client.key_fingerprint
            if project not in seen:
                seen[project] = way.provider, await session.clients.listed(client)
                ahead.append(ahead_of(session, client, seen[project][1]))
        except CtxprovError as error:
            failures.append(error)
    return list(seen.values()), failures, max(ahead, default=timedelta())


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


def _recorded(session: Session, manifests: Iterable[Manifest]) -> Mapping[str, Collection[str]]:
    """The ids on record, by stack, of those that have a record."""
    recorded: dict[str, Collection[str]] = {}
    for manifest in manifests:
        try:
            backend = location_of(session, manifest).backend
            state = read_state(backend, stack=manifest.stack)
        except (StateError, StackMoved) as error:
            warning = f"strays of {manifest.stack} are not marked: {error}"
            session.ports.console.warn(warning)
            continue
        if state != State(stack=manifest.stack):
            recorded[manifest.stack] = {*state.ids, *state.given}
    return recorded
