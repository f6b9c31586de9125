"""Requests before their body is read: which operation, on what, with which options.

It decides what a path and a query may be. It refuses to read a body.

It decides as well what a page of a list is: its size, and that a token is one number in base64's
standard alphabet. Every token contains `/`, `+` and `=`, so that a client that forgets to
percent-encode it is found out here and not in production.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias

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


_ROUTES: Final = {
    Operation.CREATE: "POST cachedContents",
    Operation.LIST: "GET cachedContents",
    Operation.GET: "GET cachedContents/NAME",
    Operation.PATCH: "PATCH cachedContents/NAME",
    Operation.DELETE: "DELETE cachedContents/NAME",
    Operation.COUNT_TOKENS: "POST models/NAME:countTokens",
    Operation.GENERATE_CONTENT: "POST models/NAME:generateContent",
    Operation.LIST_MODELS: "GET models",
    Operation.GET_MODEL: "GET models/NAME",
}
_PATTERNS: Final = {
    operation: re.compile(route.replace("NAME", "(?P<name>[^/]+)"))
    for operation, route in _ROUTES.items()
}
_VERSIONS: Final = frozenset({"v1", "v1beta", "v1alpha"})
_COMMON: Final = frozenset({"key", "alt", "$alt", "prettyPrint", "$prettyPrint", "quotaUser"})
_ALTS: Final = frozenset({"json", "json;enum-encoding=int"})
_PAGED: Final = {
    "pageSize": "page_size",
    "page_size": "page_size",
    "pageToken": "page_token",
    "page_token": "page_token",
}
_OPTIONS: Final[Mapping[Operation, Mapping[str, str]]] = {
    Operation.LIST: _PAGED,
    Operation.LIST_MODELS: _PAGED,
    Operation.PATCH: {"updateMask": "update_mask", "update_mask": "update_mask"},
}
"""The parameters of a query that not every method has, in both spellings, and their name here."""


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

    @property
    def api_keys(self) -> list[str]:
        """The keys that came along, none empty."""
        keys = (self.headers.get("x-goog-api-key", ""), self.query.get("key", ""))
        return [key for key in keys if key]

    @property
    def options(self) -> dict[str, str]:
        """The query in snake case, without the parameters that every method has."""
        names = _OPTIONS.get(self.operation, {})
        return {names[key]: value for key, value in self.query.multi_items() if key in names}

    @property
    def wants_numbers(self) -> bool:
        """Whether enumerations are to be answered as numbers."""
        return self._alt != "json"

    def check_query(self) -> None:
        """Raises Refusal for a parameter that the operation does not have, and another `alt`."""
        for key in self.query:
            if key not in _OPTIONS.get(self.operation, ()) and key not in _COMMON:
                raise _unbound(key)
        if self._alt not in _ALTS:
            raise Refusal(400, f"Unsupported output format: {self._alt[:80]}")

    @property
    def _alt(self) -> str:
        return self.query.get("$alt", self.query.get("alt", "json"))


Verb: TypeAlias = Callable[[Call], bytes]
"""What answers the calls of one operation, in JSON. Raises Refusal."""


def route(method: str, path: str) -> tuple[Operation, str, str]:
    """The operation, the API version and the name in *path*."""
    version, _, rest = path.removeprefix("/").partition("/")
    if version in _VERSIONS:
        for operation, pattern in _PATTERNS.items():
            if match := pattern.fullmatch(f"{method} {rest}"):
                return operation, version, match.groupdict().get("name", "")
    return Operation.UNKNOWN, version, ""


def _unbound(key: str) -> Refusal:
    return violation(
        f'Invalid JSON payload received. Unknown name "{key[:80]}": Cannot bind query parameter. '
        f"Field '{key[:80]}' could not be found in request message."
    )


class Page(Struct, frozen=True, kw_only=True):
    size: int
    after: int | None
    """Where the last page ended; None for the first."""


def parse_page(call: Call) -> Page:
    """Raises Refusal for a size that is no number and for a token that we did not make."""
    options = call.options
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
