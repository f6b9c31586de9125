"""Published schemas: which there are, and every path of a document that they describe."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOM = Path(__file__).resolve().parents[2] / "schemas"

_SAME_PLACE = ("anyOf", "oneOf", "allOf")
_CONDITIONS = ("then", "else")


def schemas() -> dict[str, Any]:
    """Return each published schema with its `$id`, its dialect and what its documents are."""
    return {
        path.name: {key: schema.get(key) for key in ("$id", "$schema")}
        for path, schema in _published()
    }


def schema_paths() -> dict[str, str]:
    """Return each path that a schema describes; `*` stands for any key or index."""
    return {
        f"{path.name.partition('.')[0]}: {place}": ""
        for path, schema in _published()
        for place in _paths(schema, schema, "$", ())
    }


def _published() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in sorted(ROOM.glob("*.schema.json")):
        yield path, json.loads(path.read_text(encoding="utf-8"))


def _paths(
    root: dict[str, Any],
    schema: Any,  # noqa: ANN401  # JSON
    place: str,
    under: tuple[str, ...],
) -> Iterator[str]:
    if not isinstance(schema, dict):
        return
    if (reference := schema.get("$ref")) and reference not in under:
        yield from _paths(root, _at(root, reference), place, (*under, reference))
    for word in _SAME_PLACE:
        for branch in schema.get(word, ()):
            yield from _paths(root, branch, place, under)
    for word in _CONDITIONS:
        yield from _paths(root, schema.get(word), place, under)
    for key, child in schema.get("properties", {}).items():
        yield f"{place}.{key}"
        yield from _paths(root, child, f"{place}.{key}", under)
    for child in [
        schema.get("additionalProperties"),
        *schema.get("patternProperties", {}).values(),
    ]:
        if isinstance(child, dict):
            yield f"{place}.*"
            yield from _paths(root, child, f"{place}.*", under)
    for child in [schema.get("items"), *schema.get("prefixItems", ())]:
        if isinstance(child, dict):
            yield f"{place}[*]"
            yield from _paths(root, child, f"{place}[*]", under)


def _at(root: dict[str, Any], reference: str) -> Any:  # noqa: ANN401  # JSON
    node: Any = root
    for key in reference.removeprefix("#/").split("/"):
        node = node[key.replace("~1", "/").replace("~0", "~")]
    return node
