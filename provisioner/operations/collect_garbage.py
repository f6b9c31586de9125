"""What carries our label in a project, though no state knows its stack: found, and deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta

from msgspec import Struct

from provisioner.cache import CachedContext, GeminiHandle
from provisioner.errors import Refused, StateError, StateTaken
from provisioner.model.records import LiveCache
from provisioner.operations.label_owners import Owners, locked, owners_of
from provisioner.operations.observe import ahead_of
from provisioner.operations.ports import Misuse
from provisioner.operations.session import Session
from provisioner.pricing.costs import upkeep
from provisioner.pricing.rates import Lookup
from provisioner.providers.gemini import GeminiContextCache
from provisioner.render.listing import Listed
from provisioner.state import state_name
from provisioner.storage import Backend


class GcRequest(Struct, frozen=True, kw_only=True):
    """Where states are, and what is to be deleted of that which none of them knows."""

    backends: tuple[Backend, ...]
    ids: frozenset[str]
    stacks: frozenset[str]
    key_env: str | None
    lock_timeout: timedelta
    prices: Lookup


class Garbage(Struct, frozen=True, kw_only=True):
    """Live caches whose stack has no state, those that are to be deleted, and what is unclear."""

    client: GeminiContextCache
    now: datetime
    """By the provider's clock."""
    ownerless: Sequence[Listed]
    chosen: Sequence[Listed]
    owners: Owners


async def find_garbage(session: Session, request: GcRequest) -> Garbage:
    """
    Find the live caches whose stack has no state.

    Raises StateError, Refused or Misuse if the request names anything else.
    """
    client = await session.clients.client(None, request.key_env)
    listed = await session.clients.listed(client)
    now = session.ports.now() + ahead_of(session, client, listed)
    shown = [(one, LiveCache.of("gemini", one)) for one in listed]
    stacks = _stacks(live for _, live in shown)
    owners = await owners_of(session.ports, stacks, request.backends)
    ownerless = [
        _listed(one, live, request.prices, now) for one, live in shown if owners.lacks(live)
    ]
    chosen = _chosen(ownerless, owners, request)
    return Garbage(client=client, now=now, ownerless=ownerless, chosen=chosen, owners=owners)


def _listed(one: CachedContext, live: LiveCache, prices: Lookup, now: datetime) -> Listed:
    return Listed(live=live, display_name=one.display_name, rent=upkeep(live, prices, at=now))


def _stacks(caches: Iterable[LiveCache]) -> frozenset[str]:
    return frozenset(cache.label.stack for cache in caches if cache.label)


def _chosen(ownerless: Sequence[Listed], owners: Owners, request: GcRequest) -> Sequence[Listed]:
    """What is named of what has no owner.  Raises if a name means anything else."""
    for stack in sorted(request.stacks):
        if stack in owners.unclear:
            raise StateError(f"{stack} is not deleted: {owners.unclear[stack]}")
        if stack in owners.stacks:
            raise Refused(f"{stack} has a state: ctxprov destroy --stack {stack} ends it.")
    names = {one.stack for one in ownerless} | {one.live.id for one in ownerless}
    if unknown := sorted((request.stacks | request.ids) - names):
        raise Misuse(
            f"nothing without a state is called {', '.join(unknown)}; ctxprov gc without names "
            "lists what there is."
        )
    return [one for one in ownerless if one.stack in request.stacks or one.live.id in request.ids]


async def delete_garbage(session: Session, request: GcRequest, garbage: Garbage) -> Sequence[str]:
    """Delete what still has no owner, while no run can make itself one; return the ids."""
    chosen = [one.live for one in garbage.chosen]
    stacks = _stacks(chosen)
    async with AsyncExitStack() as stack:
        holds = [
            await stack.enter_async_context(
                locked(session.ports, backend, name, timeout=request.lock_timeout)
            )
            for backend in request.backends
            for name in map(state_name, sorted(stacks))
        ]

        def renew() -> bool:
            return all(hold.renew() for hold in holds)

        session.clients.look_again()
        client = garbage.client
        alive = {one.handle.cache_name for one in await session.clients.listed(client)}
        owners = await owners_of(session.ports, stacks, request.backends, held=stacks)
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
