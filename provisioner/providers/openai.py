"""
OpenAI: a cache is a key and a life in the request.

Decides which fields a model family understands: `prompt_cache_options` from gpt-5.6 on,
`prompt_cache_retention` before.  It never asks for `mode: explicit`, which without a
breakpoint in the request turns caching off.  Sends nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Final, Literal, TypeAlias

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
from provisioner.errors import InvalidCacheConfiguration
from provisioner.providers.annotations import Annotating, at_least
from provisioner.providers.encoding import json_bytes

DEFAULT_MODEL: Final = "gpt-6.1-terra"
LONGEST_KEY: Final = 64

_Options: TypeAlias = Mapping[timedelta, Literal["30m", "12h"]]
_Retention: TypeAlias = Mapping[timedelta, Literal["in_memory", "24h"]]

_OPTIONS: Final[_Options] = {timedelta(minutes=30): "30m", timedelta(hours=12): "12h"}
_RETENTION: Final[_Retention] = {timedelta(hours=1): "in_memory", timedelta(hours=24): "24h"}
_LONG_RETENTION: Final[_Retention] = {timedelta(hours=24): "24h"}

_VERSION: Final = re.compile(r"gpt-(\d{1,3})(?:\.(\d{1,3}))?", re.ASCII)
_REASONING: Final = re.compile(r"(?:ft:)?o\d", re.ASCII)


def ttls_of(model: str) -> tuple[timedelta, ...]:
    """The lives that *model* has on offer; the first is the provider's default."""
    options, retention = _offered(model)
    return (*options, *retention)


def handle_of(key: str, model: str, ttl: timedelta) -> OpenAIHandle:
    """
    The fields for a life of *ttl*, rounded up to one that *model* has.

    Raises InvalidCacheConfiguration above the longest, and for an empty or too long key.
    """
    if not 0 < len(key) <= LONGEST_KEY:
        raise InvalidCacheConfiguration(f"a prompt_cache_key has 1 to {LONGEST_KEY} characters")
    options, retention = _offered(model)
    life = at_least(ttl, ttls_of(model), model)
    if life in options:
        return OpenAIHandle(key, {"ttl": options[life]})
    return OpenAIHandle(key, None, retention[life])


def cache_key(stack: str, name: str) -> str:
    """The key of one cache of a stack.  It stays the same when the content changes."""
    key = f"{stack}.{name}"
    return key if len(key) <= LONGEST_KEY else _short(key.encode())


class OpenAIContextCache(Annotating):
    """
    OpenAI behind the four verbs.  No I/O, no key.

    Without a *prompt_cache_key*, each content gets one of its own.
    """

    provider = "openai"

    def __init__(self, *, model: str = DEFAULT_MODEL, prompt_cache_key: str | None = None) -> None:
        self.model = model
        self.prompt_cache_key = prompt_cache_key

    async def create_cache(self, content: str | CacheContent, ttl: timedelta) -> CacheHandle:
        """Compute the fields to send along with *content*."""
        key = self.prompt_cache_key
        return handle_of(key if key is not None else _key_of(content), self.model, ttl)

    def owns(self, handle: CacheHandle) -> bool:
        return isinstance(handle, OpenAIHandle)


def _offered(model: str) -> tuple[_Options, _Retention]:
    match _version(model):
        case version if version >= (5, 6):
            return _OPTIONS, {}
        case (5, 5):
            return {}, _LONG_RETENTION
        case _:
            return {}, _RETENTION


def _version(model: str) -> tuple[int, int]:
    """A name we cannot place is newer than this module, unless it starts like o3."""
    if found := _VERSION.search(model):
        return int(found[1]), int(found[2] or 0)
    return (4, 0) if _REASONING.match(model) else (1000, 0)


def _key_of(content: str | CacheContent) -> str:
    said = CacheContent.of(content)
    config = said.tool_config
    return _short(
        json_bytes(
            [
                [_told(part) for part in said.parts],
                said.system_instruction,
                [_sorted(tool) for tool in said.tools],
                None if config is None else _sorted(config),
            ]
        )
    )


def _told(part: Part) -> list[str]:
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
            return [_sorted(one) for one in json]
        case _:
            return json


def _short(name: bytes) -> str:
    return f"ctxprov-{sha256(name).hexdigest()[:40]}"
