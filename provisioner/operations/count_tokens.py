"""
Counts of tokens that the provider gave, remembered by digest.

They stand in a small file beside the state, which is only a memory: where it is missing,
malformed or cannot be kept, there are estimates again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import orjson
from msgspec.structs import replace

from provisioner.cache import CacheContent, Json
from provisioner.errors import CacheError, StateError
from provisioner.model.facts import State
from provisioner.model.records import Desired, DesiredCache
from provisioner.providers.gemini import GeminiContextCache
from provisioner.storage import Backend, StoredFile

_AT_ONCE = 8
_IMPLAUSIBLE = 10
"""A count so many times below the estimate is a server's mistake."""


def remembered(backend: Backend, stack: str) -> dict[str, int]:
    """Counts by digest."""
    file = _stored(backend, stack)
    try:
        document: Json = orjson.loads(file.content) if file else None
    except ValueError:
        return {}
    if not isinstance(document, Mapping):
        return {}
    return {digest: n for digest, n in document.items() if type(n) is int and n >= 0}


def remember(backend: Backend, stack: str, counts: Mapping[str, int]) -> None:
    """Write *counts* down, if they are new and the backend takes them."""
    content = orjson.dumps(counts, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    file = _stored(backend, stack)
    if backend.keeps_history or (file and file.content == content):
        return
    with suppress(StateError):
        backend.write(_name(stack), content, expected=file.version if file else None)


def _stored(backend: Backend, stack: str) -> StoredFile | None:
    if backend.keeps_history:
        return None
    with suppress(StateError):
        return backend.read(_name(stack))
    return None


def _name(stack: str) -> str:
    return f"{stack}.history/tokens.json"


def with_counts(desired: Iterable[Desired], counts: Mapping[str, int]) -> tuple[Desired, ...]:
    """*desired* with counts in place of estimates, as far as they are known."""
    return tuple(
        replace(want, measure=replace(want.measure, tokens=counts[want.digest], counted=True))
        if want.digest in counts
        else want
        for want in desired
    )


def uncounted(
    desired: Iterable[Desired], state: State, counts: Mapping[str, int]
) -> tuple[DesiredCache, ...]:
    """The caches whose content no provider ever counted."""
    recorded = {record.digest for record in state.live_records}
    return tuple(
        want
        for want in desired
        if isinstance(want, DesiredCache) and want.digest not in {*counts, *recorded}
    )


async def count(
    wants: Iterable[DesiredCache],
    clients: Mapping[str, GeminiContextCache],
    read: Callable[[DesiredCache], CacheContent],
    doubt: Callable[[DesiredCache, int], None],
) -> dict[str, int]:
    """
    Let the provider count exactly what a create would send, a few at a time.

    A count far below the estimate is not taken, and goes to *doubt*.  Raises CacheError
    with the name of the cache that cannot be counted.
    """
    queue = iter(wants)
    counts: dict[str, int] = {}

    async def serve() -> None:
        for want in queue:
            tokens = await _ask(clients[want.provider], want, read(want))
            if tokens * _IMPLAUSIBLE < want.measure.tokens:
                doubt(want, tokens)
            else:
                counts[want.digest] = tokens

    await asyncio.gather(*(serve() for _ in range(_AT_ONCE)))
    return counts


async def _ask(client: GeminiContextCache, want: DesiredCache, content: CacheContent) -> int:
    try:
        return await client.count_tokens(content, model=want.model)
    except CacheError as error:
        raise CacheError(
            f"The tokens of {want.name} cannot be counted: {error}",
            status=error.status,
            words=error.words,
            retryable=error.retryable,
        ) from error
