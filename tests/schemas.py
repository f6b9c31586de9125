"""
The published schemas, made from the structs that write and read the documents.

`python -m tests.schemas` writes them into `schemas/`.  The manifest's is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from provisioner.cache import Json
from provisioner.catalog import ModelsFile
from provisioner.handles import HandlesFile
from provisioner.state.history import HistoryFile
from provisioner.state.record_fields import AnnotationFields, CacheFields
from provisioner.state.state_file import StateFile
from provisioner.view.plan import PlanView

FOLDER = Path(__file__).resolve().parents[1] / "schemas"

_MONEY = re.compile(r'(#/\$defs/|^ +")(Cost|Money|Step|Totals|Use)(?=")', re.MULTILINE)
"""Parts whose published names are older than those of their structs."""


class Document(NamedTuple):
    """A document of ours, and the structs that only an `extra_json_schema` of it names."""

    name: str
    file: type[Struct]
    parts: Sequence[type[Struct]] = ()


DOCUMENTS = (
    Document("handles", HandlesFile),
    Document("history", HistoryFile),
    Document("models", ModelsFile),
    Document("plan", PlanView),
    Document("state", StateFile, (CacheFields, AnnotationFields)),
)


def schema_of(document: Document) -> dict[str, Json]:
    """
    Describe *document* as JSON Schema.

    Its docstring gives the title and, after it, the description; a part's docstring is its
    description.  What we write has no other keys, even if its reader passes over them.
    """
    _, parts = msgspec.json.schema_components(
        [document.file, *document.parts], ref_template="#/$defs/{name}"
    )
    head = parts.pop(document.file.__name__)
    head = _closed(document.file.__name__, head)
    title, _, description = head["description"].partition("\n\n")
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **head,
        "title": title.removesuffix("."),
        "description": description,
        "$defs": {
            name: {**_closed(name, part), "title": None} for name, part in sorted(parts.items())
        },
    }
    described: dict[str, Json] = _plain(schema)
    return described if parts else {key: described[key] for key in described if key != "$defs"}


def schema_text(document: Document) -> str:
    text = json.dumps(schema_of(document), indent=2, ensure_ascii=False) + "\n"
    return _MONEY.sub(r"\g<0>View", text)


def _closed(name: str, part: dict[str, Any]) -> dict[str, Any]:
    """Describe the fields of *part* by the docstring of its struct, and take no other keys."""
    properties = part.get("properties")
    if not properties:
        return part
    described = dict(_descriptions(_structs()[name.partition("_")[0] or name], properties))
    return {
        **part,
        "description": described.get("", part.get("description")),
        "properties": {
            key: {"description": None}
            | schema
            | {"description": described.get(key, schema.get("description"))}
            for key, schema in properties.items()
        },
        "additionalProperties": False,
    }


def _descriptions(struct: type[Struct], properties: Collection[str]) -> Iterator[tuple[str, str]]:
    """Take a docstring and those of its bases apart: what it says, then `field: what it is`."""
    field = re.compile(rf"^({'|'.join(map(re.escape, properties))}): ", re.MULTILINE)
    for base in reversed(struct.mro()):
        head, *fields = field.split(cleandoc(base.__dict__.get("__doc__") or ""))
        yield from zip(fields[::2], fields[1::2], strict=True)
    yield "", head.strip()


@cache
def _structs() -> dict[str, type[Struct]]:
    """Those of the package by their names; tests may have others of the same names."""

    def below(struct: type[Struct]) -> Iterator[type[Struct]]:
        for child in struct.__subclasses__():
            yield child
            yield from below(child)

    ours = (struct for struct in below(Struct) if struct.__module__.startswith("provisioner."))
    return {struct.__name__: struct for struct in ours}


def _plain(node: Any, *, is_map: bool = False) -> Any:  # noqa: ANN401  # JSON
    """
    Return *node* without what only OpenAPI or Python knows; its keys are names if it *is_map*.

    Python's `\\Z` is the end of the text, which JSON Schema spells `$`.
    """
    match node:
        case dict() if is_map:
            return {name: _plain(value) for name, value in node.items()}
        case {"enum": [only], **others}:
            return _plain({**others, "const": only})
        case dict():
            return {
                key: _plain(value, is_map=key in {"properties", "$defs"})
                for key, value in node.items()
                if value is not None and key not in {"default", "discriminator"}
            }
        case list():
            return [_plain(value) for value in node]
        case str():
            return " ".join(node.replace(r"\Z", "$").split())
        case _:
            return node


def main() -> None:
    """Write every schema."""
    for document in DOCUMENTS:
        path = FOLDER / f"{document.name}.schema.json"
        path.write_text(schema_text(document), encoding="utf-8")


if __name__ == "__main__":
    main()
