"""
The `cachedContents` wire format: our values to JSON, the server's JSON to our values.

Decides every spelling, and what a name may look like before it comes near a URL.  What a
caller got wrong is `InvalidCacheConfiguration`; what the server got wrong is ValueError.
Knows no HTTP.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import orjson
from msgspec import Struct, ValidationError, convert

from provisioner import cache
from provisioner.arguments import check_moment, check_span, check_text
from provisioner.errors import InvalidCacheConfiguration, RequestRefused, name_of
from provisioner.times import moment_text, parse_moment

LONGEST_LABEL: Final = 128

_MODEL: Final = re.compile(r"(?:models/)?([A-Za-z0-9][A-Za-z0-9._-]*)", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,18}", re.ASCII)
_NAIVE: Final = "expires_at has to say its time zone"


class MissingCache(RequestRefused):
    """There is no cache of that name.  It never leaves this package."""


def name_in(handle: cache.CacheHandle | cache.CachedContext) -> str:
    """
    The name of the cache, safe in a URL; that of a context is its handle's.

    Raises InvalidCacheConfiguration for any other, and for a handle whose end is in no zone;
    TypeError for what is no handle.
    """
    match handle:
        case cache.CachedContext():
            return name_in(handle.handle)
        case cache.GeminiHandle(expires_at=datetime() as end) if end.utcoffset() is None:
            raise InvalidCacheConfiguration(_NAIVE)
        case cache.GeminiHandle(name) if cache.CACHE_NAME.fullmatch(name):
            return name
        case cache.GeminiHandle():
            raise InvalidCacheConfiguration("a Gemini cache is named like cachedContents/abc123")
        case _:
            raise InvalidCacheConfiguration(f"{name_of(handle)} does not belong to gemini")


def bare_model(model: str) -> str:
    """`models/ID` or `ID` as `ID`.  Raises InvalidCacheConfiguration for anything else."""
    check_text("model", model)
    if match := _MODEL.fullmatch(model):
        return match[1]
    raise InvalidCacheConfiguration("a Gemini model is named like gemini-3.8-flash")


class LifeField(Struct, frozen=True):
    """The one field that says how long a cache lives; it is its own update mask."""

    field: Literal["ttl", "expireTime"]
    value: str

    @property
    def body(self) -> bytes:
        return _body({self.field: self.value})


def life_of(ttl: timedelta | None, expires_at: datetime | None, default: timedelta) -> LifeField:
    """Take the one that is given; without either, *default* is the ttl."""
    if ttl is not None:
        check_span("ttl", ttl)
    if expires_at is not None:
        check_moment("expires_at", expires_at)
    match ttl, expires_at:
        case timedelta(), datetime():
            raise InvalidCacheConfiguration("a cache has a ttl or an expires_at, not both")
        case None, datetime() as moment:
            return LifeField("expireTime", _moment(moment))
        case _:
            return LifeField("ttl", _seconds(default if ttl is None else ttl))


def creation(content: cache.CacheContent, model: str, label: str, life: LifeField) -> bytes:
    """The body of a create.  *model* is the bare id."""
    check_text("label", label)
    if len(label) > LONGEST_LABEL:
        raise InvalidCacheConfiguration(f"a label has at most {LONGEST_LABEL} characters")
    name = {"displayName": label} if label else {}
    return _body({**name, life.field: life.value, **_held(content, model)})


def counting(content: cache.CacheContent, model: str) -> bytes:
    """
    The body that counts the tokens of what `creation` sends.

    A count needs a turn, as a create does not: without parts, the system instruction is it.
    """
    return _body({"generateContentRequest": _held(_with_a_turn(content), model)})


def _with_a_turn(content: cache.CacheContent) -> cache.CacheContent:
    if content.parts or not content.system_instruction:
        return content
    turn = cache.TextPart(content.system_instruction)
    return replace(content, parts=(turn,), system_instruction=None)


class _Usage(Struct, frozen=True, rename="camel"):
    total_token_count: int | str = 0


class _Cached(Struct, frozen=True, rename="camel"):
    """A cache as the server spells it; its other fields are not read."""

    name: str
    model: str
    create_time: str
    expire_time: str
    update_time: str | None = None
    display_name: str | None = None
    usage_metadata: _Usage | None = None


class _RawPage(Struct, frozen=True, rename="camel"):
    cached_contents: list[Any] | None = None
    next_page_token: str | None = None


class UnreadableCache(Struct, frozen=True):
    """An entry of a list that cannot be read."""

    label: str
    """Its display name, as far as it has one."""
    reason: str


class CacheListing(Struct, frozen=True, kw_only=True):
    """A page of a list, or all of its pages, as far as they can be read."""

    caches: list[cache.CachedContext]
    next_token: str = ""
    """Empty: it was the last."""
    skipped: tuple[UnreadableCache, ...] = ()
    at: datetime | None = None
    """The server's clock, at the last page, if it showed one."""


