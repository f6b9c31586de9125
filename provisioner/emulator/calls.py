"""Requests, before anybody knows what they mean: which operation, on what, with which options.

It decides what a path and a query may be. It refuses to read a body.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct
from starlette.datastructures import Headers, QueryParams

from provisioner.emulator.errors import Refusal, violation


class Operation(StrEnum):
    CREATE = "create"
    LIST = "list"
    GET = "get"
    PATCH = "patch"
    DELETE = "delete"
    COUNT_TOKENS = "countTokens"
    GENERATE_CONTENT = "generateContent"
    LIST_MODELS = "listModels"
    GET_MODEL = "getModel"
    UNKNOWN = "unknown"


class Call(Struct, frozen=True, kw_only=True):
    """One request."""

    operation: Operation
    method: str
    path: str
    version: str
    """`v1`, `v1beta` or `v1alpha`."""
    name: str
    """The last part of the path that names something: an id or a model's id."""
    query: QueryParams
    headers: Headers
    body: bytes


_VERSIONS: Final = frozenset({"v1", "v1beta", "v1alpha"})
_COMMON: Final = frozenset({"key", "alt", "$alt", "prettyPrint", "$prettyPrint", "quotaUser"})
_ALTS: Final = frozenset({"json", "json;enum-encoding=int"})
_PAGED: Final = ("page_size", "page_token")
_OPTIONS: Final[Mapping[Operation, tuple[str, ...]]] = {
    Operation.LIST: _PAGED,
    Operation.LIST_MODELS: _PAGED,
    Operation.PATCH: ("update_mask",),
}
_CAMEL: Final = {
    "pageSize": "page_size",
    "pageToken": "page_token",
    "updateMask": "update_mask",
}


def route(method: str, path: str) -> tuple[Operation, str, str]:
    """The operation, the API version and the name in *path*."""
    version, *rest = path.removeprefix("/").split("/")
    if version not in _VERSIONS:
        return Operation.UNKNOWN, version, ""
    operation, name = _operation(method, rest)
    return operation, version, name


def options(call: Call) -> dict[str, str]:
    """The query in snake case without the parameters that every method has. Raises Refusal."""
    options = _OPTIONS.get(call.operation, ())
    given = {}
    for key, value in call.query.multi_items():
        snake = _CAMEL.get(key, key)
        if snake in options:
            given[snake] = value
        elif key not in _COMMON:
            raise _unbound(key)
    return given


def wants_numbers(call: Call) -> bool:
    """Whether enumerations are to be answered as numbers. Raises Refusal for another `alt`."""
    alt = call.query.get("$alt", call.query.get("alt", "json"))
    if alt not in _ALTS:
        raise Refusal(400, f"Unsupported output format: {alt[:80]}")
    return alt != "json"


def api_keys(call: Call) -> Iterable[str]:
    """The keys that came along, none empty."""
    keys = (call.headers.get("x-goog-api-key", ""), call.query.get("key", ""))
    return tuple(key for key in keys if key)


def _operation(method: str, rest: list[str]) -> tuple[Operation, str]:
    match method, rest:
        case "POST", ["cachedContents"]:
            return Operation.CREATE, ""
        case "GET", ["cachedContents"]:
            return Operation.LIST, ""
        case "GET" | "PATCH" | "DELETE", ["cachedContents", name] if name:
            return Operation(method.lower()), name
        case "GET", ["models"]:
            return Operation.LIST_MODELS, ""
        case "GET", ["models", name] if name:
            return Operation.GET_MODEL, name
        case "POST", ["models", named]:
            return _method_of_model(named)
        case _:
            return Operation.UNKNOWN, ""


def _method_of_model(named: str) -> tuple[Operation, str]:
    match named.rpartition(":"):
        case (name, ":", "countTokens" | "generateContent" as verb) if name:
            return Operation(verb), name
        case _:
            return Operation.UNKNOWN, ""


def _unbound(key: str) -> Refusal:
    return violation(
        f'Invalid JSON payload received. Unknown name "{key[:80]}": Cannot bind query parameter. '
        f"Field '{key[:80]}' could not be found in request message."
    )
