"""
From the caches that the files declare to the entries of a stack.

An environment lies over what the files declare; a list of providers and an `each` make several
entries of one.  Every entry that comes of it has a name and a shape of its own: then its keys
are read, durations and moments among them.  What is said here is what a schema cannot say; files,
models and the lives that claude and openai have are the resolver's.

A few lines of a request can declare many: an `each` over the folders of a repository makes
50,000 caches out of 17 kB.  So there is a limit, which no manifest can raise: only the command
line does, for as long as its command runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from fractions import Fraction
from functools import cache, lru_cache
from typing import Any, TypeVar

from msgspec.structs import replace

from provisioner.errors import Problem
from provisioner.manifest import overlays
from provisioner.manifest.confined_folder import Folder, Match, Unreadable
from provisioner.manifest.providers import kind_of, unknown
from provisioner.manifest.schema_check import Shape, misfits
from provisioner.manifest.source_map import Place, YamlDocument, shown
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
USUAL_CACHES = 1_000
"""Caches of one stack, where the command line gives no other number."""

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=365)
_NO_LIFE: Life = Ttl(_SHORTEST)
_USUAL = Settings()
_MOST: ContextVar[int] = ContextVar("caches of a stack", default=USUAL_CACHES)
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}", re.ASCII)
_BAD_NAME = "which is not a name of at most 48 characters out of a-z, 0-9 and -"
_TOGETHER = f"goes together with {SLOT} in the cache's name: give both or neither"

_TOO_MANY = (
    "makes more caches than the {:,} that a stack may have: split the stack, or raise the limit "
    "on the command line with --max-caches N"
)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Let a stack have *count* caches until the block ends."""
    before = _MOST.set(count)
    try:
        yield
    finally:
        _MOST.reset(before)


def declared(
    shapes: Sequence[Shape],
    overlay: overlays.Layer | None,
    problems: list[Problem],
) -> Iterator[tuple[str, overlays.Layers]]:
    """The layers of each cache, by the name under which it is declared."""
    over = overlay or overlays.Layer({}, Place(shapes[0].document, ()))
    changed: Mapping[str, Any] = over.keys.get("caches", {})
    above = over.place / "caches"
    for shape in shapes:
        for name, keys in shape.caches.items():
            base = overlays.Layer(keys, Place(shape.document, ("caches", name)))
            if name not in changed:
                yield name, (base,)
            elif changed[name] is not None:
                yield name, (overlays.Layer(changed[name], above / name), base)
    names = {name for shape in shapes for name in names_of(shape.document)}
    for name, keys in changed.items():
        if name in names:
            continue
        if keys is None:
            problems.append(
                (above / name).problem("leaves out a cache that is not declared under this name")
            )
        else:
            yield name, (overlays.Layer(keys, above / name),)


def names_of(document: YamlDocument) -> Iterable[str]:
    """The names under which a document declares caches."""
    caches = document.root.get("caches")
    return caches if isinstance(caches, dict) else ()


def elsewhere(shapes: Sequence[Shape], folder: Folder) -> Iterator[str]:
    """Every name that anything declares, in any environment; what is wrong is left out."""
    for shape in shapes:
        yield from names_of(shape.document)
    main, stems = shapes[0].document, cache(lambda pattern: _stems(folder, pattern))
    for overlay in (None, *(overlays.overlay_of(main, name) for name in overlays.names_in(main))):
        for name, layers in declared(shapes, overlay, []):
            for suffix, own in _by_provider(layers):
                pattern = overlays.merged(own).get("each")
                for stem in stems(pattern) if pattern else (SLOT,):
                    yield f"{name}{suffix}".replace(SLOT, stem)


def _stems(folder: Folder, pattern: str) -> tuple[str, ...]:
    """What stands for each file or folder of *pattern*, up to the limit of a stack."""
    try:
        return tuple(match.stem for match in folder.matches(pattern)[: _MOST.get()])
    except Unreadable:
        return ()


