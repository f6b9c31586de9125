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
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import format_datetime
from heapq import heappop, heappush
from math import floor
from random import Random
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
import orjson
from msgspec import Meta, Struct

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
    google_error,
    nanoseconds,
    provider_call,
    spell_content,
    spell_moment,
    virtual_seconds,
)

LEAST_TOKENS: Final = {
    "models/gemini-3.8-flash": 1024,
    "models/gemini-3.6-flash": 1024,
    "models/gemini-3.1-pro-preview": 4096,
    "models/gemini-3.1-flash-lite": 1024,
    "models/gemini-3-flash-preview": 1024,
    "models/gemini-2.5-flash-lite": 2048,
}
"""What a cache of each model has at least; there is no other model."""
_MOST_TOKENS: Final = 1_048_576
_DEFAULT_LIFE: Final = 3600 * SECOND
_ARRIVAL: Final = 0.3, 0.5
"""Seconds that a create takes before its createTime; a ttl counts from its arrival."""
_PAGE: Final = 50
_LARGEST_PAGE: Final = 1000
_FIRST: Final = -62_135_596_800 * SECOND
_LAST: Final = 253_402_300_800 * SECOND - 1
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
_OUTPUT_ONLY: Final = frozenset({"create_time", "update_time", "usage_metadata"})
_TOKEN: Final = re.compile(r"\+/(\d{1,9})=", re.ASCII)
_SIZE: Final = re.compile(r"\d{0,9}", re.ASCII)
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_STATUS: Final = {
    400: "INVALID_ARGUMENT",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_RPC: Final = "type.googleapis.com/google.rpc."
_JSON: Final = {"content-type": "application/json; charset=UTF-8"}

_Body = TypeVar("_Body", "_CacheBody", "_CountBody")


class _Blob(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    mime_type: str = ""
    data: str = ""


class _FileData(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    mime_type: str = ""
    file_uri: str = ""


class _Part(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    text: str | None = None
    inline_data: _Blob | None = None
    file_data: _FileData | None = None

    def spell(self) -> str:
        """As the log has it.  Raises Refused unless it is of exactly one kind."""
        match self:
            case _Part(text=str(text), inline_data=None, file_data=None):
                return text
            case _Part(text=None, inline_data=_Blob(mime_type, data), file_data=None):
                return f"data:{mime_type};base64,{data}"
            case _Part(text=None, inline_data=None, file_data=_FileData(mime_type, uri)):
                return f"file:{mime_type}:{uri}"
            case _:
                raise Refused(400, "* parts.data: required oneof field 'data' must be one")


class _Turn(Struct, frozen=True, forbid_unknown_fields=True):
    role: Literal["", "user", "model", "function", "tool"] = ""
    parts: Annotated[list[_Part], Meta(min_length=1)] = []


class _CacheBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A CachedContent as a client sends it."""

    model: str | None = None
    name: str | None = None
    display_name: Annotated[str, Meta(max_length=128)] | None = None
    system_instruction: _Turn | None = None
    contents: list[_Turn] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_config: dict[str, Any] | None = None
    ttl: str | None = None
    expire_time: str | None = None
    create_time: str | None = None
    update_time: str | None = None
    usage_metadata: dict[str, Any] | None = None

    def spell(self) -> tuple[list[str], str]:
        """The parts and the system instruction.  Raises Refused."""
        turns = self.contents or []
        if any(not turn.parts for turn in turns):
            raise Refused(400, "* contents.parts: contents.parts must not be empty.")
        system = self.system_instruction.parts if self.system_instruction else []
        if any(part.text is None for part in system):
            raise Refused(400, "* system_instruction: only text parts are supported")
        parts = [part.spell() for turn in turns for part in turn.parts]
        return parts, "\n---\n".join(part.spell() for part in system)

    def tokens(self) -> int:
        """Four characters are a token."""
        functions = [
            orjson.dumps(function).decode()
            for tool in self.tools or ()
            for function in tool.get("functionDeclarations", ())
        ]
        turns = [*(self.contents or ()), self.system_instruction or _Turn()]
        texts = [part.text or "" for turn in turns for part in turn.parts]
        return sum(-(-len(text) // 4) for text in (*texts, *functions))


class _CountBody(Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    contents: list[_Turn] | None = None
    generate_content_request: _CacheBody | None = None


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


class Refused(Exception):
    """An answer of the provider other than 200."""

    def __init__(
        self, status: int, message: str, *, details: Sequence[Mapping[str, object]] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = google_error(status, _STATUS.get(status, "UNKNOWN"), message, details)


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
                "@type": f"{_RPC}ErrorInfo",
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
            hint = {"@type": f"{_RPC}RetryInfo", "retryDelay": f"{wait + 0.001:.3f}s"}
            raise Refused(429, f"Quota exceeded: {verb} per minute.", details=[hint])
        recent.append(now)

    def _create(self, request: WireRequest) -> bytes:
        now = self._now()
        fields = _parse(request.body, _CacheBody)
        arrival = now - round(self._random.uniform(*_ARRIVAL) * SECOND)
        expires = _expiry(fields, arrival)
        least = _least_tokens(fields.model)
        parts, system = fields.spell()
        tokens = fields.tokens()
        if tokens < least:
            raise Refused(400, _size_fault("small", tokens, f"min_total_token_count={least}"))
        if tokens > _MOST_TOKENS:
            bound = f"max_total_token_count={_MOST_TOKENS}"
            raise Refused(400, _size_fault("large", tokens, bound))
        self._check_storage(fields.model or "", tokens)
        cache = self._add(
            request,
            label=fields.display_name or "",
            model=fields.model or "",
            content=spell_content(parts, system),
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
                alive=tuple(cache.name for cache in self.alive()),
            )
        )
        caches = [self._fields(cache, life) for _, cache, life in shown]
        fields: dict[str, object] = {"cachedContents": caches} if caches else {}
        if len(rows) > size:
            fields["nextPageToken"] = f"+/{shown[-1][0]}="
        return orjson.dumps(fields)

    def _patch(self, name: str, request: WireRequest) -> bytes:
        fields = _parse(request.body, _CacheBody)
        mask = request.query.get("updateMask", "")
        _check_patch(fields, mask)
        expires = _expiry(fields, self._now())
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


def _parse(body: bytes, kind: type[_Body]) -> _Body:
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (ValueError, RecursionError) as error:
        violation = {"description": str(error)}
        detail = {"@type": f"{_RPC}BadRequest", "fieldViolations": [violation]}
        raise Refused(400, f"Invalid JSON payload received. {error}", details=[detail]) from None


def _least_tokens(model: str | None) -> int:
    """Raises Refused for a model that is not there."""
    if not model or "/" not in model:
        raise Refused(400, f"* model: unexpected model name format: {model}")
    if model not in LEAST_TOKENS:
        raise Refused(404, f"{model} is not found for API version v1beta.")
    return LEAST_TOKENS[model]


def _count(path: str, body: bytes) -> bytes:
    model = path.removesuffix(":countTokens")
    _least_tokens(model)
    fields = _parse(body, _CountBody)
    wrapped = fields.generate_content_request
    if wrapped and not wrapped.model:
        raise Refused(400, "* CountTokensRequest.generate_content_request.model: required")
    asked = wrapped or _CacheBody(contents=fields.contents)
    if not asked.contents:
        raise Refused(400, "* GenerateContentRequest.contents: contents is not specified")
    asked.spell()
    return orjson.dumps({"totalTokens": asked.tokens()})


def _size_fault(size: str, tokens: int, bound: str) -> str:
    return f"Cached content is too {size}. total_token_count={tokens}, {bound}"


def _check_patch(fields: _CacheBody, mask: str) -> None:
    """Only the expiration may change, and has to."""
    if fields.name is not None:
        raise Refused(400, "oneof field '_name' is already set. Cannot set 'name'")
    sent = [
        name
        for name in fields.__struct_fields__
        if name not in _OUTPUT_ONLY and getattr(fields, name) is not None
    ]
    named = mask.split(",") if mask not in {"", "*"} else sent
    if {*named} - {"ttl", "expireTime", "expire_time"}:
        raise Refused(400, "Only the expiration of a cached content can be updated.")
    if not {name.replace("expireTime", "expire_time") for name in named} & {*sent}:
        raise Refused(400, "Nothing to update: neither ttl nor expire_time is set.")


def _expiry(fields: _CacheBody, arrival: int) -> int:
    """A moment that has passed is accepted: such a cache is never seen again."""
    match fields:
        case _CacheBody(ttl=str(), expire_time=str()):
            raise Refused(400, "oneof field 'expiration' is already set. Cannot set 'expireTime'")
        case _CacheBody(ttl=str(text)):
            expires = arrival + _read_duration(text)
        case _CacheBody(expire_time=str(text)):
            expires = _read_moment(text)
        case _:
            expires = arrival + _DEFAULT_LIFE
    if not _FIRST <= expires <= _LAST:
        raise Refused(400, "The expiration is out of range.")
    return expires


def _read_duration(text: str) -> int:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise Refused(400, "Illegal duration format; duration must end with 's'")
    sign, whole, digits = match.groups()
    span = int(whole) * SECOND + int((digits or "").ljust(9, "0"))
    return -span if sign else span


def _read_moment(text: str) -> int:
    match = _MOMENT.fullmatch(text)
    try:
        moment = datetime.fromisoformat(f"{match[1]}{match[3]}") if match else None
        seconds = None if moment is None else (moment - EPOCH) // timedelta(seconds=1)
    except (OverflowError, ValueError):
        seconds = None
    if match is None or seconds is None:
        raise Refused(400, "Illegal timestamp format; timestamps must end with 'Z' or an offset")
    return nanoseconds(seconds) + int((match[2] or "").ljust(9, "0"))


def _page(query: Mapping[str, str]) -> tuple[int, int | None]:
    """How many caches a page has, and the number below which it begins."""
    size, token = query.get("pageSize", ""), query.get("pageToken", "")
    if not _SIZE.fullmatch(size):
        raise Refused(400, "Invalid value at 'page_size' (TYPE_INT32)")
    match = _TOKEN.fullmatch(token)
    if token and not match:
        raise Refused(400, "The page token is invalid.")
    return min(int(size or 0), _LARGEST_PAGE) or _PAGE, int(match[1]) if match else None
