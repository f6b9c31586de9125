"""
What applying a change would ask of its provider: it is applied to one that only records calls.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta

from provisioner.applier.steps import ProviderCalls, perform
from provisioner.cache import CacheContent, CachedContext, GeminiHandle
from provisioner.model.attributes import Life, Ttl, Until
from provisioner.model.changes import Change
from provisioner.model.facts import Call
from provisioner.model.plan import Plan


async def dry_run(change: Change, *, at: datetime) -> tuple[Call, ...]:
    """The calls that *change*, planned for the moment *at*, would make if all of them succeed."""
    recorder = _CallRecorder(at)
    calls = ProviderCalls(
        plan=Plan(stack="", at=at, changes=(change,), edits=frozenset()),
        caches=defaultdict(lambda: recorder),
        read=lambda _: CacheContent(),
        listed=(),
        letters=str,
    )
    async for _ in perform(change, calls):
        pass
    return tuple(recorder.calls)


class _CallRecorder:
    """A provider that accepts every call, records it and does nothing."""

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.calls: list[Call] = []

    async def create(
        self,
        content: CacheContent,
        *,
        model: str,
        label: str,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        known: Collection[str] = (),
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> CachedContext:
        del content, known, before
        life = _life(ttl, expires_at)
        self.calls.append(Call(method="POST", path="cachedContents", life=life))
        return self._granted("cachedContents/new", life, model=model, label=label)

    async def extend(
        self,
        handle: GeminiHandle,
        *,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
    ) -> CachedContext:
        life = _life(ttl, expires_at)
        self.calls.append(Call(method="PATCH", path=handle.cache_name, life=life))
        return self._granted(handle.cache_name, life, model="", label="")

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None:
        raise AssertionError(f"{handle.cache_name} was extended")

    async def delete_cache(self, handle: GeminiHandle) -> None:
        self.calls.append(Call(method="DELETE", path=handle.cache_name))

    def _granted(self, name: str, life: Life, *, model: str, label: str) -> CachedContext:
        end = life.end(self.at)
        return CachedContext(
            handle=GeminiHandle(name, end),
            created_at=self.at,
            updated_at=self.at,
            expires_at=end,
            token_count=0,
            model=model,
            display_name=label,
        )


def _life(ttl: timedelta | None, expires_at: datetime | None) -> Life:
    if expires_at is not None:
        return Until(expires_at)
    return Ttl(ttl or timedelta())