class Entries:
    """The entries of a stack while they are made; what is wrong goes to *problems*."""

    def __init__(
        self,
        folder: Folder,
        above: Sequence[Place],
        providers: Mapping[str, str | None],
        problems: list[Problem],
    ) -> None:
        self._providers = providers
        self._problems = problems
        self._matches = cache(folder.matches)
        self._section = cache(lambda provider: overlays.layers_at(above, "defaults", provider))
        self._places: dict[str, Place] = {}
        self._most = _MOST.get()
        self._tried = 0
        self.made: dict[str, Entry] = {}

    def make(self, name: str, layers: overlays.Layers) -> None:
        """Make the entries of one cache that is declared as *name*, as far as there is room."""
        for suffix, own in _by_provider(layers):
            if not self._has_room(own):
                return
            is_checked = len(own) == 1 and own[0].place.path[0] == "caches"  # with its file
            if not is_checked and (wrong := misfits(own)):
                self._problems += wrong
                continue
            keys = overlays.merged(own)
            if message := unknown(keys["provider"], self._providers):
                self._problems.append(overlays.place_in(own, ("provider",)).problem(message))
                continue
            for number, match in enumerate(self._matched(name, own, keys.get("each"))):
                if number and not self._has_room(own):
                    return
                if not self._make(f"{name}{suffix}", own, match):
                    break

    def _has_room(self, own: overlays.Layers) -> bool:
        """Whether one cache more may be tried, sound or not; the first too many is a problem."""
        self._tried += 1
        if self._tried == self._most + 1:
            self._problems.append(own[-1].place.problem(_TOO_MANY.format(self._most)))
        return self._tried <= self._most

    def _make(self, name: str, own: overlays.Layers, match: Match | None) -> bool:
        """Make one entry; whether it is sound, but for its name."""
        if match:
            name = name.replace(SLOT, match.stem)
            own = tuple(replace(layer, place=layer.place.about(match.path)) for layer in own)
        reader = EntryReader((*own, *self._defaults(overlays.merged(own)["provider"])), match)
        entry = reader.entry(name)
        if reader.problems:
            self._problems += reader.problems
            return False
        if self._is_free(name, own[0].place):
            self.made[name] = entry
        return True

    def _matched(
        self, name: str, own: overlays.Layers, pattern: str | None
    ) -> Iterable[Match | None]:
        if pattern is None and SLOT not in name:
            return (None,)
        place = overlays.place_in(own, ("each",))
        if pattern is None or SLOT not in name:
            self._problems.append(place.problem(_TOGETHER))
            return ()
        try:
            return self._matches(pattern)
        except Unreadable as error:
            self._problems.append(place.problem(str(error)))
            return ()

    def _is_free(self, name: str, place: Place) -> bool:
        first = self._places.setdefault(name, place)
        if not _NAME.fullmatch(name):
            self._problems.append(place.problem(f"makes {shown(name)}, {_BAD_NAME}"))
        elif (first.path, first.match) != (place.path, place.match):
            message = f"makes {name}, which is declared already at {first.address}"
            self._problems.append(place.problem(message))
        return first is place

    def _defaults(self, provider: str) -> overlays.Layers:
        """The defaults of a name win over those of its type."""
        kind = kind_of(provider)
        return (*self._section(provider), *(self._section(kind) if kind != provider else ()))


def _by_provider(layers: overlays.Layers) -> Iterator[tuple[str, overlays.Layers]]:
    """An entry for each provider of a list, and what it adds to the name."""
    provider = overlays.merged(layers).get("provider")
    if not isinstance(provider, list):
        yield "", layers
        return
    place = overlays.place_in(layers, ("provider",))
    for name in provider:
        nearest = overlays.Layer({"provider": name}, Place(place.document, place.path[:-1]))
        yield f"-{name}", (nearest, *layers)


