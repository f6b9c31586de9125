"""
Lost answers: which of the listed caches our unanswered create has made.

Decides by label, model and time, and by who was there before.  Pure: it is told what is
listed and what time it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct, field

from provisioner.cache import CachedContext

_SKEW: Final = timedelta(seconds=30)
"""How far the server's clocks may lie apart from each other and from ours."""


class Acquaintances(Struct):
    """The caches that one client has met, and those that its creates have answered for."""

    _met: dict[str, int] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._met)

    def meet(self, cache: CachedContext) -> CachedContext:
        self._met.setdefault(cache.handle.cache_name, len(self._met))
        return cache

    def claim(self, cache: CachedContext) -> CachedContext:
        """Nobody else's create has made this one."""
        self._made.add(cache.handle.cache_name)
        return self.meet(cache)

    def may_be_new(self, name: str, since: int) -> bool:
        """Whether it was not met among the first *since*, and is not claimed."""
        return name not in self._made and self._met.get(name, since) >= since


class Sent(Struct, frozen=True, kw_only=True):
    """A create on its way: what its cache will be recognised by."""

    label: str
    model: str
    known: Collection[str]
    """Names that were there before."""
    at: datetime
    """By the clock of the client."""
    met: int
    """How many caches the client had met by then."""

    def found_in(
        self,
        caches: Iterable[CachedContext],
        acquaintances: Acquaintances,
        *,
        now: datetime,
        server_now: datetime,
    ) -> CachedContext | None:
        """The newest unexpired cache that can only be of our making, if there is one."""
        earliest = server_now - (now - self.at) - _SKEW
        ours = [
            cache
            for cache in caches
            if (cache.display_name, cache.model) == (self.label, self.model)
            and cache.created_at >= earliest
            and not cache.is_expired(server_now)
            and cache.handle.cache_name not in self.known
            and acquaintances.may_be_new(cache.handle.cache_name, self.met)
        ]
        return max(ours, key=lambda cache: cache.created_at, default=None)
