"""Pages of a list: their size, and the opaque tokens between them.

It decides that a token is one number in base64's standard alphabet. Every token contains `/`, `+`
and `=`, so that a client that forgets to percent-encode it is found out here and not in production.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from provisioner.emulator.errors import Refusal
from provisioner.emulator.wire import parse_int32

_MARK: Final = b"\xff\xef\xbe"
_WIDTH: Final = 8
_DEFAULT_SIZE: Final = 50
_LARGEST: Final = 1000


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
