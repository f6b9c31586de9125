"""
Claude and OpenAI: caches that no request can ask for.

Their entries are request fragments.  Computing one is arithmetic on the TTLs that a provider
offers, which it decides; getting one back is impossible; refreshing and deleting happen by
themselves.  Sends nothing: a cache is written when a request that carries the fragment reaches
the provider.

Claude's is a marker in the request, `cache_control`.  OpenAI's is a key and a life.  A model of
OpenAI has the lives that the catalog lists; for a model that it does not list, its family
decides.  A life decides the field: `prompt_cache_options` for those that came with gpt-5.6,
`prompt_cache_retention` for those from before.  It never asks for `mode: explicit`, which
without a breakpoint in the request turns caching off.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache
from hashlib import sha256
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Self

from provisioner.arguments import check_span
from provisioner.cache import (
    CacheContent,
    CachedContext,
    CacheHandle,
    ClaudeHandle,
    InlinePart,
    Json,
    OpenAIHandle,
    Part,
    TextPart,
    UriPart,
)
from provisioner.errors import InvalidCacheConfiguration, ProviderNotSupported, name_of
from provisioner.providers.encoding import json_bytes
from provisioner.times import duration_text

if TYPE_CHECKING:
    from provisioner.catalog import Catalog
    from provisioner.model.rates import Model

CLAUDE_TTLS: Final[Mapping[timedelta, Literal["5m", "1h"]]] = {
    timedelta(minutes=5): "5m",
    timedelta(hours=1): "1h",
}
"""The lives on offer, as Claude spells them; the first is its default."""
OPENAI_MODEL: Final = "gpt-6.1-terra"
_LONGEST_KEY: Final = 64

_DAY: Final = timedelta(hours=24)
_OPTIONS: Final[Mapping[timedelta, Literal["30m", "12h"]]] = {
    timedelta(minutes=30): "30m",
    timedelta(hours=12): "12h",
}
_RETENTION: Final[Mapping[timedelta, Literal["in_memory", "24h"]]] = {
    timedelta(hours=1): "in_memory",
    _DAY: "24h",
}

_VERSION: Final = re.compile(r"gpt-(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)
_REASONING: Final = re.compile(r"(?:ft:)?o\d", re.ASCII)


class _AnnotationCache(ABC):
    """The verbs of a provider without cache objects: all of them but `create_cache`."""

    provider: str

    @abstractmethod
    def owns(self, handle: CacheHandle) -> bool:
        """Whether *handle* belongs to this provider."""

    async def get_cache(self, handle: CacheHandle) -> CachedContext | None:
        """Raise ProviderNotSupported: there is no cache that could be asked for."""
        self._check(handle)
        raise ProviderNotSupported(self.provider)

    async def refresh_cache(self, handle: CacheHandle, ttl: timedelta | None = None) -> None:
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


def claude_handle(ttl: timedelta) -> ClaudeHandle:
    """
    The marker for a life of *ttl*, rounded up to one on offer.

    Raises InvalidCacheConfiguration above an hour.
    """
    life = at_least(ttl, CLAUDE_TTLS, "claude")
    return ClaudeHandle({"type": "ephemeral", "ttl": CLAUDE_TTLS[life]})


class ClaudeContextCache(_AnnotationCache):
    """Claude behind the four verbs.  No I/O, no key."""

    provider = "claude"

    async def create_cache(self, content: str | CacheContent, ttl: timedelta) -> ClaudeHandle:
        """Compute the marker to put on the last block of *content*; it is the same for any."""
        CacheContent.of(content)
        return claude_handle(ttl)

    def owns(self, handle: CacheHandle) -> bool:
        return isinstance(handle, ClaudeHandle)


def openai_ttls(model: str, listed: Model | None) -> tuple[timedelta, ...]:
    """
    The lives that *model* has on offer, the provider's default first.

    *listed* is what the catalog says of it; None if it is not listed.
    """
    lives = [offer.ttl for offer in listed.offers] if listed else []
    return tuple(life for life in lives if life in _OPTIONS or life in _RETENTION) or _family(model)


def openai_handle(key: str, model: str, ttl: timedelta, listed: Model | None) -> OpenAIHandle:
    """
    The fields for a life of *ttl*, rounded up to one that *model* has.

    Raises InvalidCacheConfiguration above the longest, and for an empty or too long key.
    """
    if not 0 < len(key) <= _LONGEST_KEY:
        raise InvalidCacheConfiguration(f"a prompt_cache_key has 1 to {_LONGEST_KEY} characters")
    life = at_least(ttl, openai_ttls(model, listed), model)
    if life in _OPTIONS:
        return OpenAIHandle(key, {"ttl": _OPTIONS[life]})
    return OpenAIHandle(key, None, _RETENTION[life])


def openai_key(stack: str, name: str) -> str:
    """The key of one cache of a stack.  It stays the same when the content changes."""
    key = f"{stack}.{name}"
    return key if len(key) <= _LONGEST_KEY else _short(key.encode())


class OpenAIContextCache(_AnnotationCache):
    """
    OpenAI behind the four verbs.  No I/O, no key.

    Without a *prompt_cache_key*, each content gets one of its own.
    """

    provider = "openai"

    def __init__(self, *, model: str = OPENAI_MODEL, prompt_cache_key: str | None = None) -> None:
        self.model = model
        self.prompt_cache_key = prompt_cache_key

    async def create_cache(self, content: str | CacheContent, ttl: timedelta) -> OpenAIHandle:
        """Compute the fields to send along with *content*."""
        key = self.prompt_cache_key
        listed = _catalog().find(self.provider, self.model)
        return openai_handle(key if key is not None else _key_of(content), self.model, ttl, listed)

    def owns(self, handle: CacheHandle) -> bool:
        return isinstance(handle, OpenAIHandle)


@cache
def _catalog() -> Catalog:
    from provisioner.catalog import load_catalog  # noqa: PLC0415  # a manifest brings its own

    return load_catalog()


def _family(model: str) -> tuple[timedelta, ...]:
    match _version(model):
        case version if version >= (5, 6):
            return tuple(_OPTIONS)
        case (5, 5):
            return (_DAY,)
        case _:
            return tuple(_RETENTION)


def _version(model: str) -> tuple[int, int]:
    """A name of no pattern here is newer than this module, unless it starts like o3."""
    if match := _VERSION.search(model):
        return int(match[1]), int(match[2] or 0)
    return (4, 0) if _REASONING.match(model) else (1000, 0)


def _key_of(content: str | CacheContent) -> str:
    whole = CacheContent.of(content)
    parts = [_part_fields(part) for part in whole.parts]
    fields: Json = [parts, whole.system_instruction, whole.tools, whole.tool_config]
    return _short(json_bytes(fields, sort_keys=True))


def _part_fields(part: Part) -> list[str]:
    match part:
        case TextPart(text):
            return ["text", text]
        case InlinePart(mime_type, content):
            return ["inline", mime_type, sha256(content).hexdigest()]
        case UriPart(mime_type, uri):
            return ["uri", mime_type, uri]


def _short(name: bytes) -> str:
    return f"ctxprov-{sha256(name).hexdigest()[:40]}"