def read_context(json: cache.Json) -> cache.CachedContext:
    """Read a cache as the server reports it.  Raises ValueError."""
    try:
        return _context(convert(json, _Cached))
    except ValidationError as error:
        raise ValueError(f"this is not a cached content: {error}") from error


def read_page(json: cache.Json) -> CacheListing:
    """
    Read one page of a list; an entry that cannot be read hides no other.

    Raises ValueError if it is none.
    """
    try:
        raw = convert(json, _RawPage)
    except ValidationError as error:
        raise ValueError(f"this is not a list of cached contents: {error}") from error
    caches: list[cache.CachedContext] = []
    skipped: list[UnreadableCache] = []
    for entry in raw.cached_contents or ():
        try:
            caches.append(read_context(entry))
        except ValueError as error:
            skipped.append(UnreadableCache(_label_of(entry), str(error)))
    return CacheListing(caches=caches, next_token=raw.next_page_token or "", skipped=tuple(skipped))


def _label_of(entry: object) -> str:
    label = entry.get("displayName") if isinstance(entry, Mapping) else None
    return label if isinstance(label, str) else ""


def _context(cached: _Cached) -> cache.CachedContext:
    if not cache.CACHE_NAME.fullmatch(cached.name):
        raise ValueError("this is not a cached content")
    end, made = parse_moment(cached.expire_time), parse_moment(cached.create_time)
    updated = cached.update_time or cached.create_time
    usage = cached.usage_metadata
    return cache.CachedContext(
        handle=cache.GeminiHandle(cached.name, end),
        model=cached.model.rpartition("/")[2],
        display_name=cached.display_name or "",
        created_at=made,
        updated_at=made if updated == cached.create_time else parse_moment(updated),
        expires_at=end,
        token_count=_whole(usage.total_token_count) if usage else 0,
    )


def read_count(json: cache.Json) -> int:
    """Read the total of a count of tokens.  Raises ValueError."""
    match json:
        case {"totalTokens": total}:
            return _whole(total)
        case _:
            raise ValueError("this is not a count of tokens")


def _held(content: cache.CacheContent, model: str) -> dict[str, Any]:
    """Everything a cache is made of; what is not there is left out, a caller's JSON is encoded."""
    system, config = content.system_instruction, content.tool_config
    fields = {
        "model": f"models/{model}",
        "systemInstruction": _turn([{"text": system}]) if system else None,
        "contents": [_turn([_part(part) for part in content.parts])] if content.parts else None,
        "tools": _fragment(content.tools) if content.tools else None,
        "toolConfig": None if config is None else _fragment(config),
    }
    return {name: value for name, value in fields.items() if value is not None}


def _fragment(value: cache.Json) -> orjson.Fragment:
    from provisioner.providers.encoding import json_bytes  # noqa: PLC0415  # for tools alone

    return orjson.Fragment(json_bytes(value))


def _body(fields: Mapping[str, object]) -> bytes:
    """Encode a body of text, which is fast for long texts, and of fragments that are encoded."""
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        reason = "the content cannot be sent as JSON: is not valid Unicode"
        raise InvalidCacheConfiguration(reason) from error


def _turn(parts: list[cache.Json]) -> cache.Json:
    return {"role": "user", "parts": parts}


def _part(part: cache.Part) -> cache.Json:
    match part:
        case cache.TextPart(text):
            return {"text": text}
        case cache.InlinePart(mime_type, content):
            encoded = b64encode(content).decode("ascii")
            return {"inlineData": {"mimeType": mime_type, "data": encoded}}
        case cache.UriPart(mime_type, uri):
            return {"fileData": {"mimeType": mime_type, "fileUri": uri}}


def _moment(moment: datetime) -> str:
    if moment.utcoffset() is None:
        raise InvalidCacheConfiguration(_NAIVE)
    try:
        return moment_text(moment)
    except OverflowError as error:
        reason = "expires_at lies outside the years 1 to 9999 in UTC"
        raise InvalidCacheConfiguration(reason) from error


def _seconds(ttl: timedelta) -> str:
    if ttl <= timedelta():
        raise InvalidCacheConfiguration(f"a cache has to live for a while, not for {ttl}")
    whole, rest = divmod(ttl, timedelta(seconds=1))
    fraction = f".{rest.microseconds:06}" if rest else ""
    return f"{whole}{fraction}s"


def _whole(number: cache.Json) -> int:
    """Proto JSON spells an int64 as text."""
    text = str(number)
    if _NUMBER.fullmatch(text):
        return int(text)
    raise ValueError("a count of tokens is a whole number")
