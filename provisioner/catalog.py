"""
What is known of each model: its minimum, whether it has explicit caches, when it retires,
what it costs.

Read from `models.json`, and from a user's file of the same shape, whose models win one by
one.  Nothing is typed before it is asked for, so that starting costs one small JSON file.
This module says what the files say; it draws no conclusion and knows no date of today.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from provisioner.documents import newer, utf8
from provisioner.errors import ManifestError, Problem
from provisioner.files import read_whole
from provisioner.model.model_catalog import Model, Offer, Period, Rate
from provisioner.shapes import schema_bytes
from provisioner.times import parse_duration

Row: TypeAlias = Mapping[str, Any]
"""A piece of the file, of the shape that its schema gives."""

_LARGEST = 16 * 1024 * 1024
"""Bytes of a user's file: some ten thousand models."""
VERSION = 1

_UNKNOWN = ": correct the key, or, if it was written for a newer ctxprov, upgrade"
_NO_SOURCES: Mapping[str, str] = MappingProxyType({})


class Catalog:
    """The models of one file or of two, the later over the earlier."""

    def __init__(self, *layers: Sequence[Row], sources: Mapping[str, str] = _NO_SOURCES) -> None:
        """Take *sources* as the addresses of what the models name as their sources."""
        self._layers = layers
        self._sources = sources
        self._found: dict[tuple[str, str], Model | None] = {}

    def find(self, provider: str, model: str) -> Model | None:
        """
        Find a model by its name, or else by the longest pattern that fits.

        None if nothing is known of it.
        """
        key = provider, model
        if key not in self._found:
            row = self._rows.get(key) or self._alike(provider, model)
            self._found[key] = _model(row, self._sources) if row else None
        return self._found[key]

    @cached_property
    def _rows(self) -> dict[tuple[str, str], Row]:
        return {(row["provider"], row["name"]): row for layer in self._layers for row in layer}

    @cached_property
    def _patterns(self) -> list[tuple[str, str, Row]]:
        """Provider, pattern and model, longest pattern first."""
        rows = self._rows.values()
        patterns = [(row["provider"], text, row) for row in rows for text in row.get("match", ())]
        return sorted(patterns, key=lambda pattern: -len(pattern[1]))

    def _alike(self, provider: str, model: str) -> Row | None:
        for whose, pattern, row in self._patterns:
            if whose == provider and re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), model):
                return row
        return None


def load_catalog(path: Path | None = None) -> Catalog:
    """
    Read the models we ship, and those of a user's file at *path* over them.

    Raises ManifestError with everything that is wrong with the user's file.
    """
    ours = json.loads(Path(__file__).with_name("models.json").read_bytes(), parse_float=Decimal)
    files = (ours, _theirs(path)) if path else (ours,)
    named = (file.get("sources", {}) for file in files)
    sources = {name: source["url"] for names in named for name, source in names.items()}
    return Catalog(*(file["models"] for file in files), sources=sources)


def _theirs(path: Path) -> Row:
    try:
        raw = utf8(read_whole(path, most=_LARGEST, follow=True))
        problems = [Problem(str(path), 1, 1, where, message) for where, message in _misshapen(raw)]
        if problems:
            raise ManifestError(problems)
        file: Row = json.loads(raw, parse_float=Decimal)
        for row in file["models"]:
            _model(row, _NO_SOURCES)
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise _wrong(path, f"is not JSON: {error.msg}", error.lineno, error.colno) from error
    except (ValueError, RecursionError) as error:
        raise _wrong(path, f"is not a file of models: {error}") from error
    return file


def _misshapen(raw: bytes) -> Iterator[tuple[str, str]]:
    """Where a user's file differs from the schema; of its frame, it needs only the version."""
    from jsonschema_rs import Draft202012Validator  # noqa: PLC0415  # our own file needs no check
    from jsonschema_rs import ValidationErrorKind as Kind  # noqa: PLC0415

    shape = {**json.loads(schema_bytes("models")), "required": ["version", "models"]}
    document = json.loads(raw)
    match document:
        case {"version": int(version)} if version > VERSION:
            why = f"its version is {version}, and {VERSION} is the latest that can be read"
            yield "version", newer("the file", why)
            return
    for error in Draft202012Validator(shape).iter_errors(document):
        hint = _UNKNOWN if isinstance(error.kind, Kind.AdditionalProperties) else ""
        yield ".".join(map(str, error.instance_path)), f"{error.message}{hint}"


def _wrong(path: Path, message: str, line: int = 1, column: int = 1) -> ManifestError:
    return ManifestError([Problem(str(path), line, column, "", message)])


def _model(row: Row, sources: Mapping[str, str]) -> Model:
    return Model(
        provider=row["provider"],
        name=row["name"],
        min_tokens=row["min_tokens"],
        explicit_caching=row.get("explicit_caching"),
        retires_on=_day(row["retires_on"]),
        offers=tuple(sorted(map(_offer, row.get("ttls", ())), key=_is_other(row))),
        prices=tuple(_period(period, sources) for period in row["prices"]),
        note=row.get("note"),
    )


def _offer(row: Row) -> Offer:
    return Offer(
        ttl=parse_duration(row["ttl"]),
        write=Decimal(row["write"]),
        apis=tuple(row.get("apis", ())),
    )


def _is_other(row: Row) -> Callable[[Offer], bool]:
    """Whether an offer is not the default, which comes first."""
    default = row.get("default_ttl")
    return lambda offer: default is None or offer.ttl != parse_duration(default)


def _period(row: Row, sources: Mapping[str, str]) -> Period:
    return Period(
        valid_from=_day(row["valid_from"]),
        valid_to=_day(row["valid_to"]),
        as_of=date.fromisoformat(row["as_of"]),
        source=sources.get(row["source"], row["source"]),
        uncertain=row.get("confidence") == "low",
        rates=tuple(map(_rate, row["rates"])),
    )


def _rate(row: Row) -> Rate:
    storage = row.get("storage_per_hour")
    return Rate(
        above=row["above"],
        input=Decimal(row["input"]),
        cached_input=Decimal(row["cached_input"]),
        storage_per_hour=None if storage is None else Decimal(storage),
    )


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
