"""
A model of the provider: Gemini's `cachedContents` as it answers bytes with bytes.

Written from what is known of the real API (the emulator is a second opinion, which a test
compares).  Decides which caches are alive, what a request makes of them, and how an answer is
spelled; a scenario makes it lag, lie, refuse and forget.  Imports nothing of `provisioner`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import timedelta
from email.utils import format_datetime
from heapq import heappop, heappush
from math import floor
from random import Random
from typing import Final

import orjson
from msgspec import Struct

from tests.simulate.cache_body import (
    RPC,
    CacheBody,
    CountBody,
    Refused,
    least_tokens,
    parse_body,
)
from tests.simulate.fate import Verb
from tests.simulate.log import (
    EPOCH,
    CacheCreated,
    CacheDeleted,
    CacheExpired,
    CachePatched,
    CachesListed,
    Log,
    WorldEvent,
)
from tests.simulate.wire import (
    SECOND,
    WireReply,
    WireRequest,
    nanoseconds,
    provider_call,
    spell_content,
    spell_moment,
    virtual_seconds,
)

_ARRIVAL: Final = 0.3, 0.5
"""Seconds that a create takes before its createTime; a ttl counts from its arrival."""
_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000
_ROUTES: Final = re.compile(
    r"(?:POST|GET) cachedContents|(?:GET|PATCH|DELETE) cachedContents/[^/]+"
    r"|POST models/[^/]+:countTokens",
    re.ASCII,
)
_QUERY: Final = {
    Verb.LIST: frozenset({"key", "alt", "pageSize", "pageToken"}),
    Verb.PATCH: frozenset({"key", "alt", "updateMask"}),
}
_ANY_QUERY: Final = frozenset({"key", "alt"})
_TOKEN: Final = re.compile(r"\+/(\d{1,9})=", re.ASCII)
_SIZE: Final = re.compile(r"\d{0,9}", re.ASCII)
_JSON: Final = {"content-type": "application/json; charset=UTF-8"}


class _Life(Struct, frozen=True):
    """How long a cache lives, since it was last changed; in nanoseconds since 1970."""

    updated: int
    expires: int


class ProviderCache(Struct, kw_only=True):
    """A cache that the provider has or had."""

    name: str
    label: str
    model: str
    content: str
    tokens: int
    lives: list[_Life]
    """The first since it was created."""
    deleted: int | None = None

    def life_at(self, moment: int) -> _Life | None:
        """Its life as it was at *moment*; None if it was not alive then."""
        if self.deleted is not None and self.deleted <= moment:
            return None
        life = next((life for life in reversed(self.lives) if life.updated <= moment), None)
        return life if life and life.expires > moment else None


class Provider:
    """
    One project's caches; *now* gives virtual seconds, *random* names, digits and lies.

    Its key is `key-of-NAME`.
    """

    def __init__(self, name: str, log: Log, now: Callable[[], float], random: Random) -> None:
        self.name = name
        self.key = f"key-of-{name}"
        self.caches: dict[str, ProviderCache] = {}
        """By name, the oldest first."""
        self._log = log
        self._seconds = now
        self._random = random
        self._ends: list[tuple[float, str, int]] = []
        self._accepted: defaultdict[Verb, list[float]] = defaultdict(list)
        self._quotas: dict[Verb, int] = {}
        self._lag = 0
        self._hidden = 0.0
        self._echo: str | None = None
        self._longest: int | None = None
        self._stored: int | None = None
        self._date_offset: float | None = 0.0
        log.follow(self._expired)

    # --- what a scenario does to it -------------------------------------------------------------

    def create(self, label: str, model: str, content: str, ttl: float) -> str:
        """Another program makes a cache; its name comes back."""
        request = WireRequest(method="POST", path="/v1beta/cachedContents")
        cache = self._add(
            request,
            label=label,
            model=model,
            content=content,
            tokens=-(-len(content) // 4),
            expires=self._now() + round(ttl * SECOND),
        )
        return cache.name

    def delete(self, cache: str) -> bool:
        """Another program deletes *cache* (`cachedContents/…`); False if it is not alive."""
        live = self._life(cache)
        if live:
            self._remove(live, run=0, request=0)
        return live is not None

    def lag(self, seconds: float) -> None:
        """A LIST shows the caches as they were so long ago; a GET is always true."""
        self._lag = round(seconds * SECOND)

    def hide(self, share: float) -> None:
        """Each LIST leaves out this share of the caches."""
        self._hidden = share

    def echo(self, model: str | None) -> None:
        """Every answer names this model instead of the one that was asked for."""
        self._echo = model

    def clamp(self, seconds: float | None) -> None:
        """No life that is granted from now on is longer."""
        self._longest = None if seconds is None else round(seconds * SECOND)

    def quota(self, verb: Verb, per_minute: int | None) -> None:
        """At most so many requests of *verb* in any minute."""
        self._quotas.pop(verb, None)
        if per_minute is not None:
            self._quotas[verb] = per_minute

    def storage(self, tokens: int | None) -> None:
        """At most so many tokens in all live caches."""
        self._stored = tokens

    def date_offset(self, seconds: float | None) -> None:
        """The Date of answers is so far from the true one; None: there is no Date."""
        self._date_offset = seconds

    def alive(self) -> list[ProviderCache]:
        """The caches that live now, the oldest first."""
        now = self._now()
        return [cache for cache in self.caches.values() if cache.life_at(now)]

    # --- requests -------------------------------------------------------------------------------

    def handle(self, request: WireRequest) -> WireReply:
        """Answer *request* now."""
        try:
            return self._reply(200, self._answer(request))
        except Refused as refused:
            return self._reply(refused.status, refused.body)

    def fail(self, status: int) -> WireReply:
        """Answer with *status* in place of a request, which is not carried out."""
        return self._reply(status, Refused(status, "The service cannot answer now.").body)

    def _reply(self, status: int, body: bytes) -> WireReply:
        headers = _JSON if body.startswith(b"{") else {"content-type": "text/html; charset=UTF-8"}
        return WireReply(status=status, headers={**headers, **self._date()}, body=body)

    def _date(self) -> dict[str, str]:
        if self._date_offset is None:
            return {}
        moment = EPOCH + timedelta(seconds=floor(self._seconds() + self._date_offset))
        return {"date": format_datetime(moment, usegmt=True)}

    def _answer(self, request: WireRequest) -> bytes:
        path = request.path.removeprefix("/v1beta/")
        if path == request.path or not _ROUTES.fullmatch(f"{request.method} {path}"):
            page = Refused(404, "")
            page.body = b"<!DOCTYPE html><title>Error 404 (Not Found)</title>"
            raise page
        verb, _ = provider_call(request)
        self._check_key(request)
        if unknown := request.query.keys() - _QUERY.get(verb, _ANY_QUERY):
            raise Refused(400, f'Unknown name "{min(unknown)}": Cannot bind query parameter.')
        self._check_quota(verb)
        match verb:
            case Verb.CREATE:
                return self._create(request)
            case Verb.LIST:
                return self._list(request)
            case Verb.COUNT:
                return _count(path, request.body)
            case Verb.PATCH:
                return self._patch(path, request)
            case Verb.DELETE:
                self._remove(self._live(path), run=request.run, request=request.number)
                return b"{}"
            case _:
                return orjson.dumps(self._fields(self._live(path)))

    def _check_key(self, request: WireRequest) -> None:
        key = request.headers.get("x-goog-api-key") or request.query.get("key", "")
        if not key:
            raise Refused(403, "Method doesn't allow unregistered callers. Please use API Key.")
        if key != self.key:
            reason = {
                "@type": f"{RPC}ErrorInfo",
                "reason": "API_KEY_INVALID",
                "domain": "googleapis.com",
            }
            message = "API key not valid. Please pass a valid API key."
            raise Refused(400, message, details=[reason])

    def _check_quota(self, verb: Verb) -> None:
        """A request counts for a minute, unless it was refused."""
        now, most = self._seconds(), self._quotas.get(verb)
        recent = self._accepted[verb]
        del recent[: bisect_left(recent, now - 60)]
        if most is not None and len(recent) >= most:
            wait = recent[-most] + 60 - now if most else 60.0
            hint = {"@type": f"{RPC}RetryInfo", "retryDelay": f"{wait + 0.001:.3f}s"}
            raise Refused(429, f"Quota exceeded: {verb} per minute.", details=[hint])
        recent.append(now)

    def _create(self, request: WireRequest) -> bytes:
        fields = parse_body(request.body, CacheBody)
        arrival = self._now() - round(self._random.uniform(*_ARRIVAL) * SECOND)
        expires = fields.expiry(arrival)
        least_tokens(fields.model)
        content = spell_content(*fields.spell())
        tokens = fields.cached_tokens()
        self._check_storage(fields.model or "", tokens)
        cache = self._add(
            request,
            label=fields.display_name or "",
            model=fields.model or "",
            content=content,
            tokens=tokens,
            expires=expires,
        )
        return orjson.dumps(self._fields(cache))

    def _check_storage(self, model: str, tokens: int) -> None:
        stored = sum(cache.tokens for cache in self.alive())
        if self._stored is not None and stored + tokens > self._stored:
            raise Refused(
                429,
                f"TotalCachedContentStorageTokensPerModel limit exceeded for model {model}: "
                f"limit={self._stored}, requested={tokens}",
            )

    def _list(self, request: WireRequest) -> bytes:
        size, before = _page(request.query)
        rows = [
            (number, cache, life)
            for number, cache in reversed([*enumerate(self.caches.values())])
            if (before is None or number < before)
            and (life := cache.life_at(self._now() - self._lag))
            and not (self._hidden and self._random.random() < self._hidden)
        ]
        shown = rows[:size]
        self._log.add(
            CachesListed(
                at=self._seconds(),
                request=request.number,
                run=request.run,
                project=self.name,
                shown=tuple(cache.name for _, cache, _ in shown),
                alive=tuple(cache.name for cache in reversed(self.alive())),
            )
        )
        caches = [self._fields(cache, life) for _, cache, life in shown]
        fields: dict[str, object] = {"cachedContents": caches} if caches else {}
        if len(rows) > size:
            fields["nextPageToken"] = f"+/{shown[-1][0]}="
        return orjson.dumps(fields)

    def _patch(self, name: str, request: WireRequest) -> bytes:
        fields = parse_body(request.body, CacheBody)
        mask = request.query.get("updateMask", "")
        fields.check_patch(mask)
        expires = fields.expiry(self._now())
        cache = self._live(name)
        updated = max(self._now() - self._random.randrange(1, 1000) * 1000, cache.lives[-1].updated)
        life = _Life(updated, self._granted(expires))
        cache.lives.append(life)
        self._log.add(
            CachePatched(
                at=self._seconds(),
                request=request.number,
                run=request.run,
                project=self.name,
                cache=cache.name,
                expires_at=virtual_seconds(life.expires),
                asked=None if life.expires == expires else virtual_seconds(expires),
            )
        )
        self._await_end(cache)
        return orjson.dumps(self._fields(cache, life))

    # --- caches ---------------------------------------------------------------------------------

    def _add(
        self,
        request: WireRequest,
        *,
        label: str,
        model: str,
        content: str,
        tokens: int,
        expires: int,
    ) -> ProviderCache:
        created = self._now() - self._random.randrange(1, 1000) * 1000
        life = _Life(created, self._granted(expires))
        cache = ProviderCache(
            name=f"cachedContents/{self._random.getrandbits(100):x}",
            label=label,
            model=model,
            content=content,
            tokens=tokens,
            lives=[life],
        )
        self.caches[cache.name] = cache
        self._log.add(
            CacheCreated(
                at=self._seconds(),
                request=request.number,
                run=request.run,
                project=self.name,
                cache=cache.name,
                label=label,
                model=model,
                content=content,
                expires_at=virtual_seconds(life.expires),
            )
        )
        self._await_end(cache)
        return cache

    def _await_end(self, cache: ProviderCache) -> None:
        """Whose life may have ended before it began: then it ends now."""
        expires = cache.lives[-1].expires
        end = max(virtual_seconds(expires), self._seconds())
        heappush(self._ends, (end, cache.name, expires))

    def _remove(self, cache: ProviderCache, *, run: int, request: int) -> None:
        cache.deleted = self._now()
        self._log.add(
            CacheDeleted(
                at=self._seconds(), request=request, run=run, project=self.name, cache=cache.name
            )
        )

    def _granted(self, expires: int) -> int:
        return expires if self._longest is None else min(expires, self._now() + self._longest)

    def _life(self, name: str) -> ProviderCache | None:
        cache = self.caches.get(name)
        return cache if cache and cache.life_at(self._now()) else None

    def _live(self, name: str) -> ProviderCache:
        """Never made, deleted, expired, of another project: all are refused alike."""
        cache = self._life(name)
        if cache is None:
            raise Refused(403, "CachedContent not found (or permission denied)")
        return cache

    def _fields(self, cache: ProviderCache, life: _Life | None = None) -> dict[str, object]:
        life = life or cache.lives[-1]
        return {
            "name": cache.name,
            "model": self._echo or cache.model,
            "createTime": spell_moment(cache.lives[0].updated),
            "updateTime": spell_moment(life.updated),
            "expireTime": spell_moment(life.expires),
            "displayName": cache.label,
            "usageMetadata": {"totalTokenCount": cache.tokens},
        }

    def _expired(self, until: float) -> list[WorldEvent]:
        """The expiries that the log does not have yet."""
        events: list[WorldEvent] = []
        while self._ends and self._ends[0][0] <= until:
            at, name, expires = heappop(self._ends)
            cache = self.caches[name]
            if cache.deleted is None and cache.lives[-1].expires == expires:
                events.append(CacheExpired(at=at, project=self.name, cache=name))
        return events

    def _now(self) -> int:
        return nanoseconds(self._seconds())


def _count(path: str, body: bytes) -> bytes:
    model = path.removesuffix(":countTokens")
    least_tokens(model)
    fields = parse_body(body, CountBody)
    wrapped = fields.generate_content_request
    if wrapped and not wrapped.model:
        raise Refused(400, "* CountTokensRequest.generate_content_request.model: required")
    asked = wrapped or CacheBody(contents=fields.contents)
    if not asked.contents:
        raise Refused(400, "* GenerateContentRequest.contents: contents is not specified")
    asked.spell()
    return orjson.dumps({"totalTokens": asked.tokens()})


def _page(query: Mapping[str, str]) -> tuple[int, int | None]:
    """How many caches a page has, and the number below which it begins."""
    size, token = query.get("pageSize", ""), query.get("pageToken", "")
    if not _SIZE.fullmatch(size):
        raise Refused(400, "Invalid value at 'page_size' (TYPE_INT32)")
    match = _TOKEN.fullmatch(token)
    if token and not match:
        raise Refused(400, "The page token is invalid.")
    return min(int(size or 0), _LARGEST_PAGE) or _PAGE, int(match[1]) if match else None
