"""
Gemini's explicit context caches behind the four verbs.

Decides when a create may be sent again: never blindly, because the server makes a second
cache of a second request.  An answer that was lost is looked for by its label first.
Spelling, refusals and the wire have rooms of their own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Literal, Self, TypeAlias

import httpx

from provisioner.cache import CacheContent, CachedContext, CacheHandle, GeminiHandle
from provisioner.environment import process_environment
from provisioner.errors import CacheError, CacheExpired, CacheNotFound, NetworkError, ParseError
from provisioner.providers.gemini import wire
from provisioner.providers.gemini.account import Account
from provisioner.providers.gemini.line import Answer, Failed, Line, Request
from provisioner.providers.gemini.lost import Acquaintances, Sent
from provisioner.providers.gemini.refusals import Gone, of_creation

DEFAULT_MODEL: Final = "gemini-3.8-flash"

_COLLECTION: Final = "cachedContents"
_PAGE: Final = "1000"
_TOLERANCE: Final = timedelta(seconds=2)

Caches: TypeAlias = list[CachedContext]


def _wall_clock() -> datetime:
    """A library has no command line to be told the time by; ours passes its own clock."""
    return datetime.now(UTC)


class GeminiContextCache:
    """
    Explicit caches of the Gemini Developer API.

    The key is `api_key`, else `GOOGLE_API_KEY`, else `GEMINI_API_KEY`; the host is
    `base_url`, else `GOOGLE_GEMINI_BASE_URL`, else Google's.  Timeouts are in seconds;
    `attempts` counts the first try.  `clock` stands in where the server shows no date;
    `sleep` is what waits between two tries.

    May be used in one event loop after another, unless a `transport` is passed in, which
    belongs to the loop that it is first used in.

    Raises MissingKey or InvalidCacheConfiguration for an account that cannot be used.
    """

    def __init__(
        self,
        api_key: str | None = None,
        base_url: str | None = None,
        *,
        model: str = DEFAULT_MODEL,
        default_ttl: timedelta = timedelta(hours=1),
        api_version: str = "v1beta",
        transport: httpx.AsyncBaseTransport | None = None,
        connect_timeout: float = 10.0,
        create_timeout: float = 120.0,
        read_timeout: float = 30.0,
        attempts: int = 4,
        clock: Callable[[], datetime] = _wall_clock,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.model = wire.bare_model(model)
        self.default_ttl = default_ttl
        self._create_timeout = create_timeout
        self._read_timeout = read_timeout
        self._clock = clock
        self._line = Line(
            account=Account.find(api_key, base_url, api_version, process_environment()),
            transport=transport,
            connect_timeout=connect_timeout,
            attempts=attempts,
            clock=clock,
            sleep=sleep,
        )
        self._acquaintances = Acquaintances()

    def __repr__(self) -> str:
        return f"GeminiContextCache(endpoint={self.endpoint!r}, model={self.model!r})"

    @property
    def endpoint(self) -> str:
        """The normalised address with its API version, without credentials."""
        return self._line.account.endpoint

    @property
    def key_fingerprint(self) -> str:
        """What the key can be recognised by and not be found out from."""
        return self._line.account.fingerprint

    async def create_cache(self, content: str | CacheContent, ttl: timedelta) -> CacheHandle:
        return (await self.create(content, ttl=ttl)).handle

    async def get_cache(self, handle: CacheHandle) -> CachedContext | None:
        try:
            cache = await self._line.ask(self._about(handle, "GET"), _context)
        except Gone:
            return None
        return self._acquaintances.meet(cache)

    async def refresh_cache(
        self, handle: CacheHandle, ttl: timedelta | None = None
    ) -> CachedContext | None:
        return await self.extend(handle, ttl=ttl)

    async def delete_cache(self, handle: CacheHandle) -> None:
        try:
            await self._line.ask(self._about(handle, "DELETE"), lambda _: None)
        except Gone:
            return

    async def create(
        self,
        content: str | CacheContent,
        *,
        model: str | None = None,
        label: str = "",
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        known: Collection[str] = (),
    ) -> CachedContext:
        """
        Make a cache.  With neither `ttl` nor `expires_at` it lives for `default_ttl`.

        *label* is what a lost answer is found again by: an unexpired cache of this label
        and model that is not named in *known* nor older than this call is the one we made.
        Without a label, an unknown outcome is a NetworkError.
        """
        model = wire.bare_model(model or self.model)
        life = wire.life_of(ttl, expires_at, self.default_ttl)
        request = Request(
            method="POST",
            path=_COLLECTION,
            body=wire.creation(CacheContent.of(content), model, label, life),
            patience=self._create_timeout,
        )
        met = len(self._acquaintances)
        sent = Sent(label=label, model=model, known=known, at=self._clock(), met=met)
        made = await self._line.persist(lambda: self._create_once(request, sent))
        return self._acquaintances.claim(made)

    async def list(self) -> Caches:
        """Every cache that the key may see, whoever made it."""
        caches, _ = await self._drain()
        return [self._acquaintances.meet(cache) for cache in caches]

    async def extend(
        self,
        handle: CacheHandle,
        *,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
    ) -> CachedContext:
        """Let a cache live *ttl* from now or until *expires_at*; else for `default_ttl`."""
        life = wire.life_of(ttl, expires_at, self.default_ttl)
        try:
            cache = await self._line.ask(self._about(handle, "PATCH", life), _context)
        except Gone as gone:
            raise self._fate(handle, gone) from None
        return self._acquaintances.meet(cache)

    async def count_tokens(self, content: str | CacheContent, *, model: str | None = None) -> int:
        """Let the server count exactly what `create` would send."""
        model = wire.bare_model(model or self.model)
        request = Request(
            method="POST",
            path=f"models/{model}:countTokens",
            body=wire.counting(CacheContent.of(content), model),
            patience=self._create_timeout,
        )
        return await self._line.ask(request, lambda answer: wire.read_count(answer.json))

    async def aclose(self) -> None:
        """Close the connections of this event loop; a later call opens new ones."""
        await self._line.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _create_once(self, request: Request, sent: Sent) -> CachedContext:
        """One try.  Raises a Failed only where another try makes no second cache."""
        try:
            return await self._line.once(request, _context)
        except Failed as failed:
            if failed.maybe_done and (made := await self._search(sent, failed)):
                return made
            refused = of_creation(failed.error)
            raise Failed(refused, maybe_done=False, wait=failed.wait) from failed.__cause__

    async def _search(self, sent: Sent, failed: Failed) -> CachedContext | None:
        """Look whether a create without an answer has made a cache all the same."""
        if not sent.label:
            raise _unknown(failed.error, "and without a label there is nothing to look for")
        try:
            caches, server_now = await self._drain()
        except CacheError as error:
            raise _unknown(failed.error, f"and the caches cannot be listed: {error}") from error
        now = self._clock()
        return sent.found_in(caches, self._acquaintances, now=now, server_now=server_now or now)

    async def _drain(self) -> tuple[Caches, datetime | None]:
        """Every page, and the server's clock at the last of them."""
        caches: dict[str, CachedContext] = {}
        tokens = {""}
        token = ""
        while True:
            (page, token), at = await self._line.ask(self._page(token), _page)
            caches.update((cache.handle.cache_name, cache) for cache in page)
            if not token:
                return [*caches.values()], at
            if token in tokens:
                raise ParseError(f"{self.endpoint} lists its caches in a circle")
            tokens.add(token)

    def _page(self, token: str) -> Request:
        onward = {"pageToken": token} if token else {}
        return Request(
            method="GET",
            path=_COLLECTION,
            query={"pageSize": _PAGE, **onward},
            patience=self._read_timeout,
        )

    def _about(
        self,
        handle: CacheHandle,
        method: Literal["GET", "PATCH", "DELETE"],
        life: wire.Life | None = None,
    ) -> Request:
        return Request(
            method=method,
            path=wire.name_in(handle),
            query={"updateMask": life.field} if life else {},
            body=life.body if life else None,
            patience=self._read_timeout,
            names_cache=True,
        )

    def _fate(self, handle: CacheHandle, gone: Gone) -> CacheError:
        """Expired if its holder could have known, else not found."""
        match handle:
            case GeminiHandle(expires_at=datetime() as end) if end <= self._clock() + _TOLERANCE:
                return CacheExpired(handle, status=gone.status, words=gone.words)
            case _:
                return CacheNotFound(handle, status=gone.status, words=gone.words)


def _context(answer: Answer) -> CachedContext:
    return wire.read_context(answer.json)


def _page(answer: Answer) -> tuple[tuple[Caches, str], datetime | None]:
    return wire.read_page(answer.json), answer.at


def _unknown(error: CacheError, why: str) -> Failed:
    told = NetworkError(
        f"it is unknown whether the cache was made: {error}; {why}",
        status=error.status,
        words=error.words,
    )
    return Failed(told, maybe_done=True)
