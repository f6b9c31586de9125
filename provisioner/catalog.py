"""
What the provider documents of each model: its minimum, explicit caches, retirement, prices.

Read from `models.json`, and from a user's file of the same shape, whose models win one by
one.  The structs here read both files and describe them.  A model is made of them when it is
asked for.  This module repeats what the files say; it concludes nothing and knows no date of
today.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from fnmatch import fnmatchcase
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Generic, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from provisioner.documents import (
    Fault,
    Fields,
    NotJson,
    faults_of_document,
    must,
    newer,
    parse_json,
    utf8,
)
from provisioner.errors import ManifestError, Problem
from provisioner.files import read_whole
from provisioner.model.rates import Model, Offer, Period, Rate
from provisioner.times import parse_duration

_LARGEST = 16 * 1024 * 1024
"""Bytes of a user's file: some ten thousand models."""
_UNKNOWN = ": correct the key, or, if it was written for a newer ctxprov, upgrade"
_NO_SOURCES: Mapping[str, str] = MappingProxyType({})
_SEVERAL = {"min_length": 1, "extra_json_schema": {"uniqueItems": True}}
"""A list that has a value, and none twice."""
_DAY = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"

OpenAIApi: TypeAlias = Literal["responses", "chat"]
CatalogDay: TypeAlias = Annotated[date, Meta(extra_json_schema={"format": None, "pattern": _DAY})]
Price: TypeAlias = Annotated[float, Meta(ge=0, description="USD per 1,000,000 tokens.")]
ModelName: TypeAlias = Annotated[
    str,
    must(
        "be the id of a model, without `models/`",
        pattern=r"^[a-z0-9][a-zA-Z0-9._-]*\Z",
        description="The provider's own id, without `models/`.",
    ),
]
ModelPattern: TypeAlias = Annotated[
    str,
    must(
        "be the id of a model, where `*` stands for any characters",
        pattern=r"^[a-z0-9][a-zA-Z0-9._*-]*\Z",
    ),
]
Patterns: TypeAlias = Annotated[tuple[ModelPattern, ...], must("have a pattern", **_SEVERAL)]
OneTtl: TypeAlias = Annotated[
    str, must("be a number and a unit, such as 5m", pattern=r"^[1-9][0-9]*[smhd]\Z")
]
SourceKey: TypeAlias = Annotated[
    str, must("be the key of a source", pattern=r"^[a-z0-9][a-z0-9.-]*\Z")
]
SourceDay: TypeAlias = Annotated[
    str,
    must(
        "be a day or a month",
        pattern=r"^[0-9]{4}-[0-9]{2}(-[0-9]{2})?\Z",
        description="A day, or a month.",
    ),
]
_RateShape = TypeVar("_RateShape")


_NOTED = Meta(extra_json_schema={"dependentRequired": {"confidence": ["note"]}})


class SourceFields(Fields, frozen=True, kw_only=True):
    """Where figures are from."""

    title: str
    url: Annotated[str, must("begin with https://", pattern="^https://")]
    read: SourceDay


class RateFields(Fields, frozen=True, kw_only=True):
    """
    Prices of a request.

    above: Prices the whole request when its prompt has more tokens than this; 0 in the first
        rate.
    """

    above: Annotated[int, Meta(ge=0)]
    input: Price
    cached_input: Price


class StorageRateFields(RateFields, frozen=True, kw_only=True):
    """
    Prices of a request, and of what is stored for it.

    storage_per_hour: USD per 1,000,000 tokens and hour; null where nothing can be stored.
    """

    storage_per_hour: Price | None


class PeriodFields(Fields, Generic[_RateShape], frozen=True, kw_only=True):
    """
    What holds from one day to another.

    valid_from: The first day, UTC.
    valid_to: The last day, UTC.
    confidence: Only written when it is low.
    """

    valid_from: CatalogDay | None
    valid_to: CatalogDay | None
    as_of: CatalogDay
    source: str
    confidence: Literal["low"] | UnsetType = UNSET
    note: str | UnsetType = UNSET
    rates: Annotated[tuple[_RateShape, ...], must("have a rate", min_length=1)]

    def __post_init__(self) -> None:
        if self.confidence and self.note is UNSET:
            raise ValueError("a low confidence needs a note that says why")