class EntryReader:
    """Reads one entry, which *layers* describe; *match* is what it is one of."""

    def __init__(self, layers: overlays.Layers, match: Match | None) -> None:
        self._layers = layers
        self._match = match
        self._keys = overlays.merged(layers)
        self.problems: list[Problem] = []

    def entry(self, name: str) -> Entry:
        """The entry *name*; with problems, it stands for nothing."""
        keys = self._keys
        rate = keys.get("calls_per_hour")
        revision = keys.get("revision")
        common: dict[str, Any] = {
            "name": name,
            "provider": keys["provider"],
            "model": keys.get("model") or self._lacks("a model", ""),
            "parts": self._parts(),
            "system_instruction": self._value("system_instruction"),
            "tools": self._value("tools"),
            "tool_config": self._value("tool_config"),
            "revision": None if revision is None else str(revision),
            "calls_per_hour": None if rate is None else float(rate),
            "places": tuple([layer.place for layer in self._layers]),
        }
        if kind_of(keys["provider"]) != "gemini":
            return AnnotationEntry(**common, ttl=self._parsed("ttl", parse_duration, None))
        settings = Settings(
            refresh_before=self._parsed("refresh_before", _window, _USUAL.refresh_before),
            retire_after=self._parsed("retire_after", _grace, _USUAL.retire_after),
            keep=keys.get("keep", _USUAL.keep),
            protect=keys.get("protect", _USUAL.protect),
        )
        return CacheEntry(**common, life=self._life(), settings=settings, adopt=keys.get("adopt"))

    def _life(self) -> Life:
        if "expires_at" in self._keys:
            return self._parsed("expires_at", _until, _NO_LIFE)
        if "ttl" in self._keys:
            return self._parsed("ttl", _ttl, _NO_LIFE)
        return self._lacks("a ttl or an expires_at", _NO_LIFE)

    def _parts(self) -> tuple[PartSpec, ...]:
        content, place = self._keys.get("content") or (), self._at("content")
        if isinstance(content, str):
            return (self._part(content, place),)
        return tuple([self._part(part, place / at) for at, part in enumerate(content)])

    def _part(self, part: str | overlays.Keys, place: Place) -> PartSpec:
        match part:
            case str():
                return self._path(part, None, place)
            case {"text": str(text)}:
                return TextSpec(text, place / "text")
            case {"uri": str(uri), "mime_type": str(mime_type)}:
                return UriSpec(uri, mime_type, place / "uri")
            case _:
                return self._path(part["file"], part.get("mime_type"), place / "file")

    def _value(self, key: str) -> FileSpec | InlineJson | None:
        """What *key* holds: the path of a file, or JSON where its shape allows that."""
        match self._keys.get(key):
            case None:
                return None
            case str(path):
                return self._path(path, None, self._at(key))
            case value:
                return InlineJson(value, self._at(key))

    def _path(self, path: str, mime_type: str | None, place: Place) -> FileSpec:
        if "://" in path:
            message = "is an address, not a path: write {uri: ADDRESS, mime_type: TYPE}"
            self.problems.append(place.problem(message))
        if self._match:
            path = path.replace(SLOT, self._match.stem)
        return FileSpec(path, mime_type, place)

    def _parsed(
        self, key: str, parse: Callable[[str], _EntryValue], usual: _EntryValue
    ) -> _EntryValue:
        """Read the text of *key*; *usual* if there is none, or if it is wrong, which is noted."""
        try:
            return parse(self._keys[key]) if key in self._keys else usual
        except ValueError as error:
            self.problems.append(self._at(key).problem(str(error)))
            return usual

    def _lacks(self, what: str, nothing: _EntryValue) -> _EntryValue:
        message = f"needs {what}, here or in defaults.{kind_of(self._keys['provider'])}"
        self.problems.append(self._layers[0].place.problem(message))
        return nothing

    def _at(self, key: str) -> Place:
        return overlays.place_in(self._layers, (key,))


def _until(text: str) -> Life:
    return Until(parse_moment(text))


@lru_cache
def _ttl(text: str) -> Life:
    span = parse_duration(text)
    if _SHORTEST <= span <= _LONGEST:
        return Ttl(span)
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
    if window := parse_window(text):
        return window
    raise ValueError("must be longer than 0s; 'keep: once' lets a cache die")
