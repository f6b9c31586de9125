"""
The nouns of the context cache API, and its protocol.

A `CacheContent` goes in, a `CacheHandle` comes out; a `CachedContext` is what a provider
reports of a cache that exists.  Everything here is a frozen value.  Nothing here does
I/O, reads a clock or knows a wire format.

>>> GeminiHandle("cachedContents/abc").as_json()
{'provider': 'gemini', 'cache_name': 'cachedContents/abc'}
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Final, Literal, Protocol, Self, TypeAlias, TypedDict

from provisioner.times import moment_text, parse_moment

CACHE_NAME: Final = re.compile(
    r"(?:projects/[A-Za-z0-9][A-Za-z0-9.:_-]*/locations/[a-z0-9-]+/)?cachedContents/[A-Za-z0-9_-]+",
    re.ASCII,
)
"""How a live cache is named: on the Developer API, or in full on Vertex AI."""

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text, sent as text."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class InlinePart:
    """Bytes of a MIME type (a PDF, an image, audio, video), sent along inline."""

    mime_type: str
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class UriPart:
    """Content that the provider fetches: a Files API URI or `gs://…`."""

    mime_type: str
    uri: str


Part: TypeAlias = TextPart | InlinePart | UriPart


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheContent:
    """
    What a cache holds: one user turn of parts, and what comes before it.

    `tools` and `tool_config` are JSON in the provider's own shape.
    """

    parts: tuple[Part, ...] = ()
    system_instruction: str | None = field(default=None, repr=False)
    tools: tuple[Mapping[str, Json], ...] = ()
    tool_config: Mapping[str, Json] | None = None

    @classmethod
    def of(cls, content: str | CacheContent) -> CacheContent:
        """Take a plain string as one text part."""
        return content if isinstance(content, CacheContent) else cls(parts=(TextPart(content),))


class CacheControl(TypedDict):
    """Anthropic's marker of a cache breakpoint."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"]


class PromptCacheOptions(TypedDict):
    """OpenAI's caching options of a request, for gpt-5.6 and later."""

    ttl: Literal["30m", "12h"]


@dataclass(frozen=True, slots=True)
class ClaudeHandle:
    """The `cache_control` to put on the last block of the shared prefix."""

    cache_control: CacheControl

    def as_json(self) -> dict[str, Json]:
        return {"provider": "claude", "cache_control": {"type": "ephemeral", "ttl": self.ttl}}

    @property
    def ttl(self) -> Literal["5m", "1h"]:
        return self.cache_control["ttl"]


@dataclass(frozen=True, slots=True)
class OpenAIHandle:
    """
    Fields to merge into a request; those that are `None` stay out of it.

    `prompt_cache_options` is for gpt-5.6 and later, `prompt_cache_retention` for
    the models before; never both.
    """

    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None

    def as_json(self) -> dict[str, Json]:
        return {"provider": "openai", **self.request_fields()}

    def request_fields(self) -> dict[str, Json]:
        """What goes into the request, ready to be merged."""
        options = self.prompt_cache_options
        fields: dict[str, Json] = {
            "prompt_cache_key": self.prompt_cache_key,
            "prompt_cache_options": {"ttl": options["ttl"]} if options else None,
            "prompt_cache_retention": self.prompt_cache_retention,
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class GeminiHandle:
    """
    The `cachedContent` to name in a request.

    `expires_at` (aware UTC) is what the holder last knew; it is not compared, and lets a
    caller be told *expired* rather than *not found*.
    """

    cache_name: str
    expires_at: datetime | None = field(default=None, compare=False)

    def as_json(self) -> dict[str, Json]:
        known = {"expires_at": moment_text(self.expires_at)} if self.expires_at else {}
        return {"provider": "gemini", "cache_name": self.cache_name, **known}


CacheHandle: TypeAlias = ClaudeHandle | OpenAIHandle | GeminiHandle


def handle_from_json(json: Json) -> CacheHandle:
    """Read back what `as_json` wrote.  Raises ValueError if it is anything else."""
    match json:
        case {"provider": "claude", "cache_control": {"ttl": "5m" | "1h" as ttl}}:
            return ClaudeHandle({"type": "ephemeral", "ttl": ttl})
        case Mapping() as fields if fields.get("provider") == "openai":
            return _openai_handle(fields)
        case {"provider": "gemini", "cache_name": str(name), "expires_at": str(moment)}:
            return GeminiHandle(name, parse_moment(moment))
        case {"provider": "gemini", "cache_name": str(name), **rest} if "expires_at" not in rest:
            return GeminiHandle(name)
        case _:
            raise ValueError("this is not a handle of claude, openai or gemini")


def _openai_handle(fields: Mapping[str, Json]) -> OpenAIHandle:
    key = fields.get("prompt_cache_key")
    if key is None or isinstance(key, str):
        match fields.get("prompt_cache_options"), fields.get("prompt_cache_retention"):
            case {"ttl": "30m" | "12h" as ttl}, None:
                return OpenAIHandle(key, {"ttl": ttl})
            case None, (None | "in_memory" | "24h") as retention:
                return OpenAIHandle(key, None, retention)
            case _:
                pass
    raise ValueError("this is not a handle of openai")


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedContext:
    """
    A cache as its provider reports it.  All moments are aware UTC.

    `model` is the bare id (`gemini-3.8-flash`); `display_name` is whatever somebody
    wrote there and must be escaped before it is shown.
    """

    handle: GeminiHandle
    model: str
    display_name: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    token_count: int

    @property
    def granted(self) -> timedelta:
        """The life given at the last write: what a window for refreshing is measured by."""
        return self.expires_at - self.updated_at

    def remaining(self, now: datetime) -> timedelta:
        """How much longer it lives; never negative."""
        return max(self.expires_at - now, timedelta())

    def is_expired(self, now: datetime) -> bool:
        return now >= self.expires_at


class ContextCache(Protocol):
    """
    Four verbs, the same for every provider.

    Each raises nothing but `CacheError`.  Where a provider keeps no cache that could
    be asked for, `get_cache` raises `ProviderNotSupported`, and refresh and delete do
    nothing.
    """

    async def create_cache(self, content: str | CacheContent, ttl: timedelta) -> CacheHandle:
        """Make a cache of *content* that lives for *ttl*, and say how to use it."""
        ...

    async def get_cache(self, handle: CacheHandle) -> CachedContext | None:
        """Ask for a cache; None if it does not exist (any more)."""
        ...

    async def refresh_cache(
        self, handle: CacheHandle, ttl: timedelta | None = None
    ) -> CachedContext | None:
        """
        Let the cache live *ttl* from now; without one, the cache's `default_ttl`.

        Raises `CacheExpired` if the handle says its time had passed, else `CacheNotFound`.
        """
        ...

    async def delete_cache(self, handle: CacheHandle) -> None:
        """Make sure that the cache does not exist."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
