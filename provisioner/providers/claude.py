"""
Anthropic Claude: a cache is a marker in the request.

Decides which `cache_control` gives a life of at least some length.  Sends nothing: a
cache is written when a request that carries the marker reaches the provider.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, Literal

from provisioner.cache import CacheContent, CacheHandle, ClaudeHandle
from provisioner.providers.annotations import AnnotationCache, at_least

TTLS: Final[tuple[timedelta, ...]] = (timedelta(minutes=5), timedelta(hours=1))
"""The lives on offer; the first is the provider's default."""

_SPELLING: Final[dict[timedelta, Literal["5m", "1h"]]] = {TTLS[0]: "5m", TTLS[1]: "1h"}


def handle_of(ttl: timedelta) -> ClaudeHandle:
    """
    The marker for a life of *ttl*, rounded up to one on offer.

    Raises InvalidCacheConfiguration above an hour.
    """
    life = at_least(ttl, TTLS, "claude")
    return ClaudeHandle({"type": "ephemeral", "ttl": _SPELLING[life]})


class ClaudeContextCache(AnnotationCache):
    """Claude behind the four verbs.  No I/O, no key."""

    provider = "claude"

    async def create_cache(
        self,
        content: str | CacheContent,
        ttl: timedelta,
    ) -> ClaudeHandle:
        """Compute the marker to put on the last block of *content*; it is the same for any."""
        CacheContent.of(content)
        return handle_of(ttl)

    def owns(self, handle: CacheHandle) -> bool:
        return isinstance(handle, ClaudeHandle)
