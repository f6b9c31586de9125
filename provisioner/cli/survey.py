"""
See what is live: one LIST, then a GET for each recorded, unexpired cache it did not show.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from provisioner.cache import CachedContext, GeminiHandle
from provisioner.cli.gemini import connect
from provisioner.model import Desired, DesiredCache, LiveCache, RecordedCache, Scope, State
from provisioner.providers.gemini import GeminiContextCache
from provisioner.state import admit

GEMINI = "gemini"
_AT_ONCE = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What is live, and the scope it was seen in."""

    live: tuple[LiveCache, ...] = ()
    scope: Scope | None = None


def reach(
    desired: Iterable[Desired], state: State, store: Path | None
) -> AbstractAsyncContextManager[GeminiContextCache | None]:
    """
    The way to Gemini for this stack.

    One that neither declares nor remembers a Gemini cache asks nobody and needs no key.
    """
    recorded = any(isinstance(record, RecordedCache) for record in state.caches.values())
    wanted = any(isinstance(want, DesiredCache) for want in desired)
    return connect(store) if recorded or wanted or state.retiring else nullcontext()


async def look(
    desired: Iterable[Desired],
    state: State,
    store: Path | None,
    *,
    now: datetime,
    accept_scope: bool,
) -> Survey:
    """Survey, for those who only look."""
    async with reach(desired, state, store) as gemini:
        return await survey(gemini, state, now=now, accept_scope=accept_scope)


async def survey(
    gemini: GeminiContextCache | None, state: State, *, now: datetime, accept_scope: bool
) -> Survey:
    """Ask what is live.  Raises `CacheError`, and `ScopeRefused` if it is not our project."""
    if gemini is None:
        return Survey()
    listed = await gemini.list()
    shown = frozenset(seen.handle.cache_name for seen in listed)
    expected = {handle.cache_name: handle for handle in _expected(state, now)}
    scope = admit(
        state.providers.get(GEMINI),
        Scope(endpoint=gemini.endpoint, keys=(gemini.key_fingerprint,)),
        expected=expected,
        shown=shown,
        accept=accept_scope,
    )
    missing = [handle for id_, handle in expected.items() if id_ not in shown]
    found = [*listed, *await _ask(gemini, missing)]
    return Survey(live=tuple(LiveCache.of(GEMINI, seen) for seen in found), scope=scope)


async def _ask(gemini: GeminiContextCache, handles: Iterable[GeminiHandle]) -> list[CachedContext]:
    queue = iter(handles)

    async def serve() -> list[CachedContext | None]:
        return [await gemini.get_cache(handle) for handle in queue]

    answers = await asyncio.gather(*(serve() for _ in range(_AT_ONCE)))
    return [seen for answer in answers for seen in answer if seen is not None]


def _expected(state: State, now: datetime) -> Iterable[GeminiHandle]:
    """Handles of what should be alive by the record."""
    for record in (*state.caches.values(), *state.retiring.values()):
        match record.handle:
            case GeminiHandle(expires_at=datetime() as end) as handle if end > now:
                yield handle
            case _:
                pass
