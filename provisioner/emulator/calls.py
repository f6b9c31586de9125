"""Requests before their body is read: which operation, on what, with which options.

It decides what a path and a query may be. It refuses to read a body.

It decides as well what a page of a list is: its size, and that a token is one number in base64's
standard alphabet. Every token contains `/`, `+` and `=`, so that a client that forgets to
percent-encode it is found out here and not in production.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct
from starlette.datastructures import Headers, QueryParams

from provisioner.emulator.errors import Refusal, violation
from provisioner.emulator.wire import parse_int32

_MARK: Final = b"\xff\xef\xbe"
_WIDTH: Final = 8
_DEFAULT_SIZE: Final = 50
_LARGEST: Final = 1000


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


class Page(Struct, frozen=True, kw_only=True):
    size: int
    after: int | None
    """Where the last page ended; None for the first."""


def parse_page(options: Mapping[str, str]) -> Page:
    """Raises Refusal for a size that is no number and for a token that we did not make."""
    size = parse_int32(options.get("page_size") or "0", "page_size")
    if size < 0:
        raise Refusal(400, "page_size must not be negative.")
    token = options.get("page_token", "")
    return Page(size=min(size, _LARGEST) or _DEFAULT_SIZE, after=_place(token) if token else None)


def page_token(place: int) -> str:
    return base64.b64encode(_MARK + place.to_bytes(_WIDTH)).decode()


def _place(token: str) -> int:
    try:
        raw = base64.b64decode(token.encode(), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != len(_MARK) + _WIDTH or not raw.startswith(_MARK):
        raise Refusal(400, "The page token is invalid.")
    return min(int.from_bytes(raw.removeprefix(_MARK)), 2**63 - 1)
