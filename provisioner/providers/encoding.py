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


def json_bytes(value: Json) -> bytes:
    """
    Encode *value*, keys in their own order.

    Raises InvalidCacheConfiguration for what JSON cannot hold: half of a surrogate pair,
    a number that is none, a tool that contains itself.
    """
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False, default=_plain)
        return text.encode()
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
