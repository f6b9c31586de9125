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
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import (
    Final,
    Literal,
    NotRequired,
    Protocol,
    Self,
    TypeAlias,
    TypedDict,
    runtime_checkable,
)

from provisioner.arguments import (
    check_mapping,
    check_moment,
    check_sequence,
    check_text,
    wrong_type,
)
from provisioner.times import moment_text, parse_moment

CACHE_NAME: Final = re.compile(
    r"(?:projects/[A-Za-z0-9][A-Za-z0-9.:_-]*/locations/[a-z0-9-]+/)?cachedContents/[A-Za-z0-9_-]+",
    re.ASCII,
)
"""How a live cache is named: on the Developer API, or in full on Vertex AI."""

BeforeSending: TypeAlias = "Callable[[], Awaitable[None]]"
"""What a call awaits once its quota lets it out; what it raises keeps it from being sent."""
Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text, sent as text."""

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        check_text("the text of a TextPart", self.text)


@dataclass(frozen=True, slots=True)
class InlinePart:
    """Bytes of a MIME type (a PDF, an image, audio, video), sent along inline."""

    mime_type: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        check_text("mime_type", self.mime_type)
        if not isinstance(self.content, bytes):
            raise wrong_type("the content of an InlinePart", "bytes", self.content)


@dataclass(frozen=True, slots=True)
class UriPart:
    """Content that the provider fetches: a Files API URI or `gs://…`."""

    mime_type: str
    uri: str

    def __post_init__(self) -> None:
        check_text("mime_type", self.mime_type)
        check_text("uri", self.uri)


Part: TypeAlias = TextPart | InlinePart | UriPart


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheContent:
    """
    What a cache holds: one user turn of parts, and what comes before it.

    `tools` and `tool_config` are JSON in the provider's own shape.  Raises TypeError for a part
    that is none.
    """

    parts: Sequence[Part] = ()
    system_instruction: str | None = field(default=None, repr=False)
    tools: Sequence[Mapping[str, Json]] = ()
    tool_config: Mapping[str, Json] | None = None

    def __post_init__(self) -> None:
        check_sequence("parts", self.parts)
        for part in self.parts:
            if not isinstance(part, Part):
                expected = "a TextPart, an InlinePart or a UriPart"
                raise wrong_type("a part", expected, part, instead="TextPart(…)")
        if self.system_instruction is not None:
            check_text("system_instruction", self.system_instruction)
        check_sequence("tools", self.tools)
        for tool in self.tools:
            check_mapping("a tool", tool)
        if self.tool_config is not None:
            check_mapping("tool_config", self.tool_config)
        object.__setattr__(self, "parts", tuple(self.parts))
        object.__setattr__(self, "tools", tuple(self.tools))

    @classmethod
    def of(cls, content: str | CacheContent) -> CacheContent:
        """Take a plain string as one text part.  Raises TypeError for anything else."""
        match content:
            case CacheContent():
                return content
            case str():
                return cls(parts=(TextPart(content),))
            case _:
                raise wrong_type("content", "a str or a CacheContent", content)


class CacheControl(TypedDict):
    """Anthropic's marker of a cache breakpoint; without a ttl it is the default of 5m."""

    type: Literal["ephemeral"]
    ttl: NotRequired[Literal["5m", "1h"]]


class PromptCacheOptions(TypedDict):
    """OpenAI's caching options of a request, for gpt-5.6 and later."""

    ttl: Literal["30m", "12h"]


@dataclass(frozen=True, slots=True)
class ClaudeHandle:
    """
    The `cache_control` to put on the last block of the shared prefix, its ttl spelled out.

    Raises ValueError for a marker that Anthropic does not have.
    """

    cache_control: CacheControl

    def __post_init__(self) -> None:
        check_mapping("cache_control", self.cache_control)
        match dict(self.cache_control):
            case {"type": "ephemeral", **rest} if rest in ({}, {"ttl": "5m"}, {"ttl": "1h"}):
                spelled: CacheControl = {"type": "ephemeral", "ttl": self.ttl}
                object.__setattr__(self, "cache_control", spelled)
            case _:
                raise ValueError(
                    'a cache_control is {"type": "ephemeral"}, with a "ttl" of "5m" or "1h" if any'
                )

    def __hash__(self) -> int:
        return hash((ClaudeHandle, self.ttl))

    def as_json(self) -> dict[str, Json]:
        return {"provider": "claude", "cache_control": {"type": "ephemeral", "ttl": self.ttl}}

    @property
    def ttl(self) -> Literal["5m", "1h"]:
        return self.cache_control.get("ttl", "5m")


@dataclass(frozen=True, slots=True)
class OpenAIHandle:
    """
    Fields to merge into a request; those that are `None` stay out of it.

    `prompt_cache_options` is for gpt-5.6 and later, `prompt_cache_retention` for
    the models before; never both.  Raises ValueError for what OpenAI does not have.
    """

    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None

    def __post_init__(self) -> None:
        if self.prompt_cache_key is not None:
            check_text("prompt_cache_key", self.prompt_cache_key)
        options = self.prompt_cache_options
        if options is not None:
            check_mapping("prompt_cache_options", options)
        match options, self.prompt_cache_retention:
            case (None, None | "in_memory" | "24h") | ({"ttl": "30m" | "12h"}, None):
                pass
            case _:
                raise ValueError(
                    'prompt_cache_options is {"ttl": "30m"} or {"ttl": "12h"}, and'
                    ' prompt_cache_retention "in_memory" or "24h"; never both'
                )

    def __hash__(self) -> int:
        ttl = self.prompt_cache_options["ttl"] if self.prompt_cache_options else None
        return hash((OpenAIHandle, self.prompt_cache_key, ttl, self.prompt_cache_retention))

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
    client raise `CacheExpired` rather than `CacheNotFound`.
    """

    cache_name: str
    expires_at: datetime | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        check_text("cache_name", self.cache_name)
        if self.expires_at is not None:
            check_moment("expires_at", self.expires_at)

    def as_json(self) -> dict[str, Json]:
        expiry = {"expires_at": moment_text(self.expires_at)} if self.expires_at else {}
        return {"provider": "gemini", "cache_name": self.cache_name, **expiry}


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

    `model` is the bare id (`gemini-3.8-flash`); `display_name` is free text that any client
    may have written and must be escaped before it is shown.
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


@runtime_checkable
class ContextCache(Protocol):
    """
    Four verbs, the same for every provider.

    Each raises nothing but `CacheError`, and TypeError for an argument of a wrong type.  Where
    a provider keeps no cache that could be asked for, `get_cache` raises
    `ProviderNotSupported`, and refresh and delete do nothing.
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
