"""
The manifest's keys as a Markdown page, made from its JSON Schema and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from provisioner.cache import Json

Schema = Mapping[str, Json]

_HEAD = """\
# The manifest

A stack is a folder with a `ctxprov.yaml`. Every `*.ctxprov.yaml` beside it holds `version` and
more `caches` of the same stack. A manifest is inert: no templates, no code, no clock, and no
implicit YAML types but null, booleans and whole numbers. All problems of a manifest are reported
at once, each with its file, line and column.
"""


_PARTS = (
    ("limits", "## `limits`\n"),
    ("environment", "## An environment\n"),
    ("provider", "## A provider\n"),
    ("cache", "## A cache\n"),
    ("part", "## A part of `content`\n"),
)


def manifest_page(schema: Schema) -> str:
    """Every key of the manifest, in the schema's order."""
    definitions = _part(schema, "$defs")
    defaults = _part(
        _followed(_part(schema, "properties").get("defaults"), definitions), "properties"
    )
    blocks = [_HEAD, "## `ctxprov.yaml`\n", _table(schema, definitions)]
    for name, keys in defaults.items():
        listed = ", ".join(
            f"`{key}`" for key in _offered(_followed(keys, definitions), definitions)
        )
        blocks.append(f"`defaults.{name}` may hold {listed}.\n")
    for name, title in _PARTS:
        part = _followed(definitions.get(name), definitions)
        described = [f"{_cell(part, 'description')}\n"] if name != "cache" else []
        blocks += [title, *described, _table(part, definitions)]
        if name == "limits":
            allowance = _followed(definitions.get("allowance"), definitions)
            blocks += [
                "`limits.delete` and `limits.replace` hold:\n",
                _table(allowance, definitions),
            ]
    return "\n".join(blocks)


def _followed(schema: Json, definitions: Schema) -> Schema:
    """*schema* with the definition that it refers to below its own keys."""
    if not isinstance(schema, Mapping):
        return {}
    own = {key: value for key, value in schema.items() if key != "$ref"}
    name = str(schema.get("$ref", "")).removeprefix("#/$defs/")
    return {**_followed(definitions.get(name), definitions), **own}


def _table(schema: Schema, definitions: Schema) -> str:
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    lines = ["| key | value | meaning |", "|---|---|---|"]
    for key, value in _offered(schema, definitions).items():
        mark = " (required)" if key in needed else ""
        lines.append(f"| `{key}`{mark} | {_cell(value, 'title')} | {_cell(value, 'description')} |")
    return "\n".join([*lines, ""])


def _offered(schema: Schema, definitions: Schema) -> dict[str, Schema]:
    """The keys that may be given; one that nothing fits is there for its message only."""
    properties = _part(schema, "properties")
    offered = {key: _followed(value, definitions) for key, value in properties.items()}
    return {key: value for key, value in offered.items() if "not" not in value}


def _part(schema: Schema, key: str) -> Schema:
    part = schema.get(key)
    return part if isinstance(part, Mapping) else {}


def _cell(schema: Schema, key: str) -> str:
    return str(schema.get(key, "")).replace("|", "\\|")
