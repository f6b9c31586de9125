"""
The manifest's keys as a Markdown page, made from its JSON Schema and from nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from provisioner.cache import Json

Schema = Mapping[str, Json]

_HEAD = """\
# The manifest

A stack is a folder with a `ctxprov.yaml`. Every `*.ctxprov.yaml` beside it holds `version` and
more `caches` of the same stack. A manifest is inert: no templates, no code, no clock, and no
implicit YAML types but null, booleans and whole numbers. All problems of a manifest are reported
at once, each with its file, line and column.
"""


class _Book(Struct, frozen=True):
    """A schema whose references can be followed."""

    root: Schema

    def follow(self, schema: Json) -> Schema:
        """*schema* with what it refers to below its own keys."""
        if not isinstance(schema, Mapping):
            return {}
        own = {k: v for k, v in schema.items() if k != "$ref"}
        match schema.get("$ref"):
            case str(ref):
                name = ref.removeprefix("#/$defs/")
                return {**self.follow(_part(self.root, "$defs").get(name)), **own}
            case _:
                return own


def manifest_page(schema: Schema) -> str:
    """Every key of the manifest, in the schema's order."""
    book = _Book(schema)
    names = ("environment", "provider", "cache", "part")
    environment, provider, cache, part = (
        book.follow(_part(schema, "$defs").get(name)) for name in names
    )
    defaults = _part(book.follow(_part(schema, "properties").get("defaults")), "properties")
    limits = book.follow(_part(schema, "properties").get("limits"))
    allowance = book.follow(_part(schema, "$defs").get("allowance"))
    blocks = [
        _HEAD,
        "## `ctxprov.yaml`\n",
        _table(book, schema),
        *(_sentence(book, name, keys) for name, keys in defaults.items()),
        "## `limits`\n",
        f"{_cell(limits, 'description')}\n",
        _table(book, limits),
        "`limits.delete` and `limits.replace` hold:\n",
        _table(book, allowance),
        "## An environment\n",
        f"{_cell(environment, 'description')}\n",
        _table(book, environment),
        "## A provider\n",
        f"{_cell(provider, 'description')}\n",
        _table(book, provider),
        "## A cache\n",
        _table(book, cache),
        "## A part of `content`\n",
        f"{_cell(part, 'description')}\n",
        _table(book, part),
    ]
    return "\n".join(blocks)


def _sentence(book: _Book, name: str, keys: Json) -> str:
    listed = ", ".join(f"`{key}`" for key in _offered(book, book.follow(keys)))
    return f"`defaults.{name}` may hold {listed}.\n"


def _table(book: _Book, schema: Schema) -> str:
    required = schema.get("required")
    needed = set(required) if isinstance(required, list) else set()
    lines = ["| key | value | meaning |", "|---|---|---|"]
    for key, value in _offered(book, schema).items():
        mark = " (required)" if key in needed else ""
        lines.append(f"| `{key}`{mark} | {_cell(value, 'title')} | {_cell(value, 'description')} |")
    return "\n".join([*lines, ""])


def _offered(book: _Book, schema: Schema) -> dict[str, Schema]:
    """The keys that may be given; one that nothing fits is there for its message only."""
    offered = {key: book.follow(value) for key, value in _part(schema, "properties").items()}
    return {key: value for key, value in offered.items() if "not" not in value}


def _part(schema: Schema, key: str) -> Schema:
    part = schema.get(key)
    return part if isinstance(part, Mapping) else {}


def _cell(schema: Schema, key: str) -> str:
    return str(schema.get(key, "")).replace("|", "\\|")
