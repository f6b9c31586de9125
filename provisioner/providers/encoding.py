"""
Our values as JSON bytes.

Decides what cannot be said in JSON, and says so as `InvalidCacheConfiguration`.  Knows no
provider's shapes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from provisioner.cache import Json
from provisioner.errors import InvalidCacheConfiguration


def json_bytes(value: Json, *, sort_keys: bool = False) -> bytes:
    """
    Encode *value*, keys in their own order unless *sort_keys*.

    Raises InvalidCacheConfiguration for what JSON cannot hold: half of a surrogate pair,
    a number that is none, a tool that contains itself.
    """
    try:
        return json.dumps(
            value, allow_nan=False, ensure_ascii=False, sort_keys=sort_keys, default=_plain
        ).encode()
    except (TypeError, ValueError, RecursionError) as error:
        reason = "is not valid Unicode" if isinstance(error, UnicodeError) else str(error)
        raise InvalidCacheConfiguration(f"the content cannot be sent as JSON: {reason}") from error


def _plain(value: object) -> object:
    match value:
        case Mapping():
            return dict(value)
        case Sequence():
            return list(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")
