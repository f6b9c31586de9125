"""
What several places say of one thing, the nearest first: key by key, the nearest wins.

A life is one thing with two keys, so a layer that has either of them replaces both.

An environment is such an overlay.  It is a stack of its own in all that outlasts a run: its name
is part of the namespace, of the state's and of the handles' file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import islice
from posixpath import normpath
from typing import Any, TypeAlias

from msgspec import Struct

from provisioner.errors import ManifestError, Problem
from provisioner.manifest.source_map import PathStep, Place, YamlDocument, did_you_mean, shown

Keys: TypeAlias = Mapping[str, Any]
"""The keys of an entry or of defaults, of the shape that the schema gives."""

_LIFE = frozenset({"ttl", "expires_at"})
_KEY = "environments"
MOST = 100
"""Environments of a stack, as the schema says; commands go through all of them."""


class Layer(Struct, frozen=True):
    """The keys that stand at one place."""

    keys: Keys
    place: Place


Layers: TypeAlias = tuple[Layer, ...]
"""All layers of one thing, the nearest first."""


def layers_at(above: Iterable[Place], *path: PathStep) -> Layers:
    """The layers at *path* below each of *above*, where anything stands."""
    places = (reduce(Place.__truediv__, path, place) for place in above)
    return tuple(layer for layer in map(_layer_at, places) if layer)


def _layer_at(place: Place) -> Layer | None:
    keys: Any = place.document.root
    for step in place.path:
        keys = keys.get(step) or {}
    return Layer(keys, place) if keys else None


def merged(layers: Sequence[Layer]) -> Keys:
    """What *layers*, at least one, say together; the first is the nearest."""
    keys = layers[-1].keys
    for layer in reversed(layers[:-1]):
        if not _LIFE.isdisjoint(layer.keys):
            keys = {key: value for key, value in keys.items() if key not in _LIFE}
        keys = {**keys, **layer.keys}
    return keys


def place_in(layers: Sequence[Layer], path: Sequence[PathStep]) -> Place:
    """The nearest place of the value at *path*; of an absent one, below the nearest layer."""
    above = next((layer for layer in layers if path and path[0] in layer.keys), layers[0])
    return reduce(Place.__truediv__, path, above.place)


def names_in(main: YamlDocument) -> tuple[str, ...]:
    """The environments that are declared, in their order; of too many, one too many."""
    declared = main.root.get(_KEY)
    return tuple(islice(declared, MOST + 1)) if isinstance(declared, dict) else ()


def overlay_of(main: YamlDocument, environment: str | None) -> Layer | None:
    """
    What *environment* changes; None if there are no environments.

    Raises ManifestError unless exactly one is meant.
    """
    names = names_in(main)
    if environment is None and not names:
        return None
    if environment in names:
        place = Place(main, (_KEY, environment))
        return _layer_at(place) or Layer({}, place)
    raise ManifestError([_unmet(main, environment, names)])


def published(root: Keys, environment: str | None) -> str | None:
    """Where the handles of *environment* go: to its own `publish`, or beside the stack's."""
    path: str | None = root.get("publish")
    if environment is None:
        return path
    own: str | None = (root[_KEY][environment] or {}).get("publish")
    if own or path is None:
        return own
    folder, slash, name = path.rpartition("/")
    stem, dot, suffix = name.rpartition(".")
    name = f"{stem}.{environment}{dot}{suffix}" if stem else f"{name}.{environment}"
    return f"{folder}{slash}{name}"


def shared_files(main: YamlDocument) -> Iterator[Problem]:
    """Environments whose handles would overwrite another's."""
    first: dict[str, str] = {}
    for name in names_in(main):
        path = published(main.root, name)
        if path is None:
            continue
        if (other := first.setdefault(normpath(path), name)) != name:
            message = f"is the file of {other} as well: give each environment its own"
            yield main.problem((_KEY, name, "publish"), message)


def _unmet(main: YamlDocument, environment: str | None, names: tuple[str, ...]) -> Problem:
    listed = ", ".join(names)
    if environment is None:
        message = f"choose one with --env or CTXPROV_ENV: there are {listed}"
        return main.problem((_KEY,), message)
    if not names:
        return main.problem((), f"has no environments, so there is no {shown(environment)}")
    guess = did_you_mean(environment, names)
    message = f"{guess} There are" if guess else "; there are"
    return main.problem((_KEY,), f"has no {shown(environment)}{message} {listed}")
