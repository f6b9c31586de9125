"""Proto JSON: request bodies and query values → messages.

It decides what fits the schema and says otherwise in the words of Google's own parser. It refuses
to know what any field is for. Accepted as there: either spelling of a name, null for unset,
enumerations by name in any case or by number, numbers as strings, one value where a list may
stand, base64 in both alphabets with or without padding.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final, TypeAlias

import orjson

from provisioner.emulator.errors import Refusal, violation
from provisioner.emulator.schema import ENUMERATIONS, MESSAGES, Field
from provisioner.emulator.times import parse_duration, parse_moment

Message: TypeAlias = dict[str, Any]
"""Camel-case names; nothing null; bytes decoded; times as whole nanoseconds."""

_DEEPEST: Final = 100
_SHOWN: Final = 80
_LIMITS: Final = {"int32": 2**31, "int64": 2**63}
_WHOLE: Final = re.compile(r"-?\d{1,19}", re.ASCII)
_URL_SAFE: Final = bytes.maketrans(b"-_", b"+/")
_TYPES: Final = {
    "Timestamp": "type.googleapis.com/google.protobuf.Timestamp",
    "Duration": "type.googleapis.com/google.protobuf.Duration",
    "Struct": "type.googleapis.com/google.protobuf.Struct",
}


def parse_body(kind: str, body: bytes, root: str = "") -> Message:
    """Read *body* as the message *kind*; *root* is the request's field that it fills.

    No body at all is an empty message. Raises Refusal.
    """
    try:
        value = orjson.loads(body or b"{}")
    except orjson.JSONDecodeError as error:
        raise violation(f"Invalid JSON payload received. {error}") from None
    if not isinstance(value, dict):
        raise violation(
            'Invalid JSON payload received. Unknown name "": Root element must be a message.'
        )
    if _is_deeper(value, _DEEPEST):
        raise violation("Invalid JSON payload received. Message too deep.")
    return _message(kind, value, root)


def parse_int32(text: str, field: str) -> int:
    """A number in a query."""
    return _whole("int32", text, field)


def _is_deeper(value: object, limit: int) -> bool:
    level: list[Any] = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(node: object) -> list[Any]:
    match node:
        case dict():
            return list(node.values())
        case list():
            return node
        case _:
            return []


def _message(kind: str, value: object, at: str) -> Message:
    if not isinstance(value, dict):
        raise _misfit(at, _type(kind), value)
    fields, values, taken = MESSAGES[kind], {}, set()
    for key, raw in value.items():
        field = fields.get(key)
        if field is None:
            raise _unknown(key, at, "Cannot find field.")
        if raw is None:
            continue
        if field.oneof in taken:
            raise already_set(field.oneof, key, at)
        taken.add(field.oneof)
        values[field.name] = _value(field, raw, f"{at}.{field.snake}" if at else field.snake, at)
    return values


def _value(field: Field, raw: object, at: str, parent: str) -> object:
    match field.shape, raw:
        case "map", dict():
            return {key: _one(field.kind, each, f"{at}[{key!r}]") for key, each in raw.items()}
        case "map", _:
            raise _misfit(at, "Map", raw)
        case "list", list():
            return [_one(field.kind, each, f"{at}[{n}]") for n, each in enumerate(raw)]
        case "list", _:
            return [_one(field.kind, raw, at)]
        case _, list() if field.kind != "Value":
            raise _unknown(field.name, parent, "Proto field is not repeating, cannot start list.")
        case _:
            return _one(field.kind, raw, at)


def _one(kind: str, raw: object, at: str) -> object:
    match kind:
        case "string":
            return _string(raw, at)
        case "bytes":
            return _bytes(raw, at)
        case "bool":
            return _bool(raw, at)
        case "int32" | "int64":
            return _whole(kind, raw, at)
        case "double":
            return _double(raw, at)
        case "Timestamp" | "Duration":
            return _time(kind, raw, at)
        case "Struct" if not isinstance(raw, dict):
            raise _misfit(at, _TYPES["Struct"], raw)
        case "Struct" | "Value":
            return raw
        case _ if kind in ENUMERATIONS:
            return _enumeration(kind, raw, at)
        case _:
            return _message(kind, raw, at)


def _string(raw: object, at: str) -> str:
    match raw:
        case str():
            return raw
        case _:
            raise _misfit(at, "TYPE_STRING", raw)


def _bytes(raw: object, at: str) -> bytes:
    text = _string(raw, at).encode().rstrip(b"=").translate(_URL_SAFE)
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        shown = _shown(raw)
        raise violation(
            f"Invalid value at '{at}' (TYPE_BYTES), Base64 decoding failed for {shown}", at
        ) from None


def _bool(raw: object, at: str) -> bool:
    match raw:
        case bool():
            return raw
        case "true" | "false":
            return raw == "true"
        case _:
            raise _misfit(at, "TYPE_BOOL", raw)


def _whole(kind: str, raw: object, at: str) -> int:
    match raw:
        case bool():
            value = None
        case int():
            value = raw
        case float() if raw.is_integer():
            value = int(raw)
        case str() if _WHOLE.fullmatch(raw):
            value = int(raw)
        case _:
            value = None
    if value is None or not -_LIMITS[kind] <= value < _LIMITS[kind]:
        raise _misfit(at, f"TYPE_{kind.upper()}", raw)
    return value


def _double(raw: object, at: str) -> float:
    try:
        match raw:
            case bool():
                raise _misfit(at, "TYPE_DOUBLE", raw)
            case int() | float() | str():
                return float(raw)
            case _:
                raise _misfit(at, "TYPE_DOUBLE", raw)
    except ValueError:
        raise _misfit(at, "TYPE_DOUBLE", raw) from None


def _time(kind: str, raw: object, at: str) -> int:
    parse = parse_moment if kind == "Timestamp" else parse_duration
    try:
        return parse(_string(raw, at))
    except ValueError as error:
        name = at.rpartition(".")[2]
        raise violation(
            f"Invalid value at '{at}' ({_TYPES[kind]}), "
            f"Field '{name}', Illegal {kind.lower()} format; {error}",
            at,
        ) from None


def _enumeration(kind: str, raw: object, at: str) -> str | int:
    """A number without a name is kept: proto enumerations are open."""
    values = ENUMERATIONS[kind]
    match raw:
        case str() if (name := raw.upper().replace("-", "_")) in values:
            return name
        case int() if not isinstance(raw, bool) and abs(raw) < _LIMITS["int32"]:
            return values[raw] if 0 <= raw < len(values) else raw
        case _:
            raise _misfit(at, _type(kind), raw)


def already_set(oneof: str, key: str, at: str) -> Refusal:
    """Two fields that exclude each other, or one field in both spellings."""
    place = f" at '{at}'" if at else ""
    return violation(
        f"Invalid value{place} (oneof), oneof field '{oneof}' is already set. Cannot set '{key}'",
        at,
    )


def _unknown(key: str, at: str, why: str) -> Refusal:
    place = f" at '{at}'" if at else ""
    message = f'Invalid JSON payload received. Unknown name "{key[:_SHOWN]}"{place}: {why}'
    return violation(message, at)


def _misfit(at: str, kind: str, raw: object) -> Refusal:
    return violation(f"Invalid value at '{at}' ({kind}), {_shown(raw)}", at)


def _type(kind: str) -> str:
    return f"type.googleapis.com/google.ai.generativelanguage.v1beta.{kind}"


def _shown(raw: object) -> str:
    """Enough of a value to find it by; a body may hold megabytes."""
    text = orjson.dumps(raw).decode() if not isinstance(raw, str) else f'"{raw[:_SHOWN]}"'
    return text if len(text) <= _SHOWN + 2 else f"{text[:_SHOWN]}…"