class TtlOfferFields(Fields, frozen=True, kw_only=True):
    """
    A life that an annotation of the model can have.

    ttl: As a manifest writes it.
    sent_as: The provider's word, where it is not the same.
    write: What writing the prefix costs, as a multiple of the input price.
    apis: The only APIs that take this life; all of them without it.
    """

    ttl: OneTtl
    sent_as: str | UnsetType = UNSET
    write: Annotated[float, Meta(ge=1)]
    apis: Annotated[tuple[OpenAIApi, ...], must("name an API", **_SEVERAL)] | UnsetType = UNSET

    def __post_init__(self) -> None:
        _refuse_twice("apis", self.apis or ())


class _ModelFields(Fields, frozen=True, kw_only=True):
    """
    The fields of every record.

    match: Other ids of the same model; `*` stands for any characters.
    min_tokens: The smallest prefix that is cached, as documented; the server decides. null: not
        known.
    retires_on: The first day on which the model is gone. null: no source gives one.
    """

    name: ModelName
    match: Patterns | UnsetType = UNSET
    min_tokens: Annotated[int, Meta(ge=1)] | None
    retires_on: CatalogDay | None
    note: str | UnsetType = UNSET
    sources: Annotated[tuple[str, ...], must("name a source", **_SEVERAL)]

    def __post_init__(self) -> None:
        _refuse_twice("match", self.match or ())
        _refuse_twice("sources", self.sources)


class GeminiModelFields(
    _ModelFields, frozen=True, kw_only=True, tag_field="provider", tag="gemini"
):
    """
    A model that may have explicit caches.

    explicit_caching: Whether cachedContents takes the model. false: implicit caching only.
        null: not certain.
    """

    explicit_caching: bool | None
    prices: tuple[Annotated[PeriodFields[StorageRateFields], _NOTED], ...]


class _AnnotatedModelFields(_ModelFields, frozen=True, kw_only=True):
    """
    The fields of every record.

    default_ttl: One of `ttls`.
    """

    default_ttl: OneTtl
    ttls: Annotated[tuple[TtlOfferFields, ...], must("have a ttl", min_length=1)]
    prices: tuple[Annotated[PeriodFields[RateFields], _NOTED], ...]


class ClaudeModelFields(
    _AnnotatedModelFields, frozen=True, kw_only=True, tag_field="provider", tag="claude"
):
    """
    A model whose requests mark what is cached.

    request_field: The field of a request that carries the life.
    """

    request_field: Literal["cache_control"]


class OpenAIModelFields(
    _AnnotatedModelFields, frozen=True, kw_only=True, tag_field="provider", tag="openai"
):
    """
    A model whose requests may name a life.

    request_field: The field of a request that carries the life.
    """

    request_field: Literal["prompt_cache_options", "prompt_cache_retention"]


ModelFields: TypeAlias = GeminiModelFields | ClaudeModelFields | OpenAIModelFields


class UserModelsFile(Fields, frozen=True, kw_only=True):
    """
    A user's models, which need no frame but the version.

    version: The version of this shape.
    """

    schema_: str | UnsetType = msgspec.field(default=UNSET, name="$schema")
    version: Literal[1]
    as_of: CatalogDay | UnsetType = UNSET
    about: str | UnsetType = UNSET
    sources: dict[SourceKey, SourceFields] | UnsetType = UNSET
    models: tuple[ModelFields, ...]


class ModelsFile(UserModelsFile, frozen=True, kw_only=True):
    """
    Models that ctxprov has figures of.

    Of each model: minimum, explicit caching, lives, retirement, prices. Dated and sourced.

    as_of: When the file was last compared with its sources.
    about: How to read the file.
    sources: What the figures rest on, by the key that models and periods name.
    """

    as_of: CatalogDay
    about: str
    sources: dict[SourceKey, SourceFields]


def _refuse_twice(key: str, values: Collection[str]) -> None:
    if len(set(values)) < len(values):
        raise ValueError(f"{key} names one value twice")


