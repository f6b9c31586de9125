"""
Why a document does not fit the JSON Schema, in words for people.

The schema's titles say what a value must be; this module makes sentences of them, finds
the key to point at, and guesses what an unknown key was meant to be.  Of several things
wrong with one value it says one: that it does not belong there, or else the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeAlias

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from provisioner.errors import Problem
from provisioner.manifest.source_map import Document, Step, Value, shown

Shape: TypeAlias = Mapping[str, Any]
"""A JSON Schema; ours, so its keys are known to be there."""


def explain(document: Document, suspects: Mapping[str, Value], schema: Shape) -> list[Problem]:
    """Say what of *suspects*, the questionable part of *document*, does not fit *schema*."""
    version = document.root.get("version", 1)
    if isinstance(version, int) and version != 1:
        message = f"must be 1, the only version that this ctxprov knows, not {version}"
        return [document.problem(["version"], message)]
    found = complaints(suspects, schema)
    return [document.problem(path, message) for path, message in found.items()]


def complaints(suspects: Mapping[str, Value], schema: Shape) -> Mapping[tuple[Step, ...], str]:
    """What of *suspects* does not fit *schema*, by its path."""
    found: dict[tuple[Step, ...], str] = {}
    for error in validator(schema).iter_errors(suspects):
        for path, message in _complaints(error, schema["$defs"]):
            if path not in found or error.validator == "not":
                found[path] = message
    return found


def validator(schema: Shape) -> Any:  # noqa: ANN401  # a class made by a function
    """The slow validator, of one mind with the fast one."""
    return _VALIDATOR(schema)


def _pattern(_: object, pattern: str, instance: object, __: object) -> Iterator[ValidationError]:
    """Match as the fast validator does: `$` is the end, and not also before a last newline."""
    if isinstance(instance, str) and not re.search(pattern.replace("$", r"\Z"), instance):
        yield ValidationError(f"{instance!r} does not match {pattern!r}")


_VALIDATOR: Any = extend(  # type: ignore[no-untyped-call]  # the stubs leave it out
    Draft202012Validator, {"pattern": _pattern}
)


def _complaints(error: ValidationError, defs: Shape) -> Iterator[tuple[tuple[Step, ...], str]]:
    """What to say of *error*, and of which key."""
    path: tuple[Step, ...] = tuple(error.absolute_path)
    shape: Any = error.schema
    value: Any = error.instance
    must = f"must be {shape.get('title')}"
    rule: tuple[Any, Any] = error.validator, error.validator_value
    match rule:
        case _ if "propertyNames" in error.absolute_schema_path:
            yield (*path, value), must
        case "additionalProperties", _:
            known = [key for key, sub in shape["properties"].items() if "not" not in _at(sub, defs)]
            for key in value.keys() - shape["properties"].keys():
                yield (*path, key), _unknown(key, known)
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
        case "enum", list(words):
            yield path, _wrong(value, must) + _guess(value, words)
        case _:
            yield path, _wrong(value, must)


def _at(shape: Shape, defs: Shape) -> Shape:
    """What *shape* refers to, if it does."""
    reference: Shape = defs[shape["$ref"].rpartition("/")[2]] if "$ref" in shape else shape
    return reference


def _unknown(key: str, known: list[str]) -> str:
    return "is not a key here" + (_guess(key, known) or f"; there are {', '.join(known)}")


def _guess(word: Value, known: list[str]) -> str:
    close = get_close_matches(word.lower(), known, 1) if isinstance(word, str) else []
    return f"; did you mean {close[0]}?" if close else ""


def _wrong(value: Value, must: str) -> str:
    if value in (None, "", [], {}):
        return f"is empty; it {must}"
    return f"{must}, not {shown(value)}"
