"""
Lost answers: which of the listed caches our unanswered create has made.

Decides by the whole label.  A label that ends in letters of one create's own is proof by
itself; of one that several creates may share, age and acquaintance decide as well.  The
model that a server reports is never asked.  Pure: the caller says what is listed and when.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from string import ascii_lowercase
from typing import Final

from msgspec import Struct, field

from provisioner.cache import CachedContext

_SKEW: Final = timedelta(seconds=30)
"""How far the server's clocks may lie apart from each other and from ours."""

_LETTERS: Final = re.compile(r".*~[A-Za-z]{4}", re.ASCII | re.DOTALL)


def label_of_its_own() -> str:
    """A label for one create of the library; by its grammar it is no stack's."""
    letters = "".join(secrets.choice(ascii_lowercase) for _ in range(4))
    return f"library:{secrets.token_hex(8)}~{letters}"


def is_of_one_create(label: str) -> bool:
    """Whether *label* ends in the letters that one create gives to itself alone."""
    return bool(_LETTERS.fullmatch(label))


class CacheIndex(Struct):
    """The caches that one client has met, and those that its creates have answered for."""

    _met: dict[str, int] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._met)

    def meet(self, cache: CachedContext) -> CachedContext:
        self._met.setdefault(cache.handle.cache_name, len(self._met))
        return cache

    def claim(self, cache: CachedContext) -> CachedContext:
        """Record that one create of this client answers for *cache*."""
        self._made.add(cache.handle.cache_name)
        return self.meet(cache)

    def may_be_new(self, name: str, since: int) -> bool:
        """Whether it was not met among the first *since*, and is not claimed."""
        return name not in self._made and self._met.get(name, since) >= since


class Sent(Struct, frozen=True, kw_only=True):
    """A create on its way: what its cache will be recognised by."""

    label: str
    known: Collection[str]
    """Names that were there before."""
    at: datetime
    """By the clock of the client."""
    met: int
    """How many caches the client had met by then."""

    def found_in(
        self,
        caches: Iterable[CachedContext],
        acquaintances: CacheIndex,
        *,
        now: datetime,
        server_now: datetime,
    ) -> CachedContext | None:
        """The newest cache that can only be of our making, if there is one."""
        ours = [
            cache
            for cache in caches
            if cache.display_name == self.label
            and cache.handle.cache_name not in self.known
            and acquaintances.may_be_new(cache.handle.cache_name, self.met)
            and (is_of_one_create(self.label) or self._is_recent(cache, now, server_now))
        ]
        return max(ours, key=lambda cache: cache.created_at, default=None)

    def _is_recent(self, cache: CachedContext, now: datetime, server_now: datetime) -> bool:
        earliest = server_now - (now - self.at) - _SKEW
        return cache.created_at >= earliest and not cache.is_expired(server_now)


def living_under(label: str, caches: Iterable[CachedContext]) -> CachedContext | None:
    """The listed cache of exactly this *label* that lives longest, if there is one."""
    ours = [cache for cache in caches if cache.display_name == label]
    return max(ours, key=lambda cache: cache.expires_at, default=None)
