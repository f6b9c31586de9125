"""
The records of a state as they stand in its file: caches, annotations, and what is retiring.

The keys of a record show whether it is a cache or an annotation, so each is read by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Any, Self, TypeAlias

import msgspec
from msgspec import Meta, Raw

from provisioner.cache import CACHE_NAME, CacheHandle, Json, handle_from_json
from provisioner.documents import (
    CacheName,
    Digest,
    DurationText,
    Fault,
    Fields,
    MomentText,
    Text,
    WholeNumber,
    faults,
    must,
    parse_json,
    read_value,
    sorted_json,
)
from provisioner.model.attributes import LifeFields, Measure, OneLife, SettingsFields, Ttl
from provisioner.model.records import (
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
    made_of,
)
from provisioner.times import duration_text, moment_text, parse_duration, parse_moment

LiveId: TypeAlias = Annotated[
    str,
    must(
        "be the id of a cache, such as cachedContents/abc123",
        pattern=rf"^{CACHE_NAME.pattern}\Z",
        description="How a live cache is named.",
    ),
]
PieceDigest: TypeAlias = Annotated[
    str, must("be the first 12 digits of a digest", pattern=r"^[0-9a-f]{12}\Z")
]
_ANNOTATED = frozenset({"claude", "openai"})


class _RecordFields(Fields, frozen=True, kw_only=True):
    """
    The fields of every record.

    digest: SHA-256 over everything immutable.
    paths: Content files, as the manifest spells them.
    pieces: The first digits of the digest of each piece of content, so that a change can be
        named.
    size: Bytes of content; 0 if they are unknown.
    tokens: The provider's count; an estimate for an annotation; 0 if unknown.
    """

    provider: Text
    model: Text
    digest: Digest
    updated_at: MomentText
    paths: tuple[str, ...]
    pieces: Mapping[str, PieceDigest]
    size: WholeNumber
    tokens: WholeNumber

    def measure(self, *, counted: bool) -> Measure:
        return Measure(
            paths=self.paths,
            size=self.size,
            tokens=self.tokens,
            counted=counted,
            pieces=MappingProxyType(self.pieces),
        )


class CacheFields(_RecordFields, frozen=True, kw_only=True):
    """A cache on record."""

    id: LiveId
    life: OneLife
    settings: SettingsFields
    created_at: MomentText
    expires_at: MomentText

    @classmethod
    def of(cls, record: RecordedCache) -> Self:
        measure = record.measure
        return cls(
            provider=record.provider,
            model=record.model,
            digest=record.digest,
            id=record.id,
            life=LifeFields.of(record.life),
            settings=SettingsFields.of(record.settings),
            created_at=moment_text(record.created_at),
            updated_at=moment_text(record.updated_at),
            expires_at=moment_text(record.expires_at),
            paths=measure.paths,
            pieces=dict(measure.pieces),
            size=measure.size,
            tokens=measure.tokens,
        )

    def record(self, name: str) -> RecordedCache:
        if self.provider in _ANNOTATED:
            raise Fault("provider", f"{self.provider} keeps no caches")
        try:
            created = parse_moment(self.created_at)
            is_new = self.updated_at == self.created_at
            return RecordedCache(
                name=name,
                provider=self.provider,
                model=self.model,
                digest=self.digest,
                life=_life(self.life),
                settings=_settings(self.settings),
                id=self.id,
                created_at=created,
                updated_at=created if is_new else parse_moment(self.updated_at),
                expires_at=parse_moment(self.expires_at),
                measure=self.measure(counted=True),
            )
        except ValueError as error:
            for key, read in _CHECKS.items():
                read_value(key, read, getattr(self, key))
            raise Fault("", str(error)) from error


class TtlFields(Fields, frozen=True):
    """An annotation has a ttl."""

    ttl: DurationText


class AnnotationFields(_RecordFields, frozen=True, kw_only=True):
    """An annotation on record."""

    life: TtlFields
    handle: Annotated[
        Raw,
        Meta(
            extra_json_schema={
                "type": "object",
                "required": ["provider"],
                "properties": {"provider": {"enum": ["claude", "openai", "gemini"]}},
            }
        ),
    ]

    @classmethod
    def of(cls, record: RecordedAnnotation) -> Self:
        return made_of(
            cls,
            record,
            record.measure,
            life=TtlFields(duration_text(record.life.span)),
            handle=Raw(sorted_json(record.handle.as_json())),
            updated_at=moment_text(record.updated_at),
            pieces=dict(record.measure.pieces),
        )

    def record(self, name: str) -> RecordedAnnotation:
        return made_of(
            RecordedAnnotation,
            self,
            name=name,
            life=Ttl(read_value("life.ttl", parse_duration, self.life.ttl)),
            handle=read_value("handle", self._handle, self.handle),
            updated_at=read_value("updated_at", parse_moment, self.updated_at),
            measure=self.measure(counted=False),
        )

    def _handle(self, raw: Raw) -> CacheHandle:
        fields = parse_json(bytes(raw))
        handle = handle_from_json(fields)
        _refuse_new_keys(fields, handle.as_json())
        if self.provider not in _ANNOTATED or handle.as_json()["provider"] != self.provider:
            raise ValueError(f"this is no handle of {self.provider}")
        return handle


class RetiringFields(Fields, frozen=True, kw_only=True):
    """
    A replaced or removed cache.

    until: It certainly lives until then, unless another program ends it.
    expires_at: As the server says once it is retired; null while that is to be done.
    """

    name: CacheName
    provider: Text
    model: Text
    retire_after: DurationText
    until: MomentText
    expires_at: MomentText | None

    @classmethod
    def of(cls, cache: RetiringCache) -> Self:
        times = {
            "retire_after": duration_text(cache.retire_after),
            "until": moment_text(cache.until),
            "expires_at": moment_text(cache.expires_at) if cache.expires_at else None,
        }
        return made_of(cls, cache, **times)

    def cache(self, id_: str) -> RetiringCache:
        times = {
            "retire_after": read_value("retire_after", parse_duration, self.retire_after),
            "until": read_value("until", parse_moment, self.until),
            "expires_at": read_value("expires_at", parse_moment, self.expires_at),
        }
        return made_of(RetiringCache, self, id=id_, **times)


_CACHE = msgspec.json.Decoder(CacheFields)
_ANNOTATION = msgspec.json.Decoder(AnnotationFields)


def record_json(record: Recorded) -> Raw:
    match record:
        case RecordedCache():
            return Raw(sorted_json(CacheFields.of(record)))
        case RecordedAnnotation():
            return Raw(sorted_json(AnnotationFields.of(record)))


def parse_record(name: str, raw: Raw) -> Recorded:
    """Read what `record_json` wrote.  Raises Fault for anything else."""
    try:
        return _CACHE.decode(raw).record(name)
    except msgspec.ValidationError:
        pass
    try:
        return _ANNOTATION.decode(raw).record(name)
    except msgspec.ValidationError as error:
        json = parse_json(bytes(raw))
        shape = AnnotationFields if isinstance(json, dict) and "handle" in json else CacheFields
        # A key that stands twice is refused by its first value and shown by its last.
        raise next(faults(json, shape), Fault("", f"cannot be read: {error}")) from error


def _refuse_new_keys(json: Json, read: Json, where: str = "") -> None:
    """Raise Fault if *json* has a key, at any depth, that what was *read* of it has not."""
    if isinstance(json, dict) and isinstance(read, Mapping):
        for key, value in json.items():
            if key not in read:
                raise Fault(where + key, "this key is unknown", is_new=True)
            _refuse_new_keys(value, read[key], f"{where}{key}.")


# Ten thousand records share a handful of lives and settings: each is read once.

_life = lru_cache(maxsize=256)(LifeFields.life)
_settings = lru_cache(maxsize=256)(SettingsFields.settings)

_CHECKS: Mapping[str, Callable[[Any], object]] = {
    "life": LifeFields.life,
    "settings": SettingsFields.settings,
    "created_at": parse_moment,
    "updated_at": parse_moment,
    "expires_at": parse_moment,
}
