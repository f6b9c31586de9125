"""
What Claude and OpenAI have in common: caches that no request can ask for.

Their entries are request fragments.  Computing one is arithmetic on the TTLs that a
provider offers, which it decides; getting one back is impossible; refreshing and deleting
happen by themselves.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self

from provisioner.arguments import check_span
from provisioner.cache import CachedContext, CacheHandle
from provisioner.errors import InvalidCacheConfiguration, ProviderNotSupported, name_of
from provisioner.times import duration_text


class AnnotationCache(ABC):
    """The verbs of a provider without cache objects: all of them but `create_cache`."""

    provider: str

    @abstractmethod
    def owns(self, handle: CacheHandle) -> bool:
        """Whether *handle* belongs to this provider."""

    async def get_cache(self, handle: CacheHandle) -> CachedContext | None:
        """Raise ProviderNotSupported: there is no cache that could be asked for."""
        self._check(handle)
        raise ProviderNotSupported(self.provider)

    async def refresh_cache(
        self,
        handle: CacheHandle,
        ttl: timedelta | None = None,
    ) -> None:
        """Do nothing: each request that reads a cache refreshes it."""
        self._check(handle)
        if ttl is not None:
            check_span("ttl", ttl)

    async def delete_cache(self, handle: CacheHandle) -> None:
        """Do nothing: a cache that no request reads runs out."""
        self._check(handle)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def _check(self, handle: CacheHandle) -> None:
        if not self.owns(handle):
            raise InvalidCacheConfiguration(f"{name_of(handle)} does not belong to {self.provider}")


def at_least(ttl: timedelta, offered: Iterable[timedelta], whose: str) -> timedelta:
    """
    The shortest of the *offered* lives that is no shorter than *ttl*.

    Raises InvalidCacheConfiguration if there is none, or if *ttl* is not a life at all.
    """
    check_span("ttl", ttl)
    if ttl <= timedelta():
        raise InvalidCacheConfiguration(f"a cache has to live for a while, not for {ttl}")
    lives = sorted(offered)
    for life in lives:
        if ttl <= life:
            return life
    longest = duration_text(lives[-1])
    raise InvalidCacheConfiguration(f"{whose} keeps a cache for {longest} at most, not for {ttl}")
