"""
What carries our label in a project, though no state knows its stack: found, and deleted.

A state that cannot be read, or that a run holds, is never taken for an absent one.  A stack that
was renamed owns what its new name has on record, and nothing else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from msgspec import Struct

from provisioner.cache import GeminiHandle
from provisioner.errors import Refused, StateError, StateTaken, StateUnreadable
from provisioner.model.facts import State
from provisioner.model.rates import Lookup
from provisioner.model.records import LiveCache
from provisioner.operations.observe import ahead_of
from provisioner.operations.session import Misuse, Ports, Session
from provisioner.pricing import upkeep
from provisioner.providers.gemini import GeminiContextCache
from provisioner.render.listing import Listed
from provisioner.state import state_name, state_of
from provisioner.storage import Backend, Lock, StoredFile
from provisioner.storage.lock_owner import lock_owner_here


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
    stacks = {live.label.stack for _, live in shown if live.label}
    owners = await owners_of(session.ports, stacks, request.backends)
    ownerless = [
        Listed(
            live=live,
            display_name=one.display_name,
            rent=upkeep(live, request.prices, at=now),
        )
        for one, live in shown
        if owners.lacks(live)
    ]
    chosen = _chosen(ownerless, owners, request)
    return Garbage(client=client, now=now, ownerless=ownerless, chosen=chosen, owners=owners)


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
    stacks = {cache.label.stack for cache in chosen if cache.label}
    async with AsyncExitStack() as stack:
        holds = [
            await stack.enter_async_context(
                locked(session.ports, backend, name, timeout=request.lock_timeout)
            )
            for backend in request.backends
            for name in map(state_name, sorted(stacks))
        ]

        async def renew() -> bool:
            is_held = await session.ports.in_thread(lambda: all(hold.renew() for hold in holds))
            return is_held and not any(hold.is_lost for hold in holds)

        session.clients.look_again()
        client = garbage.client
        alive = {one.handle.cache_name for one in await session.clients.listed(client)}
        owners = await owners_of(session.ports, stacks, request.backends, held=stacks)
        gone = [cache for cache in chosen if cache.id in alive and owners.lacks(cache)]
        await delete_each(gone, client.delete_cache, renew)
    return [cache.id for cache in gone]


class DeleteCache(Protocol):
    """Deletes a cache, after *before* once the quota lets the call out."""

    async def __call__(
        self, handle: GeminiHandle, *, before: Callable[[], Awaitable[None]]
    ) -> None: ...


async def delete_each(
    caches: Sequence[LiveCache],
    delete: DeleteCache,
    renew: Callable[[], Awaitable[bool]],
) -> None:
    """
    Delete *caches* one after the other, each right after *renew* said that the locks are held.

    Raises StateTaken once they are not, for a run may have made one of the rest its own.
    """

    async def before() -> None:
        if not await renew():
            raise StateTaken(
                f"Deleted {number} of {len(caches)} caches: the lock of a state was lost, so a run "
                "may use the others by now. Run ctxprov gc again."
            )

    for number, cache in enumerate(caches):  # noqa: B007  # before names it
        await delete(cache.handle, before=before)


class Owners(Struct, frozen=True, kw_only=True):
    """What the states at the given places say."""

    stacks: frozenset[str]
    """That have a state under this very name."""
    ids: frozenset[str]
    """On record or retiring in any of them, or given by one to a stack elsewhere."""
    unclear: dict[str, str]
    """Stacks that may have a state or not, and why."""

    def lacks(self, cache: LiveCache) -> bool:
        """Whether *cache* carries the label of a stack that has no state, and no other owner."""
        label = cache.label
        return (
            label is not None
            and label.stack not in self.stacks
            and label.stack not in self.unclear
            and cache.id not in self.ids
        )


async def owners_of(
    ports: Ports,
    stacks: Iterable[str],
    backends: Sequence[Backend],
    *,
    held: Collection[str] = (),
) -> Owners:
    """
    Look for the states of *stacks*, and of those that have got something from them.

    Of those that are *held*, this very run has the locks.
    """
    states: list[State] = []
    unclear: dict[str, str] = {}
    waiting, seen = sorted(set(stacks)), set[str]()
    while waiting:
        stack = waiting.pop()
        if stack in seen:
            continue
        seen.add(stack)
        try:
            answers = [
                await _state(ports, backend, stack, is_held=stack in held) for backend in backends
            ]
        except StateError as error:
            unclear[stack] = str(error)
            continue
        there = [state for state in answers if state]
        states += there
        waiting += (
            other for state in there for other in (state.moved_to, *state.given.values()) if other
        )
    return Owners(
        stacks=frozenset(state.stack for state in states if not state.moved_to),
        ids=frozenset(id_ for state in states for id_ in (*state.ids, *state.given)),
        unclear=unclear,
    )


async def _state(ports: Ports, backend: Backend, stack: str, *, is_held: bool) -> State | None:
    """
    The state of *stack* at *backend*; None if it is absent and no run is about to write it.

    Raises StateError if that is not clear.
    """
    name = state_name(stack)
    file = await ports.in_thread(partial(backend.read, name))
    if file is None and not is_held:
        file = await _absence(ports, backend, name)
    if file is None:
        return None
    return state_of(file, where=backend.where(name), stack=stack, moved=True)


async def _absence(ports: Ports, backend: Backend, name: str) -> StoredFile | None:
    """Make sure that *name* is absent: by asking, or where that tells nothing by its lock."""
    try:
        await ports.in_thread(partial(backend.confirm, name))
    except StateUnreadable:
        async with locked(ports, backend, name, timeout=timedelta()):
            return await ports.in_thread(partial(backend.read, name))
    if owner := await ports.in_thread(partial(backend.lock_owner, name)):
        raise StateError(f"{backend.where(name)} is absent, but {owner} holds it.")
    return None


def locked(
    ports: Ports, backend: Backend, name: str, *, timeout: timedelta
) -> AbstractAsyncContextManager[Lock]:
    """Hold the lock of a state that need not be there."""
    who = lock_owner_here("gc", environ=ports.environ, runtime=ports)
    return backend.lock(name, who, timeout=timeout, on_wait=ports.console.waiting())
