"""
Whether a document fits the JSON Schema, and why it does not.

A fast validator decides, and finds the caches that fail.  A slow one, imported only then, names
each failure.  The schema's titles say what a value must be; this module makes sentences of them,
finds the key to point at, and guesses what an unknown key was meant to be.  Where several things
are wrong with one value it reports one: that the value does not belong there, or else the first.
What a key means is not decided here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from provisioner.errors import Problem
from provisioner.files import schema_bytes
from provisioner.manifest.overlays import Keys, Layer, merged, place_in
from provisioner.manifest.source_map import PathStep, YamlDocument, YamlValue, did_you_mean, shown

Kind: TypeAlias = Literal["manifest", "fragment"]
"""`ctxprov.yaml` has the shape of a manifest, the files beside it that of a fragment."""

Schema: TypeAlias = dict[str, Any]
"""A JSON Schema; ours, so its keys are certain to be there."""

_EXPLAINED = 100
"""So many caches of one file are explained; each takes a millisecond, and a file has thousands."""


class Shape(Struct, frozen=True):
    """What is wrong with the shape of a document, and what is right."""

    document: YamlDocument
    kind: Kind
    problems: list[Problem]
    caches: dict[str, Keys]
    """Those that have their shape."""
    framed: bool
    """Whether everything around the caches has its shape."""


def shape_of(document: YamlDocument, kind: Kind) -> Shape:
    """Compare *document* with its schema."""
    root = document.root
    caches: Any = root.get("caches", {})
    if validator(kind).is_valid(root):
        return Shape(document, kind, [], caches, framed=True)
    if "caches" not in root or not isinstance(caches, dict):
        problems = explain(document, root, kind)
        return Shape(document, kind, problems, {}, framed=False)
    fits = validator("caches").is_valid
    right = {name: keys for name, keys in caches.items() if fits({name: keys})}
    wrong = [name for name in caches if name not in right]
    first = {name: caches[name] for name in wrong[:_EXPLAINED]}
    problems = explain(document, {**root, "caches": first}, kind)
    if rest := wrong[_EXPLAINED:]:
        message = (
            f"is wrong as well, and so are {len(rest) - 1:,} more of this file: repair the others "
            "first, and their problems are shown"
        )
        problems.append(document.problem(("caches", rest[0]), message))
    framed = validator(kind).is_valid({**root, "caches": {}})
    return Shape(document, kind, problems, right, framed)


def misfits(layers: Sequence[Layer]) -> list[Problem]:
    """What is wrong with the shape of a cache that several layers describe together."""
    keys = merged(layers)
    if validator("cache").is_valid(keys):
        return []
    messages = _messages(dict(keys), "cache")
    return [place_in(layers, path).problem(message) for path, message in messages.items()]


@cache
def schema(part: str) -> Schema:
    """The schema of a whole manifest, or of a part that it defines."""
    if part == "manifest":
        whole: Schema = json.loads(schema_bytes("manifest"))
        return whole
    whole = schema("manifest")
    return {"$schema": whole["$schema"], "$defs": whole["$defs"], "$ref": f"#/$defs/{part}"}


@cache
def validator(part: str) -> Any:  # noqa: ANN401  # imported when needed
    """The fast validator of *part*."""
    from jsonschema_rs import Draft202012Validator  # noqa: PLC0415  # reading a state needs none

    return Draft202012Validator(schema(part))


def explain(document: YamlDocument, suspects: Mapping[str, YamlValue], kind: Kind) -> list[Problem]:
    """Explain what of *suspects*, the questionable part of *document*, is not of its *kind*."""
    version = document.root.get("version", 1)
    if isinstance(version, int) and version != 1:
        message = f"must be 1, the only version that this ctxprov reads, not {version}"
        return [document.problem(["version"], message)]
    messages = _messages(suspects, kind)
    return [document.problem(path, message) for path, message in messages.items()]


def _messages(suspects: Mapping[str, YamlValue], part: str) -> Mapping[tuple[PathStep, ...], str]:
    """What of *suspects* does not fit the schema of *part*, by its path."""
    messages: dict[tuple[PathStep, ...], str] = {}
    for error in explainer(part).iter_errors(suspects):
        for path, message in _sentences(error, schema(part)["$defs"]):
            if path not in messages or error.validator == "not":
                messages[path] = message
    return messages


def explainer(part: str) -> Any:  # noqa: ANN401  # a class made by a function
    """The slow validator, of one mind with the fast one."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  # slow, and seldom needed
    from jsonschema.validators import extend  # noqa: PLC0415

    kind: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]  # the stubs leave it out
    return kind(schema(part))


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[Any]:
    """Match as the fast validator does: `$` is the end, and not also before a last newline."""
    from jsonschema import ValidationError  # noqa: PLC0415  # as above

    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


def _sentences(error: Any, defs: Schema) -> Iterator[tuple[tuple[PathStep, ...], str]]:  # noqa: ANN401  # jsonschema's
    """Which key a ValidationError is about, and the sentence for it."""
    path: tuple[PathStep, ...] = tuple(error.absolute_path)
    shape: Any = error.schema
    value: Any = error.instance
    must = f"must be {shape.get('title')}"
    match (error.validator, error.validator_value):
        case _ if "propertyNames" in error.absolute_schema_path:
            yield (*path, value), must
        case "additionalProperties", _:
            keys = [key for key, sub in shape["properties"].items() if "not" not in _at(sub, defs)]
            for key in value.keys() - shape["properties"].keys():
                guess = did_you_mean(key, keys) or f"; there are {', '.join(keys)}"
                yield (*path, key), f"is not a key here{guess}"
        case "required", keys:
            for key in keys:
                if key not in value:
                    title = _at(_at(shape, defs)["properties"][key], defs)["title"]
                    yield (*path, key), f"is missing; it must be {title}"
        case "dependentRequired", _:
            yield path, "needs a mime_type beside its uri"
        case "anyOf", _:
            yield path, "needs a content, a system_instruction, or both"
        case "oneOf", _:
            yield path, "must hold exactly one of file, uri and text"
        case "not", {"required": [*_, str(last)]}:
            yield (*path, last), must
        case "not", _:
            yield path, must
        case "uniqueItems", _:
            yield path, "names one of them twice"
        case "enum", list(choices):
            yield path, _wrong(value, must) + did_you_mean(value, choices)
        case _:
            yield path, _wrong(value, must)


def _at(shape: Schema, defs: Schema) -> Schema:
    """What *shape* refers to, if it does."""
    reference: Schema = defs[shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
    return reference


def _wrong(value: YamlValue, must: str) -> str:
    if value in (None, "", [], {}):
        return f"is empty; it {must}"
    return f"{must}, not {shown(value)}"
