"""
Our values as JSON bytes.

Decides what cannot be said in JSON, and says so as `InvalidCacheConfiguration`.  Knows no
provider's shapes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import orjson

from provisioner.cache import Json
from provisioner.errors import InvalidCacheConfiguration

_NO_UNICODE = "is not valid Unicode"


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
        reason = _NO_UNICODE if isinstance(error, UnicodeError) else str(error)
        raise _unsendable(reason) from error


def body_bytes(fields: Mapping[str, object]) -> bytes:
    """
    Encode a body of text, which is fast for long texts, and of fragments that are encoded.

    Raises InvalidCacheConfiguration for half of a surrogate pair.
    """
    try:
        return orjson.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise _unsendable(_NO_UNICODE) from error


def _unsendable(reason: str) -> InvalidCacheConfiguration:
    return InvalidCacheConfiguration(f"the content cannot be sent as JSON: {reason}")


def _plain(value: object) -> object:
    match value:
        case Mapping():
            return dict(value)
        case Sequence():
            return list(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")
