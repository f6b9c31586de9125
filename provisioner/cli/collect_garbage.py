"""`ctxprov gc`: what carries our label in a project, though no state knows its stack."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

import click
from msgspec import Struct

from provisioner.cache import CachedContext, GeminiHandle
from provisioner.catalog import load_catalog
from provisioner.cli import clock, console, terminal
from provisioner.cli.clients import Clients
from provisioner.cli.label_owners import Owners, locked, owners_of
from provisioner.cli.messages import tell
from provisioner.cli.observe import ahead_of
from provisioner.cli.stack_names import check_stack
from provisioner.cli.status import Status
from provisioner.cli.target import backend_at
from provisioner.environment import process_environment
from provisioner.errors import Refused, StateError, StateTaken
from provisioner.escape import json_text, plain
from provisioner.model.records import LiveCache
from provisioner.pricing.costs import upkeep
from provisioner.pricing.rates import Lookup
from provisioner.providers.gemini import GeminiContextCache
from provisioner.render.listing import Listed, list_document, list_text
from provisioner.state import state_name
from provisioner.storage import Backend


class _GcRequest(Struct, frozen=True, kw_only=True):
    """What the command line asks of a collection."""

    backends: tuple[Backend, ...]
    ids: frozenset[str]
    stacks: frozenset[str]
    auto_approve: bool
    lock_timeout: timedelta
    prices: Lookup
    as_json: bool
    colour: bool


def collect_garbage(
    ids: tuple[str, ...],
    *,
    addresses: tuple[str, ...],
    stacks: tuple[str, ...],
    key_env: str | None,
    auto_approve: bool,
    lock_timeout: timedelta,
    models: Path | None,
    as_json: bool,
    colour: bool | None,
) -> Status:
    """List live caches whose label names a stack without a state, and delete chosen ones."""
    for stack in stacks:
        check_stack(stack)
    usual = process_environment().get("CTXPROV_STATE")
    places = addresses or ((usual,) if usual else ())
    if not places:
        raise click.UsageError("gc needs every place of states: give --state ADDRESS for each.")
    asked = _GcRequest(
        backends=tuple(map(backend_at, places)),
        ids=frozenset(ids),
        stacks=frozenset(stacks),
        auto_approve=auto_approve,
        lock_timeout=lock_timeout,
        prices=load_catalog(models).find,
        as_json=as_json,
        colour=terminal.wants_colour(colour),
    )
    return asyncio.run(_collect(asked, key_env))


async def _collect(asked: _GcRequest, key_env: str | None) -> Status:
    async with Clients() as clients:
        client = await clients.client(None, key_env)
        listed = await clients.listed(client)
        now = clock.now() + ahead_of(clients, client, listed)
        ownerless, owners = await _ownerless(listed, asked, now)
        chosen = _chosen(ownerless, owners, asked)
        if not asked.as_json:
            _show(chosen or ownerless, asked, now)
        deleted: Sequence[str] = ()
        if chosen:
            await _ask(len(chosen), asked)
            deleted = await _delete(clients, client, [one.live for one in chosen], asked)
    _report(ownerless, owners, deleted, asked, now)
    return Status.FAILED if owners.unclear else Status.OK


async def _ownerless(
    listed: Iterable[CachedContext], asked: _GcRequest, now: datetime
) -> tuple[Sequence[Listed], Owners]:
    """The live caches whose stack has no state, and what the states tell."""
    seen = [(one, LiveCache.of("gemini", one)) for one in listed]
    owners = await owners_of(_stacks(live for _, live in seen), asked.backends)
    return [
        Listed(
            live=live,
            display_name=one.display_name,
            rent=upkeep(live, asked.prices, at=now),
        )
        for one, live in seen
        if owners.lacks(live)
    ], owners


def _stacks(caches: Iterable[LiveCache]) -> frozenset[str]:
    return frozenset(cache.label.stack for cache in caches if cache.label)


def _chosen(ownerless: Sequence[Listed], owners: Owners, asked: _GcRequest) -> Sequence[Listed]:
    """What is named of what has no owner.  Raises if a name means anything else."""
    for stack in sorted(asked.stacks):
        if stack in owners.unclear:
            raise StateError(f"{stack} is not deleted: {owners.unclear[stack]}")
        if stack in owners.stacks:
            raise Refused(f"{stack} has a state: ctxprov destroy --stack {stack} ends it.")
    names = {one.stack for one in ownerless} | {one.live.id for one in ownerless}
    if unknown := sorted((asked.stacks | asked.ids) - names):
        raise click.UsageError(
            f"nothing without a state is called {', '.join(unknown)}; ctxprov gc without names "
            "lists what there is."
        )
    return [one for one in ownerless if one.stack in asked.stacks or one.live.id in asked.ids]


async def _ask(count: int, asked: _GcRequest) -> None:
    if asked.auto_approve:
        return
    if asked.as_json or not terminal.is_interactive():
        raise Refused(
            "gc needs an approval, and there is no terminal to ask on: read the list above and add "
            "--auto-approve. Nothing was changed."
        )
    if not await terminal.confirm(f"Delete {count} cache{'s' * (count != 1)} for good?"):
        raise Refused("Declined; nothing was changed.")


async def _delete(
    clients: Clients,
    client: GeminiContextCache,
    chosen: Sequence[LiveCache],
    asked: _GcRequest,
) -> Sequence[str]:
    """Delete what still has no owner, while no run can make itself one."""
    stacks = _stacks(chosen)
    async with AsyncExitStack() as stack:
        holds = [
            await stack.enter_async_context(locked(backend, name, timeout=asked.lock_timeout))
            for backend in asked.backends
            for name in map(state_name, sorted(stacks))
        ]

        def renew() -> bool:
            return all(hold.renew() for hold in holds)

        clients.look_again()
        alive = {one.handle.cache_name for one in await clients.listed(client)}
        owners = await owners_of(stacks, asked.backends, held=stacks)
        gone = [cache for cache in chosen if cache.id in alive and owners.lacks(cache)]
        await delete_each(gone, client.delete_cache, lambda: asyncio.to_thread(renew))
    return [cache.id for cache in gone]


async def delete_each(
    caches: Sequence[LiveCache],
    delete: Callable[[GeminiHandle], Awaitable[None]],
    renew: Callable[[], Awaitable[bool]],
) -> None:
    """
    Delete *caches* one after the other, each right after *renew* said that the locks are held.

    Raises StateTaken once they are not, for a run may have made one of the rest its own.
    """
    for number, cache in enumerate(caches):
        if not await renew():
            raise StateTaken(
                f"Deleted {number} of {len(caches)} caches: the lock of a state was lost, so a run "
                "may use the others by now. Run ctxprov gc again."
            )
        await delete(cache.handle)


def _show(caches: Sequence[Listed], asked: _GcRequest, now: datetime) -> None:
    if not caches:
        console.say("No live cache of this project carries the label of a stack without a state.")
        return
    text = list_text(
        caches,
        recorded={},
        now=now,
        width=terminal.width(),
        colour=asked.colour,
        ids=True,
    )
    console.show(text)


def _report(
    ownerless: Sequence[Listed],
    owners: Owners,
    deleted: Sequence[str],
    asked: _GcRequest,
    now: datetime,
) -> None:
    """Say what became of it, and name the stacks that stay unclear."""
    for stack, why in sorted(owners.unclear.items()):
        tell(f"Error: whether {stack} has a state is not clear, so its caches stay: {why}")
    if asked.as_json:
        document = list_document(ownerless, recorded={}, now=now)
        document["unreadable"] = dict(owners.unclear)
        document["deleted"] = list(deleted)
        console.document(json_text(document), form="json")
    elif deleted:
        console.say(plain(f"Deleted: {', '.join(deleted)}."))
    elif ownerless and not (asked.stacks or asked.ids):
        console.say("Delete with ctxprov gc and --stack NAME or an ID, beside the same --state.")
