"""
Whether a document has the shape that the JSON Schema gives.

A fast validator decides, and finds the caches that fail; a slow one, imported only
then, says why.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, TypeAlias

from jsonschema_rs import Draft202012Validator
from msgspec import Struct

from provisioner.errors import Problem
from provisioner.manifest.overlays import Keys, Layer, merged, place_in
from provisioner.manifest.source_map import Document, Value
from provisioner.shapes import schema_bytes

Kind: TypeAlias = Literal["manifest", "fragment"]
"""`ctxprov.yaml` has the shape of a manifest, the files beside it that of a fragment."""

_EXPLAINED = 100
"""So many caches of one file are explained; each takes a millisecond, and a file has thousands."""


class Shape(Struct, frozen=True):
    """What is wrong with the shape of a document, and what is right."""

    problems: list[Problem]
    caches: dict[str, Keys]
    """Those that have their shape."""
    framed: bool
    """Whether everything around the caches has its shape."""


def shape_of(document: Document, kind: Kind) -> Shape:
    """Compare *document* with its schema."""
    root = document.root
    caches: Any = root.get("caches", {})
    if validator(kind).is_valid(root) and isinstance(caches, dict):
        return Shape([], caches, framed=True)
    from provisioner.manifest.explain import explain  # noqa: PLC0415  # slow, and seldom needed

    if "caches" not in root or not isinstance(caches, dict):
        return Shape(explain(document, root, schema(kind)), {}, framed=False)
    fits = validator(kind, "caches").is_valid
    right = {name: keys for name, keys in caches.items() if fits({name: keys})}
    wrong = [name for name in caches if name not in right]
    first = {name: caches[name] for name in wrong[:_EXPLAINED]}
    problems = explain(document, {**root, "caches": first}, schema(kind))
    problems += _rest(document, wrong[_EXPLAINED:])
    return Shape(problems, right, validator(kind).is_valid({**root, "caches": {}}))


def _rest(document: Document, names: Sequence[str]) -> list[Problem]:
    """One problem for all caches whose own are not explained."""
    if not names:
        return []
    message = (
        f"is wrong as well, and so are {len(names) - 1:,} more of this file: repair the others "
        "first, and their problems are shown"
    )
    return [document.problem(("caches", names[0]), message)]


def misfits(layers: Sequence[Layer]) -> list[Problem]:
    """What is wrong with the shape of a cache that several layers describe together."""
    keys = merged(layers)
    if validator("manifest", "cache").is_valid(keys):
        return []
    from provisioner.manifest.explain import complaints  # noqa: PLC0415  # as above

    whole = schema("manifest")
    shape = {"$defs": whole["$defs"], "$ref": "#/$defs/cache"}
    found = complaints(dict(keys), shape).items()
    return [place_in(layers, path).problem(message) for path, message in found]


@cache
def schema(kind: Kind) -> dict[str, Value]:
    whole: dict[str, Value] = json.loads(schema_bytes("manifest"))
    if kind == "manifest":
        return whole
    return {"$schema": whole["$schema"], "$defs": whole["$defs"], "$ref": "#/$defs/fragment"}


@cache
def validator(kind: Kind, part: str | None = None) -> Draft202012Validator:
    """The fast validator, of a whole document or of a part that the schema defines."""
    whole = schema(kind)
    return Draft202012Validator(
        {"$defs": whole["$defs"], "$ref": f"#/$defs/{part}"} if part else whole
    )
