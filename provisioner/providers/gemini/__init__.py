"""
Gemini's explicit context caches behind the four verbs.

Decides what each verb sends, and what a missing cache means to its caller.  When a create
may be sent again is decided by `creator`, which a client that makes no cache does not load;
spelling, refusals, pace and requests have modules of their own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Final, NoReturn, Self, SupportsIndex

from msgspec import Struct, field
from msgspec.structs import replace

from provisioner.arguments import check_span, check_text
from provisioner.cache import CacheContent, CachedContext, CacheHandle, GeminiHandle
from provisioner.environment import process_environment
from provisioner.errors import CacheError, CacheExpired, CacheNotFound, InvalidCacheConfiguration
from provisioner.http import AsyncHttpClient
from provisioner.providers.gemini import wire
from provisioner.providers.gemini.account import Account
from provisioner.providers.gemini.api import ApiRequest, GeminiApi, ServerDate, read_cache
from provisioner.providers.gemini.governor import ApiVerb
from provisioner.retry import RetryPolicy
from provisioner.runtime import SYSTEM, Runtime

if TYPE_CHECKING:
    import httpx

    from provisioner.providers.gemini.creator import CacheCreator

DEFAULT_MODEL: Final = "gemini-3.8-flash"

_TOLERANCE: Final = timedelta(seconds=2)


class CacheIndex(Struct):
    """The caches that one client has seen, in order, and those that its creates account for."""

    _positions: dict[str, int] = field(default_factory=dict)
    _made: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._positions)

    def add(self, cache: CachedContext) -> CachedContext:
        """Put *cache* into the index, if it is not there, and return it."""
        self._positions.setdefault(cache.handle.cache_name, len(self._positions))
        return cache

    def claim(self, cache: CachedContext) -> CachedContext:
        """Record that one create of this client accounts for *cache*."""
        self._made.add(cache.handle.cache_name)
        return self.add(cache)

    def may_be_new(self, name: str, since: int) -> bool:
        """Whether it is not among the first *since* of the index, and no create claims it."""
        return name not in self._made and self._positions.get(name, since) >= since


class GeminiContextCache:
    """
    Explicit caches of the Gemini Developer API.

    The key is `api_key`, else `GOOGLE_API_KEY`, else `GEMINI_API_KEY`; the host is
    `base_url`, else `GOOGLE_GEMINI_BASE_URL`, else Google's.  Timeouts are in seconds;
    `attempts` counts the first try, and refusals by a quota do not count: those are waited
    for until nothing got through for `max_wait`.  All clients of one endpoint and key share
    what is learned of its quotas.  `clock` stands in where the server shows no date;
    `sleep` is what waits between two requests; both are those of `runtime` unless given.
    `environ` is the process's environment unless given.

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
        max_wait: timedelta = timedelta(minutes=15),
        clock: Callable[[], datetime] | None = None,
        sleep: Callable[[float], Awaitable[None]] | None = None,
        runtime: Runtime = SYSTEM,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        for name, span in (("default_ttl", default_ttl), ("max_wait", max_wait)):
            check_span(name, span)
        for name, text in (("api_key", api_key), ("base_url", base_url)):
            if text is not None:
                check_text(name, text)
        self.model = wire.bare_model(model)
        self.default_ttl = default_ttl
        self._runtime = replace(runtime, now=clock or runtime.now, sleep=sleep or runtime.sleep)
        account = Account.find(
            api_key,
            base_url,
            api_version,
            process_environment() if environ is None else environ,
        )
        self._api = GeminiApi(
            account=account,
            http=AsyncHttpClient(
                connect_timeout=connect_timeout,
                headers={
                    "x-goog-api-key": account.key,
                    "content-type": "application/json",
                    "cache-control": "no-store",
                },
                transport=transport,
                secret=account.secret,
            ),
            retry=RetryPolicy(tries=attempts, first=0.5, longest=20.0),
            max_wait=max_wait,
            runtime=self._runtime,
            create_timeout=create_timeout,
            read_timeout=read_timeout,
        )
        self._index = CacheIndex()
        self._unreadable: frozenset[str] = frozenset()
        self._creator: CacheCreator | None = None

    def __repr__(self) -> str:
        return f"GeminiContextCache(endpoint={self.endpoint!r}, model={self.model!r})"

    @property
    def endpoint(self) -> str:
        """The normalised address with its API version, without credentials."""
        return self._api.account.endpoint

    @property
    def key_fingerprint(self) -> str:
        """What identifies the key without revealing it."""
        return self._api.account.fingerprint

    @property
    def dated(self) -> ServerDate | None:
        """What the provider's answers say of the time; None before the first, and without any."""
        return self._api.server_date

    @property
    def uncertain_labels(self) -> frozenset[str]:
        """Labels of this client's creates that the server may still make a second cache for."""
        return self._creator.uncertain_labels if self._creator else frozenset()

    @property
    def unreadable_labels(self) -> frozenset[str]:
        """Display names of the caches that the last list held and that could not be read."""
        return self._unreadable

    def stop_waiting(self) -> None:
        """
        End every wait of this project's clients in the running loop, now and later.

        Requests under way go on to their end; calls that waited raise Interrupted.
        """
        self._api.governor.stop()

    async def create_cache(self, content: str | CacheContent, ttl: timedelta) -> GeminiHandle:
        """
        Make a cache of *content* that lives for *ttl*.

        It gets a label of its own, by which a lost answer is looked for.
        """
        from provisioner.providers.gemini.creator import label_of_its_own  # noqa: PLC0415  # a plan makes none

        return (await self.create(content, label=label_of_its_own(self._runtime), ttl=ttl)).handle

    async def get_cache(self, handle: CacheHandle | CachedContext) -> CachedContext | None:
        """Ask for a cache; None if it does not exist (any more)."""
        try:
            cache = await self._api.ask(self._about(handle, ApiVerb.GET), read_cache)
        except wire.MissingCache:
            return None
        return self._index.add(cache)

    async def refresh_cache(
        self, handle: CacheHandle | CachedContext, ttl: timedelta | None = None
    ) -> CachedContext:
        """
        Let the cache live *ttl* from now; without one, for `default_ttl`.

        Raises CacheExpired if the handle says that its time had passed, else CacheNotFound.
        """
        return await self.extend(handle, ttl=ttl)

    async def delete_cache(
        self,
        handle: CacheHandle | CachedContext,
        *,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Make sure that the cache does not exist; *before* is as in `create`."""
        request = self._about(handle, ApiVerb.DELETE)
        try:
            await self._api.ask(request, lambda _: None, before=before)
        except wire.MissingCache:
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
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> CachedContext:
        """
        Make a cache.  With neither `ttl` nor `expires_at` it lives for `default_ttl`.

        *label* is what a lost answer is looked for by: a cache of exactly this label that
        is not named in *known*.  Where the label does not end in `~` and four letters of
        this create's own, it must not be older than this call either.  Without a label, an
        unknown outcome is a NetworkError.

        *before* is awaited each time that the quota would let a request out, just before it;
        what it raises keeps the request from being sent, and is raised here.
        """
        request = self._creation(content, model, label, ttl, expires_at)
        return await self._creates().make(request, label=label, old_names=known, before=before)

    async def ensure(
        self,
        content: str | CacheContent,
        *,
        label: str,
        model: str | None = None,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
    ) -> CachedContext:
        """
        Take the live cache of exactly this *label*, or make it as `create` does.

        The label stands for content, model and life: those of a cache that is taken are not
        compared.  Calls for one label share one create, which goes on if its callers are
        cancelled; the next call takes what comes of it.
        """
        if not label:
            raise InvalidCacheConfiguration("ensure needs a label to recognise the cache by")
        request = self._creation(content, model, label, ttl, expires_at)
        return await self._creates().ensure(request, label=label)

    async def list(self) -> list[CachedContext]:
        """Every cache that the key may see, of any program."""
        listing = await self._api.list_caches()
        self._unreadable = frozenset(cache.label for cache in listing.skipped)
        return [self._index.add(cache) for cache in listing.caches]

    async def extend(
        self,
        handle: CacheHandle | CachedContext,
        *,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> CachedContext:
        """
        Let a cache live *ttl* from now or until *expires_at*; else for `default_ttl`.

        *before* is as in `create`.
        """
        request = self._about(
            handle, ApiVerb.PATCH, wire.life_of(ttl, expires_at, self.default_ttl)
        )
        try:
            cache = await self._api.ask(request, read_cache, before=before)
        except wire.MissingCache as missing:
            raise self._fate(handle, missing) from None
        return self._index.add(cache)

    async def count_tokens(self, content: str | CacheContent, *, model: str | None = None) -> int:
        """Let the server count exactly what `create` would send."""
        model = wire.bare_model(model or self.model)
        body = wire.counting(CacheContent.of(content), model)
        request = ApiRequest(ApiVerb.COUNT, f"models/{model}:countTokens", body=body)
        return await self._api.ask(request, lambda answer: wire.read_count(answer.json))

    async def aclose(self) -> None:
        """
        Close the connections of this event loop; a later call opens new ones.

        Waits a while for creates of `ensure` whose callers were cancelled.
        """
        if self._creator:
            await self._creator.settle()
        await self._api.http.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} holds a key and connections and cannot be pickled or"
            " copied: make one where it is used"
        )

    def _creates(self) -> CacheCreator:
        from provisioner.providers.gemini.creator import CacheCreator  # noqa: PLC0415  # likewise

        if self._creator is None:
            self._creator = CacheCreator(self._api, self._index)
        return self._creator

    def _creation(
        self,
        content: str | CacheContent,
        model: str | None,
        label: str,
        ttl: timedelta | None,
        expires_at: datetime | None,
    ) -> ApiRequest:
        life = wire.life_of(ttl, expires_at, self.default_ttl)
        model = wire.bare_model(model or self.model)
        body = wire.creation(CacheContent.of(content), model, label, life)
        return ApiRequest(ApiVerb.CREATE, "cachedContents", body=body)

    def _about(
        self,
        handle: CacheHandle | CachedContext,
        verb: ApiVerb,
        life: wire.LifeField | None = None,
    ) -> ApiRequest:
        name = wire.name_in(handle)
        if life:
            return ApiRequest(verb, name, {"updateMask": life.field}, life.body)
        return ApiRequest(verb, name)

    def _fate(self, of: CacheHandle | CachedContext, missing: wire.MissingCache) -> CacheError:
        """Expired if its holder could have known, else not found."""
        handle = of.handle if isinstance(of, CachedContext) else of
        match handle:
            case GeminiHandle(expires_at=datetime() as end) if (
                end <= self._runtime.now() + _TOLERANCE
            ):
                return CacheExpired(handle, status=missing.status, words=missing.words)
            case _:
                return CacheNotFound(handle, status=missing.status, words=missing.words)
