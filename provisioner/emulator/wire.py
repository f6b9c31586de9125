"""Proto JSON: request bodies and query values → messages.

It decides what fits the schema and says otherwise in the words of Google's own parser. It refuses
to know what any field is for. Accepted as there: either spelling of a name, null for unset,
enumerations by name in any case or by number, numbers as strings, one value where a list may
stand, base64 in both alphabets with or without padding.

Moments and durations are kept as whole nanoseconds. A `datetime` would lose the last three of nine
digits, so it is only met at the clock.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import orjson

from provisioner.emulator.errors import Refusal, violation
from provisioner.emulator.schema import ENUMERATIONS, MESSAGES, Field

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
_SECOND: Final = 1_000_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = -62_135_596_800 * _SECOND
_LAST: Final = 253_402_300_800 * _SECOND - 1
_LONGEST: Final = 315_576_000_000 * _SECOND
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)", re.ASCII
)
_DURATION: Final = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)


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
    if limit == 0:
        return True
    children = [*value.values()] if isinstance(value, dict) else value
    return isinstance(children, list) and any(_is_deeper(child, limit - 1) for child in children)


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
    if isinstance(raw, str):
        return raw
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
    if isinstance(raw, bool):
        return raw
    if raw in ("true", "false"):
        return raw == "true"
    raise _misfit(at, "TYPE_BOOL", raw)


def _whole(kind: str, raw: object, at: str) -> int:
    value = None
    match raw:
        case bool():
            pass
        case int() | float() if raw % 1 == 0:
            value = int(raw)
        case str() if _WHOLE.fullmatch(raw):
            value = int(raw)
        case _:
            pass
    if value is None or not -_LIMITS[kind] <= value < _LIMITS[kind]:
        raise _misfit(at, f"TYPE_{kind.upper()}", raw)
    return value


def _double(raw: object, at: str) -> float:
    if isinstance(raw, int | float | str) and not isinstance(raw, bool):
        with suppress(ValueError):
            return float(raw)
    raise _misfit(at, "TYPE_DOUBLE", raw)


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


def nanoseconds(moment: datetime) -> int:
    """The aware *moment* since 1970, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def is_moment(value: int) -> bool:
    """Whether *value* lies in the years 1 to 9999, the only ones that have a spelling."""
    return _FIRST <= value <= _LAST


def parse_moment(text: str) -> int:
    """Raises ValueError for anything but RFC 3339 with an offset and at most nine digits."""
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError("timestamps must end with 'Z' or have a valid timezone offset")
    whole, digits, zone = match.groups()
    offset = "+00:00" if zone == "Z" else zone
    value = _since_epoch(whole, offset) + int((digits or "").ljust(9, "0"))
    if not is_moment(value):
        raise ValueError("timestamp out of range")
    return value


def parse_duration(text: str) -> int:
    """Raises ValueError for anything but seconds ending in `s`, within 10,000 years."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError("duration must end with 's'")
    sign, whole, digits = match.groups()
    value = int(whole) * _SECOND + int((digits or "").ljust(9, "0"))
    if value > _LONGEST:
        raise ValueError("duration out of range")
    return -value if sign else value


def spell_moment(value: int) -> str:
    """`Z`, with 0, 3, 6 or 9 digits: as few as say it all."""
    whole, rest = divmod(value, _SECOND)
    text = (_EPOCH + timedelta(seconds=whole)).isoformat()[:19]
    digits = f"{rest:09d}"
    while digits.endswith("000"):
        digits = digits[:-3]
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def _since_epoch(whole: str, offset: str) -> int:
    """The offset is subtracted by hand: a datetime cannot leave the year 1 or 9999."""
    local = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    ahead = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    seconds = (local - _EPOCH) // timedelta(seconds=1)
    shift = ahead // timedelta(seconds=1)
    return (seconds - shift if offset[0] == "+" else seconds + shift) * _SECOND
