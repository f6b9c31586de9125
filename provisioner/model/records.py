"""
One cache has three tenses: *desired* (manifest and content), *recorded* (state) and
*live* (what Gemini reports).

An annotation, the request fragment of a Claude or OpenAI entry, has the first two only.
Everything here is a frozen value that holds no content and no key.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from typing import ClassVar, Self, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from provisioner.cache import CachedContext, CacheHandle, GeminiHandle
from provisioner.model.attributes import Adoption, After, Label, Life, Measure, Settings, Ttl

CACHING = "gemini"
"""The one kind of provider that keeps caches; a manifest may name several projects of it.

A provider's kind says which models and prices it has, its name which key opens it."""

_Struct = TypeVar("_Struct", bound=Struct)


def made_of(cls: type[_Struct], *sources: Struct, **fields: object) -> _Struct:
    """Make a *cls*: each of its fields is one of *fields*, or else of the last source with it."""
    every: dict[str, object] = {}
    for source in sources:
        for name in _shared(cls, type(source)):
            every[name] = getattr(source, name)
    return cls(**{**every, **fields})


@cache
def _shared(cls: type[Struct], other: type[Struct]) -> tuple[str, ...]:
    return tuple(name for name in cls.__struct_fields__ if name in other.__struct_fields__)


class _NamedEntry(Struct, frozen=True, kw_only=True):
    """What a desired and a recorded one have in common."""

    name: str
    provider: str
    model: str
    digest: str
    life: Life
    measure: Measure


class _Cache(_NamedEntry, frozen=True, kw_only=True):
    kind: ClassVar[str] = CACHING
    settings: Settings

    @property
    def is_warm(self) -> bool:
        """Whether it is refreshed: it has a ttl, and is not to be made once."""
        return isinstance(self.life, Ttl) and self.settings.keep == "warm"

    @property
    def after(self) -> After:
        return made_of(After, self)


class _Annotation(_NamedEntry, frozen=True, kw_only=True):
    life: Ttl
    handle: CacheHandle

    @property
    def kind(self) -> str:
        return self.provider

    @property
    def after(self) -> After:
        return made_of(After, self, settings=None)


class DesiredCache(_Cache, frozen=True, kw_only=True):
    """A Gemini cache as the manifest wants it."""

    label: Label
    adopt: Adoption | None = None
    """A live cache to take over while nothing is on record and none has the label."""
    calls_per_hour: float | None = None

    @classmethod
    def recorded(cls, record: RecordedCache, *, stack: str) -> Self:
        """What *record* would be the answer to."""
        return made_of(cls, record, label=Label.of(stack, record.name, record.digest))


class DesiredAnnotation(_Annotation, frozen=True, kw_only=True):
    """A Claude or OpenAI entry as the manifest wants it, its handle computed."""

    calls_per_hour: float | None = None


Desired: TypeAlias = DesiredCache | DesiredAnnotation


class LiveCache(Struct, frozen=True, kw_only=True):
    """A cache as the provider reports it.  Its content cannot be read back."""

    kind: ClassVar[str] = CACHING
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

    @classmethod
    def recorded(cls, record: RecordedCache) -> Self:
        """What a provider would report of a cache that is as its record says."""
        return made_of(cls, record, label=None, tokens=record.measure.tokens)

    @classmethod
    def retiring(cls, retiring: RetiringCache) -> Self:
        """The same of one that is retiring; when it was made is on record no more."""
        begin = retiring.until - retiring.retire_after
        times = {"created_at": begin, "updated_at": begin, "expires_at": retiring.until}
        return made_of(cls, retiring, label=None, tokens=0, **times)

    @property
    def name(self) -> str:
        """The one in its label, or else its id."""
        return self.label.name if self.label else self.id

    @property
    def granted(self) -> timedelta:
        return self.expires_at - self.updated_at

    @property
    def handle(self) -> GeminiHandle:
        return GeminiHandle(self.id, self.expires_at)


class RecordedCache(_Cache, frozen=True, kw_only=True):
    """A Gemini cache as we left it."""

    id: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, want: DesiredCache, seen: LiveCache, *, counted: bool) -> Self:
        """What is on record of *want* once *seen* is its cache."""
        measure = replace(want.measure, tokens=seen.tokens, counted=counted)
        return made_of(cls, seen, want, measure=measure)

    @property
    def handle(self) -> GeminiHandle:
        return GeminiHandle(self.id, self.expires_at)

    @property
    def granted(self) -> timedelta:
        return self.expires_at - self.updated_at

    @property
    def retire_after(self) -> timedelta:
        return self.settings.retire_after

    def retiring(
        self, *, until: datetime, expires_at: datetime | None = None, id_: str | None = None
    ) -> RetiringCache:
        """The cache on its way out; *id_* if another than the recorded one is meant."""
        fields = {"retire_after": self.retire_after, "until": until, "expires_at": expires_at}
        return made_of(RetiringCache, self, id=id_ or self.id, **fields)


class RecordedAnnotation(_Annotation, frozen=True, kw_only=True):
    """An annotation as we published it."""

    updated_at: datetime

    @classmethod
    def of(cls, want: DesiredAnnotation, at: datetime) -> Self:
        """What is on record of *want* once it is written down."""
        return made_of(cls, want, updated_at=at)


Recorded: TypeAlias = RecordedCache | RecordedAnnotation


class RetiringCache(Struct, frozen=True, kw_only=True):
    """A replaced or removed cache that may still have running clients."""

    name: str
    provider: str
    model: str
    id: str
    retire_after: timedelta
    until: datetime
    """It lives until then, unless another program deletes it."""
    expires_at: datetime | None = None
    """The server's word once it is retired; None while that is still to be done."""

    @property
    def handle(self) -> GeminiHandle:
        return GeminiHandle(self.id, self.until)
