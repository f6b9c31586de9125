"""
From the keys of an entry to what they mean: defaults merged, durations and moments read.

Expects keys of the right shape.  What it adds is what a schema cannot say; files, models
and the lives that claude and openai have are the resolver's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar

from provisioner.errors import ManifestError, Problem
from provisioner.manifest.confined_folder import Match
from provisioner.manifest.overlays import Keys, Layers, merged, place_in
from provisioner.manifest.providers import kind_of
from provisioner.manifest.source_map import Place
from provisioner.manifest.types import (
    AnnotationEntry,
    CacheEntry,
    Entry,
    FileSpec,
    InlineJson,
    PartSpec,
    TextSpec,
    UriSpec,
)
from provisioner.model.attributes import Life, Settings, Ttl, Until, parse_window
from provisioner.times import duration_text, parse_duration, parse_moment

_EntryValue = TypeVar("_EntryValue")

SLOT = "{each}"
"""Where the stem of a match goes, in names and paths."""

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=365)
_USUAL = Settings()


def entry_of(name: str, own: Layers, defaults: Layers, match: Match | None) -> Entry:
    """
    Read one entry; its *own* keys win over *defaults*, and *match* is what it is one of.

    Raises ManifestError with everything that is wrong with it.
    """
    reading = _Reading(name, own, defaults, match)
    entry = reading.entry()
    if reading.problems:
        raise ManifestError(reading.problems)
    return entry


class _Reading:
    """One entry while it is read."""

    def __init__(self, name: str, own: Layers, defaults: Layers, match: Match | None) -> None:
        self._name = name
        self._match = match
        self._layers = (*own, *defaults)
        self._keys = merged(self._layers)
        self.problems: list[Problem] = []

    def entry(self) -> Entry:
        keys = self._keys
        rate = keys.get("calls_per_hour")
        revision = keys.get("revision")
        common: dict[str, Any] = {
            "name": self._name,
            "provider": keys["provider"],
            "model": self._model(),
            "parts": self._parts(keys.get("content")),
            "system_instruction": self._file("system_instruction"),
            "tools": self._json("tools"),
            "tool_config": self._json("tool_config"),
            "revision": None if revision is None else str(revision),
            "calls_per_hour": None if rate is None else float(rate),
            "places": tuple(layer.place for layer in self._layers),
        }
        if kind_of(keys["provider"]) == "gemini":
            return self._cache(common)
        ttl = self._parsed("ttl", parse_duration) if "ttl" in keys else None
        return AnnotationEntry(**common, ttl=ttl)

    def _cache(self, common: dict[str, Any]) -> CacheEntry:
        return CacheEntry(
            **common,
            life=self._life(),
            settings=self._settings(),
            adopt=self._keys.get("adopt"),
        )

    def _model(self) -> str:
        model: str | None = self._keys.get("model")
        return model or self._lacks("a model", "")

    def _life(self) -> Life:
        nothing = Ttl(_SHORTEST)
        if "expires_at" in self._keys:
            moment = self._parsed("expires_at", parse_moment)
            return nothing if moment is None else Until(moment)
        if "ttl" in self._keys:
            span = self._parsed("ttl", _ttl)
            return nothing if span is None else Ttl(span)
        return self._lacks("a ttl or an expires_at", nothing)

    def _settings(self) -> Settings:
        keys = self._keys
        before = self._parsed("refresh_before", _window) if "refresh_before" in keys else None
        after = self._parsed("retire_after", _grace) if "retire_after" in keys else None
        return Settings(
            refresh_before=_USUAL.refresh_before if before is None else before,
            retire_after=_USUAL.retire_after if after is None else after,
            keep=keys.get("keep", _USUAL.keep),
            protect=keys.get("protect", _USUAL.protect),
        )

    def _parts(self, content: Any) -> tuple[PartSpec, ...]:  # noqa: ANN401  # what content holds
        place = self._at("content")
        match content:
            case None:
                return ()
            case str():
                return (self._path(content, None, place),)
            case _:
                return tuple(self._part(part, place / at) for at, part in enumerate(content))

    def _part(self, part: str | Keys, place: Place) -> PartSpec:
        match part:
            case str():
                return self._path(part, None, place)
            case {"text": str(text)}:
                return TextSpec(text, place / "text")
            case {"uri": str(uri), "mime_type": str(mime_type)}:
                return UriSpec(uri, mime_type, place / "uri")
            case _:
                return self._path(part["file"], part.get("mime_type"), place / "file")

    def _file(self, key: str) -> FileSpec | None:
        path = self._keys.get(key)
        return None if path is None else self._path(path, None, self._at(key))

    def _json(self, key: str) -> FileSpec | InlineJson | None:
        value = self._keys.get(key)
        if value is None or isinstance(value, str):
            return self._file(key)
        return InlineJson(value, self._at(key))

    def _path(self, path: str, mime_type: str | None, place: Place) -> FileSpec:
        if "://" in path:
            message = "is an address, not a path: write {uri: ADDRESS, mime_type: TYPE}"
            self.problems.append(place.problem(message))
        if self._match:
            path = path.replace(SLOT, self._match.stem)
        return FileSpec(path, mime_type, place)

    def _parsed(self, key: str, parse: Callable[[str], _EntryValue]) -> _EntryValue | None:
        """Read the text of *key*; None if it is wrong, and then the problem is noted."""
        try:
            return parse(self._keys[key])
        except ValueError as error:
            self.problems.append(self._at(key).problem(str(error)))
            return None

    def _lacks(self, what: str, nothing: _EntryValue) -> _EntryValue:
        message = f"needs {what}, here or in defaults.{kind_of(self._keys['provider'])}"
        self.problems.append(self._layers[0].place.problem(message))
        return nothing

    def _at(self, key: str) -> Place:
        return place_in(self._layers, (key,))


@lru_cache
def _ttl(text: str) -> timedelta:
    span = parse_duration(text)
    if _SHORTEST <= span <= _LONGEST:
        return span
    limits = f"from {duration_text(_SHORTEST)} to {duration_text(_LONGEST)}"
    raise ValueError(f"must be {limits}, not {text}")


@lru_cache
def _grace(text: str) -> timedelta:
    span = parse_duration(text)
    if span <= _LONGEST:
        return span
    raise ValueError(f"must be at most {duration_text(_LONGEST)}, not {text}")


@lru_cache
def _window(text: str) -> timedelta | Fraction:
    window = parse_window(text)
    if window:
        return window
    raise ValueError("must be longer than 0s; 'keep: once' lets a cache die")
