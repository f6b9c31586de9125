"""
What several places say of one thing: the nearest wins, key by key.

A life is one thing with two keys: whoever says either of them has said the life.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

from msgspec import Struct

from provisioner.manifest.source_map import Place, Step

Keys: TypeAlias = Mapping[str, Any]
"""The keys of an entry or of defaults, of the shape that the schema gives."""

_LIFE = frozenset({"ttl", "expires_at"})


class Layer(Struct, frozen=True):
    """What is said at one place."""

    keys: Keys
    place: Place


def layer_at(place: Place) -> Layer | None:
    """What a document says at *place*, if that is anything."""
    keys: Any = place.document.root
    for step in place.path:
        keys = keys.get(step) or {}
    return Layer(keys, place) if keys else None


def said(above: Iterable[Place], *path: Step) -> tuple[Layer, ...]:
    """What is said at *path* below each of *above*, where anything is."""
    places = (reduce(Place.__truediv__, path, place) for place in above)
    return tuple(layer for layer in map(layer_at, places) if layer)


def merged(layers: Sequence[Layer]) -> Keys:
    """What *layers*, at least one, say together; the first is the nearest."""
    keys = layers[-1].keys
    for layer in reversed(layers[:-1]):
        if not _LIFE.isdisjoint(layer.keys):
            keys = {key: value for key, value in keys.items() if key not in _LIFE}
        keys = {**keys, **layer.keys}
    return keys


def place_in(layers: Sequence[Layer], path: Sequence[Step]) -> Place:
    """Where the value at *path* was said, or would be said first; the whole is the nearest's."""
    for layer in layers:
        if path and path[0] in layer.keys:
            return reduce(Place.__truediv__, path, layer.place)
    return reduce(Place.__truediv__, path, layers[0].place)
