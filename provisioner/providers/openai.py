"""
OpenAI: a cache is a key and a life in the request.

A model has the lives that the catalog lists; for a model that it does not list, its family
decides.
A life decides the field: `prompt_cache_options` for those that came with gpt-5.6,
`prompt_cache_retention` for those from before.  It never asks for `mode: explicit`, which
without a breakpoint in the request turns caching off.  Sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import cache
from hashlib import sha256
from typing import Final, Literal

from provisioner.cache import (
    CacheContent,
    CacheHandle,
    InlinePart,
    Json,
    OpenAIHandle,
    Part,
    TextPart,
    UriPart,
)
from provisioner.catalog import Catalog, load_catalog
from provisioner.errors import InvalidCacheConfiguration
from provisioner.model.model_catalog import Model
from provisioner.providers.annotations import AnnotationCache, at_least
from provisioner.providers.encoding import json_bytes

DEFAULT_MODEL: Final = "gpt-6.1-terra"
LONGEST_KEY: Final = 64

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


def ttls_of(model: str, listed: Model | None) -> tuple[timedelta, ...]:
    """
    The lives that *model* has on offer, the provider's default first.

    *listed* is what the catalog says of it; None if it is not listed.
    """
    lives = [offer.ttl for offer in listed.offers] if listed else []
    return tuple(life for life in lives if life in _OPTIONS or life in _RETENTION) or _family(model)


def handle_of(key: str, model: str, ttl: timedelta, listed: Model | None) -> OpenAIHandle:
    """
    The fields for a life of *ttl*, rounded up to one that *model* has.

    Raises InvalidCacheConfiguration above the longest, and for an empty or too long key.
    """
    if not 0 < len(key) <= LONGEST_KEY:
        raise InvalidCacheConfiguration(f"a prompt_cache_key has 1 to {LONGEST_KEY} characters")
    life = at_least(ttl, ttls_of(model, listed), model)
    if life in _OPTIONS:
        return OpenAIHandle(key, {"ttl": _OPTIONS[life]})
    return OpenAIHandle(key, None, _RETENTION[life])


def cache_key(stack: str, name: str) -> str:
    """The key of one cache of a stack.  It stays the same when the content changes."""
    key = f"{stack}.{name}"
    return key if len(key) <= LONGEST_KEY else _short(key.encode())


class OpenAIContextCache(AnnotationCache):
    """
    OpenAI behind the four verbs.  No I/O, no key.

    Without a *prompt_cache_key*, each content gets one of its own.
    """

    provider = "openai"

    def __init__(self, *, model: str = DEFAULT_MODEL, prompt_cache_key: str | None = None) -> None:
        self.model = model
        self.prompt_cache_key = prompt_cache_key

    async def create_cache(self, content: str | CacheContent, ttl: timedelta) -> OpenAIHandle:
        """Compute the fields to send along with *content*."""
        key = self.prompt_cache_key
        listed = _catalog().find(self.provider, self.model)
        return handle_of(key if key is not None else _key_of(content), self.model, ttl, listed)

    def owns(self, handle: CacheHandle) -> bool:
        return isinstance(handle, OpenAIHandle)


@cache
def _catalog() -> Catalog:
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
    config = whole.tool_config
    return _short(
        json_bytes(
            [
                [_part_fields(part) for part in whole.parts],
                whole.system_instruction,
                [_sorted(tool) for tool in whole.tools],
                None if config is None else _sorted(config),
            ]
        )
    )


def _part_fields(part: Part) -> list[str]:
    match part:
        case TextPart(text):
            return ["text", text]
        case InlinePart(mime_type, content):
            return ["inline", mime_type, sha256(content).hexdigest()]
        case UriPart(mime_type, uri):
            return ["uri", mime_type, uri]


def _sorted(json: Json) -> Json:
    match json:
        case Mapping():
            return {key: _sorted(json[key]) for key in sorted(json)}
        case list() | tuple():
            return [_sorted(value) for value in json]
        case _:
            return json


def _short(name: bytes) -> str:
    return f"ctxprov-{sha256(name).hexdigest()[:40]}"