class Catalog:
    """The models of one file or of two, the later over the earlier."""

    def __init__(
        self, *layers: Sequence[ModelFields], sources: Mapping[str, str] = _NO_SOURCES
    ) -> None:
        """Take *sources* as the addresses of what the models name as their sources."""
        self._layers = layers
        self._sources = sources
        self._models: dict[tuple[str, str], Model | None] = {}

    def find(self, provider: str, model: str) -> Model | None:
        """
        Find a model by its name, or else by the longest pattern that fits.

        None if neither file has it.
        """
        key = provider, model
        if key not in self._models:
            fields = self._by_name.get(key) or self._alike(provider, model)
            self._models[key] = _model(fields, self._sources) if fields else None
        return self._models[key]

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], ModelFields]:
        return {(provider_of(fields), fields.name): fields for fields in chain(*self._layers)}

    def _alike(self, provider: str, model: str) -> ModelFields | None:
        alike = (
            (pattern, fields)
            for (whose, _), fields in self._by_name.items()
            if whose == provider
            for pattern in fields.match or ()
            if fnmatchcase(model, pattern)
        )
        return max(alike, key=lambda match: len(match[0]), default=(None, None))[1]


def provider_of(fields: ModelFields) -> str:
    return str(fields.__struct_config__.tag)


def load_catalog(path: Path | None = None) -> Catalog:
    """
    Read the models we ship, and those of a user's file at *path* over them.

    Raises ManifestError with everything that is wrong with the user's file.
    """
    ours = msgspec.json.decode(
        Path(__file__).with_name("models.json").read_bytes(), type=ModelsFile
    )
    files = (ours, _theirs(path)) if path else (ours,)
    sources = {key: source.url for file in files for key, source in (file.sources or {}).items()}
    return Catalog(*(file.models for file in files), sources=sources)


def _theirs(path: Path) -> UserModelsFile:
    try:
        raw = read_whole(path, most=_LARGEST, follow=True)
        return msgspec.json.decode(utf8(raw), type=UserModelsFile)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise _refusal(path, raw, error) from error


def _refusal(path: Path, raw: bytes, error: Exception) -> ManifestError:
    try:
        json = parse_json(raw)
    except NotJson as flaw:
        return _wrong(path, str(flaw))
    problems = [
        Problem(str(path), 1, 1, fault.where or "version", _sentence(fault))
        for fault in faults_of_document(json, UserModelsFile)
    ]
    return ManifestError(problems) if problems else _wrong(path, f"cannot be read: {error}")


def _sentence(fault: Fault) -> str:
    if fault.is_new and not fault.where:
        return newer("the file", fault.why)
    return f"{fault.why}{_UNKNOWN if fault.is_new else ''}"


def _wrong(path: Path, message: str) -> ManifestError:
    return ManifestError([Problem(str(path), 1, 1, "", message)])


def _model(fields: ModelFields, sources: Mapping[str, str]) -> Model:
    return Model(
        provider=provider_of(fields),
        name=fields.name,
        min_tokens=fields.min_tokens,
        explicit_caching=getattr(fields, "explicit_caching", None),
        retires_on=fields.retires_on,
        offers=_offers(fields),
        prices=tuple(_period(period, sources) for period in fields.prices),
        note=fields.note or None,
    )


def _offers(fields: ModelFields) -> tuple[Offer, ...]:
    if isinstance(fields, GeminiModelFields):
        return ()
    default = parse_duration(fields.default_ttl)
    offers = (
        Offer(ttl=parse_duration(ttl.ttl), write=_decimal(ttl.write), apis=ttl.apis or ())
        for ttl in fields.ttls
    )
    return tuple(sorted(offers, key=lambda offer: offer.ttl != default))


def _period(
    period: PeriodFields[StorageRateFields] | PeriodFields[RateFields], sources: Mapping[str, str]
) -> Period:
    return Period(
        valid_from=period.valid_from,
        valid_to=period.valid_to,
        as_of=period.as_of,
        source=sources.get(period.source, period.source),
        uncertain=period.confidence == "low",
        rates=tuple(map(_rate, period.rates)),
    )


def _rate(rate: RateFields) -> Rate:
    storage = rate.storage_per_hour if isinstance(rate, StorageRateFields) else None
    return Rate(
        above=rate.above,
        input=_decimal(rate.input),
        cached_input=_decimal(rate.cached_input),
        storage_per_hour=None if storage is None else _decimal(storage),
    )


def _decimal(number: float) -> Decimal:
    """The number as the file spells it: a float of up to 15 digits is written back as it was."""
    return Decimal(int(number)) if number.is_integer() else Decimal(str(number))
