"""
Every cache that a key may see, page by page.

Decides how far a list is followed: a server that lists in a circle, or for ever, is not
believed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec import Struct

from provisioner.cache import CachedContext
from provisioner.errors import ParseError
from provisioner.providers.gemini import wire
from provisioner.providers.gemini.governor import Verb
from provisioner.providers.gemini.transport import Answer, Line, Request

MOST_PAGES: Final = 1_000
"""A million caches: more than a project has."""

_PAGE_SIZE: Final = "1000"
_log: Final = logging.getLogger("provisioner.gemini")


class Drained(Struct, frozen=True, kw_only=True):
    """All pages of a list."""

    caches: list[CachedContext]
    skipped: tuple[wire.Unreadable, ...]
    at: datetime | None
    """The server's clock at the last page, if it showed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    line: Line
    patience: float
    """Seconds that a page may take."""

    async def drain(self) -> Drained:
        """Read every page.  Raises CacheError."""
        caches: dict[str, CachedContext] = {}
        skipped: list[wire.Unreadable] = []
        tokens = {""}
        token = ""
        for _ in range(MOST_PAGES):
            page, at = await self.line.ask(self._page(token), _read)
            caches.update((cache.handle.cache_name, cache) for cache in page.caches)
            skipped += page.skipped
            token = page.next_token
            if not token:
                self._warn(skipped)
                return Drained(caches=[*caches.values()], skipped=tuple(skipped), at=at)
            if token in tokens:
                raise ParseError(f"{self._endpoint} lists its caches in a circle")
            tokens.add(token)
        raise ParseError(
            f"{self._endpoint} lists its caches without an end: there is another page after"
            f" {MOST_PAGES:,} with {len(caches):,} caches"
        )

    @property
    def _endpoint(self) -> str:
        return self.line.account.endpoint

    def _warn(self, skipped: list[wire.Unreadable]) -> None:
        if skipped:
            _log.warning(
                "%s lists %s that cannot be read and are left out: %s",
                self._endpoint,
                "one cache" if len(skipped) == 1 else f"{len(skipped):,} caches",
                skipped[0].why,
            )

    def _page(self, token: str) -> Request:
        onward = {"pageToken": token} if token else {}
        return Request(
            verb=Verb.LIST,
            method="GET",
            path="cachedContents",
            query={"pageSize": _PAGE_SIZE, **onward},
            patience=self.patience,
        )


def _read(answer: Answer) -> tuple[wire.Page, datetime | None]:
    return wire.read_page(answer.json), answer.at
