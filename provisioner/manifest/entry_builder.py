"""
From what is said of caches to the entries of a stack.

An environment lies over what the files declare; a list of providers and an `each` make
several entries of one.  Every entry that comes of it has a name and a shape of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, TypeAlias

from msgspec.structs import replace

from provisioner.errors import ManifestError, Problem
from provisioner.manifest.cap import most_caches
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.entry_parser import entry_of
from provisioner.manifest.environments import names_in, overlay_of
from provisioner.manifest.glob_entries import SLOT, Match, matches
from provisioner.manifest.overlays import Layer, merged, place_in, said
from provisioner.manifest.providers import kind_of, unknown
from provisioner.manifest.schema_check import Shape, misfits
from provisioner.manifest.source_map import Document, Place, shown
from provisioner.manifest.types import Entry

Said: TypeAlias = tuple[Layer, ...]
"""All that is said of one cache, the nearest first."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,47}", re.ASCII)
_BAD_NAME = "which is not a name of at most 48 characters out of a-z, 0-9 and -"
_TOGETHER = f"goes together with {SLOT} in the cache's name: give both or neither"

_TOO_MANY = (
    "makes more caches than the {:,} that a stack may have: split the stack, or raise the limit "
    "on the command line with --max-caches N"
)


def declared(
    documents: Sequence[Document],
    shapes: Sequence[Shape],
    overlay: Layer | None,
    problems: list[Problem],
) -> Iterator[tuple[str, Said]]:
    """What is said of each cache, by the name it is said under."""
    over = overlay or Layer({}, Place(documents[0], ()))
    changed: Mapping[str, Any] = over.keys.get("caches", {})
    above = over.place / "caches"
    for document, shape in zip(documents, shapes, strict=True):
        for name, keys in shape.caches.items():
            base = Layer(keys, Place(document, ("caches", name)))
            if name not in changed:
                yield name, (base,)
            elif changed[name] is not None:
                yield name, (Layer(changed[name], above / name), base)
    known = {name for document in documents for name in names_of(document)}
    for name, keys in changed.items():
        if name in known:
            continue
        if keys is None:
            problems.append(
                (above / name).problem("leaves out a cache that is not declared under this name")
            )
        else:
            yield name, (Layer(keys, above / name),)


def names_of(document: Document) -> Iterable[str]:
    """The names under which a document declares caches."""
    caches = document.root.get("caches")
    return caches if isinstance(caches, dict) else ()


def elsewhere(
    documents: Sequence[Document], shapes: Sequence[Shape], folder: Folder
) -> Iterator[str]:
    """Every name that anything declares, in whichever environment; what is wrong is left out."""
    for document in documents:
        yield from names_of(document)
    main, stems = documents[0], cache(lambda pattern: _stems(folder, pattern))
    for overlay in (None, *(overlay_of(main, name) for name in names_in(main))):
        for name, layers in declared(documents, shapes, overlay, []):
            for suffix, own in _by_provider(layers):
                pattern = merged(own).get("each")
                for stem in stems(pattern) if pattern else (SLOT,):
                    yield f"{name}{suffix}".replace(SLOT, stem)


def _stems(folder: Folder, pattern: str) -> tuple[str, ...]:
    """What stands for each file or folder of *pattern*, up to the limit of a stack."""
    try:
        return tuple(match.word for match in matches(folder, pattern)[: most_caches()])
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
        self._matches = cache(lambda pattern: matches(folder, pattern))
        self._said = cache(lambda section: said(above, "defaults", section))
        self._places: dict[str, Place] = {}
        self._most = most_caches()
        self._tried = 0
        self.made: dict[str, Entry] = {}

    def make(self, name: str, layers: Said) -> None:
        """Make the entries of one cache that is declared as *name*, as far as there is room."""
        for suffix, own in _by_provider(layers):
            if not self._has_room(own):
                return
            if not _is_checked(own) and (wrong := misfits(own)):
                self._problems += wrong
                continue
            keys = merged(own)
            if message := unknown(keys["provider"], self._providers):
                self._problems.append(place_in(own, ("provider",)).problem(message))
                continue
            for number, match in enumerate(self._matched(name, own, keys.get("each"))):
                if number and not self._has_room(own):
                    return
                if not self._make(f"{name}{suffix}", own, match):
                    break

    def _has_room(self, own: Said) -> bool:
        """Whether one cache more may be tried, sound or not; the first too many is a problem."""
        self._tried += 1
        if self._tried == self._most + 1:
            self._problems.append(own[-1].place.problem(_TOO_MANY.format(self._most)))
        return self._tried <= self._most

    def _make(self, name: str, own: Said, match: Match | None) -> bool:
        """Make one entry; whether it is sound, but for its name."""
        if match:
            name = name.replace(SLOT, match.word)
            own = tuple(replace(one, place=one.place.about(match.path)) for one in own)
        try:
            entry = entry_of(name, own, self._defaults(merged(own)["provider"]), match)
        except ManifestError as error:
            self._problems += error.problems
            return False
        if self._is_free(name, own[0].place):
            self.made[name] = entry
        return True

    def _matched(self, name: str, own: Said, pattern: str | None) -> Iterable[Match | None]:
        if pattern is None and SLOT not in name:
            return (None,)
        place = place_in(own, ("each",))
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

    def _defaults(self, provider: str) -> Said:
        """What is said of a name wins over what is said of its type."""
        kind = kind_of(provider)
        return (*self._said(provider), *(self._said(kind) if kind != provider else ()))


def _by_provider(layers: Said) -> Iterator[tuple[str, Said]]:
    """An entry for each provider of a list, and what it adds to the name."""
    provider = merged(layers).get("provider")
    if not isinstance(provider, list):
        yield "", layers
        return
    place = place_in(layers, ("provider",))
    for name in provider:
        one = Layer({"provider": name}, Place(place.document, place.path[:-1]))
        yield f"-{name}", (one, *layers)


def _is_checked(own: Said) -> bool:
    """Whether it is what a file declares, whose shape has been seen."""
    return len(own) == 1 and own[0].place.path[0] == "caches"
