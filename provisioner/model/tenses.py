"""
One cache has three tenses: *desired* (manifest and content), *recorded* (state) and
*live* (what Gemini reports).

An annotation, the request fragment of a Claude or OpenAI entry, has the first two only.
Everything here is a frozen value that holds no content and no key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from fractions import Fraction
from types import MappingProxyType
from typing import Literal, Self, TypeAlias

from provisioner.cache import CachedContext, CacheHandle, GeminiHandle

TOLERANCE = timedelta(seconds=2)
"""How far two moments may lie apart and still be the same."""

_WORD = r"[a-z0-9][a-z0-9-]*"
_LABEL = re.compile(
    rf"ctxprov:(?P<stack>{_WORD}(?:\.{_WORD})?)/(?P<name>{_WORD})@(?P<mark>[0-9a-f]{{16}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """
    What we write into a live cache: whose it is, and the first 16 digits of its digest.

    It lets us recognise a cache that we never got to record.
    """

    stack: str
    name: str
    mark: str

    def __str__(self) -> str:
        return f"ctxprov:{self.stack}/{self.name}@{self.mark}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        found = _LABEL.fullmatch(text)
        return cls(**found.groupdict()) if found else None


@dataclass(frozen=True, slots=True)
class Ttl:
    """A life that begins anew with every refresh."""

    span: timedelta


@dataclass(frozen=True, slots=True)
class Until:
    """A life that ends at one moment (aware UTC) and is never refreshed."""

    moment: datetime


Life: TypeAlias = Ttl | Until


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a live cache is looked after.  It lives in the record, not on the server."""

    refresh_before: timedelta | Fraction = Fraction(1, 3)
    """The window before expiry, or its share of the granted life."""
    retire_after: timedelta = timedelta(hours=1)
    keep: Literal["warm", "once"] = "warm"
    protect: bool = False

    def window(self, granted: timedelta) -> timedelta:
        """How long before its expiry a cache is refreshed: never above half its life."""
        match self.refresh_before:
            case timedelta() as asked:
                return min(asked, granted / 2)
            case share:
                return min(granted * share.numerator / share.denominator, granted / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What may be told of content without showing any of it."""

    paths: tuple[str, ...] = ()
    """As the manifest spells them, in order."""
    size: int = 0
    """Bytes."""
    tokens: int = 0
    """An estimate, unless `counted`."""
    counted: bool = False
    """Whether the provider said how many tokens there are."""
    pieces: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The first digits of each piece's digest: files, parts, and every leaf of tools."""


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """What an entry asks for: two that are equal need no edit.  Annotations have no settings."""

    provider: str
    model: str
    digest: str
    life: Life
    settings: Settings | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredCache:
    """A Gemini cache as the manifest wants it."""

    name: str
    provider: str
    model: str
    digest: str
    life: Life
    settings: Settings
    label: Label
    measure: Measure
    adopt: str | None = None
    """The id of a live cache to take over while nothing is on record."""
    calls_per_hour: float | None = None

    @property
    def after(self) -> After:
        return _after(self, self.settings)


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredAnnotation:
    """A Claude or OpenAI entry as the manifest wants it, its handle computed."""

    name: str
    provider: str
    model: str
    digest: str
    life: Ttl
    handle: CacheHandle
    measure: Measure
    calls_per_hour: float | None = None

    @property
    def after(self) -> After:
        return _after(self, None)


Desired: TypeAlias = DesiredCache | DesiredAnnotation


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCache:
    """A cache as the provider reports it.  Its content cannot be read back."""

    provider: str
    id: str
    label: Label | None
    model: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    tokens: int

    @classmethod
    def of(cls, provider: str, seen: CachedContext) -> Self:
        return cls(
            provider=provider,
            id=seen.handle.cache_name,
            label=Label.parse(seen.display_name),
            model=seen.model,
            created_at=seen.created_at,
            updated_at=seen.updated_at,
            expires_at=seen.expires_at,
            tokens=seen.token_count,
        )

    @property
    def granted(self) -> timedelta:
        return self.expires_at - self.updated_at

    @property
    def handle(self) -> GeminiHandle:
        return GeminiHandle(self.id, self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedCache:
    """A Gemini cache as we left it."""

    name: str
    provider: str
    model: str
    digest: str
    life: Life
    settings: Settings
    id: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    measure: Measure

    @classmethod
    def of(cls, want: DesiredCache, seen: LiveCache, *, counted: bool) -> Self:
        """What is on record of *want* once *seen* is its cache."""
        return cls(
            name=want.name,
            provider=want.provider,
            model=want.model,
            digest=want.digest,
            life=want.life,
            settings=want.settings,
            id=seen.id,
            created_at=seen.created_at,
            updated_at=seen.updated_at,
            expires_at=seen.expires_at,
            measure=replace(want.measure, tokens=seen.tokens, counted=counted),
        )

    @property
    def after(self) -> After:
        return _after(self, self.settings)

    @property
    def handle(self) -> GeminiHandle:
        return GeminiHandle(self.id, self.expires_at)

    @property
    def retire_after(self) -> timedelta:
        return self.settings.retire_after


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAnnotation:
    """An annotation as we published it."""

    name: str
    provider: str
    model: str
    digest: str
    life: Ttl
    handle: CacheHandle
    updated_at: datetime
    measure: Measure

    @classmethod
    def of(cls, want: DesiredAnnotation, at: datetime) -> Self:
        """What is on record of *want* once it is written down."""
        return cls(
            name=want.name,
            provider=want.provider,
            model=want.model,
            digest=want.digest,
            life=want.life,
            handle=want.handle,
            updated_at=at,
            measure=want.measure,
        )

    @property
    def after(self) -> After:
        return _after(self, None)


Recorded: TypeAlias = RecordedCache | RecordedAnnotation


@dataclass(frozen=True, slots=True, kw_only=True)
class RetiringCache:
    """A replaced or removed cache that may still have running clients."""

    name: str
    provider: str
    model: str
    id: str
    retire_after: timedelta
    until: datetime
    """It certainly lives until then, unless somebody else interferes."""
    expires_at: datetime | None = None
    """The server's word once it is retired; None while that is still to be done."""

    @property
    def handle(self) -> GeminiHandle:
        return GeminiHandle(self.id, self.until)


def _after(entry: Desired | Recorded, settings: Settings | None) -> After:
    return After(
        provider=entry.provider,
        model=entry.model,
        digest=entry.digest,
        life=entry.life,
        settings=settings,
    )
