"""Documents that are nearly right: each place of one changed in every way that a schema can see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

_OTHER_TYPES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2,
    10**16,
    1.5,
    -1e300,
    "",
    "x",
    "x" * 9_000,
    [],
    {},
    [None],
)
_OTHER_TEXTS = (
    *("2026-01-01T00:00:00", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00+02:00", "2026-01-01"),
    *("1h", "1 h", "25%", "1/3", "A" * 64, "a" * 64, "a" * 65, "ttl", "GEMINI_API_KEY", "a.b.c"),
)


class Variant(NamedTuple):
    """A document with one place changed; it is changed back before the next one comes."""

    place: str
    change: str
    document: Any


def variants(document: Any) -> Iterator[Variant]:  # noqa: ANN401  # JSON
    """
    Change *document* at every place: a key removed, one added, another type, out of bounds.

    Of places that differ in nothing but an index, the first is taken.
    """
    root = [document]
    yield from _of_value(root, root, 0, "$", set())


def _of_value(
    root: list[Any],
    parent: Any,  # noqa: ANN401  # a list or a dict
    key: Any,  # noqa: ANN401  # an index or a name
    place: str,
    seen: set[str],
) -> Iterator[Variant]:
    value, is_new = parent[key], place not in seen
    seen.add(place)
    if is_new:
        others = (*_OTHER_TYPES, *_OTHER_TEXTS) if isinstance(value, str) else _OTHER_TYPES
        for other in others:
            parent[key] = other
            yield Variant(place, f"is {other!r:.40}", root[0])
        parent[key] = value
    match value:
        case dict():
            if is_new:
                yield from _of_keys(root, value, place)
            for name in tuple(value):
                yield from _of_value(root, value, name, f"{place}.{name}", seen)
        case list():
            if is_new:
                value.append(value[0] if value else {})
                yield Variant(place, "has one more", root[0])
                value.pop()
            for at in range(len(value)):
                yield from _of_value(root, value, at, f"{place}[*]", seen)
        case _:
            pass


def _of_keys(root: list[Any], value: dict[str, Any], place: str) -> Iterator[Variant]:
    value["more"] = 1
    yield Variant(place, "has a key more", root[0])
    del value["more"]
    for name in tuple(value):
        whole = dict(value)
        del value[name]
        yield Variant(f"{place}.{name}", "is missing", root[0])
        value.clear()
        value.update(whole)
