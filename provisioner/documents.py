"""
What every JSON document of ours has in common.

A document is a struct, which writes it, reads it and describes it; the schemas in `schemas/`
are made from the structs.  Here are the types of its text and numbers, its bytes, and what is
wrong with a document that is not of its struct: where, and what the value must be.

A shell or an editor may have written the file again: PowerShell redirects as UTF-16, others
put a byte order mark first.  Both give the encoding away, so both are read.  What a document
means is not decided here.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from json import detect_encoding
from types import UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    overload,
)

import msgspec
import orjson
from msgspec import Meta, Struct

import provisioner

_Document = TypeVar("_Document")
_AnyValue = TypeVar("_AnyValue")
_ReadValue = TypeVar("_ReadValue")


def must(text: str, **bounds: Any) -> Meta:  # noqa: ANN401  # as Meta takes them
    """Return the *bounds* of a value, with what a fault says that it must be."""
    return Meta(extra={"must": text}, **bounds)


Text: TypeAlias = Annotated[str, must("be text", min_length=1)]
CacheName: TypeAlias = Annotated[
    str, must("be the name of a cache", pattern=r"^[a-z0-9][a-z0-9-]{0,47}\Z")
]
Name: TypeAlias = Annotated[
    str,
    must(
        "be text of at most 512 characters",
        max_length=512,
        description="A name; it may be foreign.",
    ),
]
ShownText: TypeAlias = Annotated[
    str,
    must(
        "be text of at most 8,192 characters",
        max_length=8192,
        description="A sentence or a path; it may be foreign.",
    ),
]
StackText: TypeAlias = Annotated[
    str,
    must(
        "be the name of a stack: STACK or STACK.ENVIRONMENT",
        pattern=r"^[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,31})?\Z",
        description="STACK or STACK.ENVIRONMENT.",
    ),
]
Digest: TypeAlias = Annotated[
    str, must("be a SHA-256 as hexadecimal digits", pattern=r"^[0-9a-f]{64}\Z")
]
MomentText: TypeAlias = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}"
            r"(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
        }
    ),
]
DurationText: TypeAlias = Annotated[
    str, Meta(extra_json_schema={"pattern": "^([0-9]{1,9}[smhd])+$"})
]
"""This and a moment are checked by who reads them, `parse_moment` and `parse_duration`."""
Count: TypeAlias = Annotated[int, must("be a whole number from 0 to 10^15", ge=0, le=10**15)]
WholeNumber: TypeAlias = Annotated[int, must("be a whole number from 0 to 2^53", ge=0, le=2**53)]
"""Beyond 2^53 not every reader of JSON keeps a whole number as it is."""

_VERSIONS = {"version", "format_version"}
_END = r"\Z"
_ENCODER = msgspec.json.Encoder(order="sorted")
_KINDS: Mapping[Any, str] = {
    str: "be text",
    int: "be a whole number",
    float: "be a number",
    bool: "be true or false",
    date: "be a day, such as 2026-12-24",
    list: "be a list",
    tuple: "be a list",
}


class Fields(Struct, frozen=True, forbid_unknown_fields=True):
    """A document, or a part of one, that has the keys of its fields and no others."""


class Fault(ValueError):
    """A value that is not what it must be; `where` is its path, `caches.manual.life`."""

    def __init__(self, where: str, why: str, *, is_new: bool = False) -> None:
        super().__init__(f"{where}: {why}" if where else why)
        self.where = where
        self.why = why
        self.is_new = is_new
        """Whether it is a key that this version does not have, so that a newer one wrote it."""

    def under(self, key: str) -> Self:
        """Return the same fault, seen from the object that has the value under *key*."""
        return type(self)(
            f"{key}.{self.where}" if self.where else key, self.why, is_new=self.is_new
        )


class NotJson(ValueError):
    """Bytes that are not JSON.  The sentence goes on after the name of a file: `is empty`."""


def document_bytes(document: Struct) -> bytes:
    """Write *document* with sorted keys, two spaces of indentation and a line end."""
    return msgspec.json.format(sorted_json(document), indent=2) + b"\n"


def sorted_json(fields: object) -> bytes:
    """Write *fields*, a struct or anything of JSON, with sorted keys and without any space."""
    return _ENCODER.encode(fields)


def document_fields(document: Struct) -> Any:  # noqa: ANN401  # any JSON
    """Return *document* as JSON values: objects are dicts, moments and days are text."""
    return msgspec.to_builtins(document, enc_hook=dict)


def read_document(raw: bytes, decoder: msgspec.json.Decoder[_Document]) -> _Document:
    """
    Read the document *raw*.

    Raises NotJson, and Fault for a version to come or else for the first value that is not of
    the decoder's type.
    """
    try:
        text = utf8(raw)
        text.decode()  # the decoder passes over bytes that are no text in what it leaves raw
        return decoder.decode(text)
    except (ValueError, RecursionError) as error:
        for fault in faults_of_document(parse_json(raw), decoder.type):
            raise fault from error
        raise NotJson(f"cannot be read: {error}") from error


def parse_json(raw: bytes) -> Any:  # noqa: ANN401  # any JSON
    """Read *raw* as JSON of any shape.  Raises NotJson."""
    try:
        text = utf8(raw)
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise NotJson(_flaw(text, error)) from error
    except ValueError as error:
        raise NotJson(str(error)) from error


def faults_of_document(json: object, shape: Any) -> Iterator[Fault]:  # noqa: ANN401
    """What is wrong with the document *json*: of one of a later version nothing but that."""
    if why := later_version(json, shape):
        yield Fault("", why, is_new=True)
    else:
        yield from faults(json, shape)


def later_version(json: object, shape: Any) -> str | None:  # noqa: ANN401
    """Why *json* is of a later version than the document *shape*; None if it is not."""
    field = next(field for field in msgspec.structs.fields(shape) if field.name in _VERSIONS)
    latest = max(get_args(_plain_type(field.type)))
    version = json.get(field.name) if isinstance(json, dict) else None
    if isinstance(version, int) and version > latest:
        return f"its {field.name} is {version}, and {latest} is the latest that can be read"
    return None


def faults(json: object, shape: Any) -> Iterator[Fault]:  # noqa: ANN401  # a type as annotated
    """What in *json* is not of the type *shape*: keys that are missing or new, then values."""
    error = _refusal(json, shape)
    if error is None:
        return
    inner = tuple(_faults_inside(json, shape))
    yield from inner or (Fault("", str(error.__cause__ or f"this must {_must(shape)}")),)


@overload
def read_value(
    key: str, read: Callable[[_AnyValue], _ReadValue], value: _AnyValue
) -> _ReadValue: ...
@overload
def read_value(key: str, read: Callable[[_AnyValue], _ReadValue], value: None) -> None: ...
def read_value(
    key: str, read: Callable[[_AnyValue], _ReadValue], value: _AnyValue | None
) -> _ReadValue | None:
    """Read the *value* under *key* by a function that raises ValueError.  Raises Fault."""
    try:
        return None if value is None else read(value)
    except Fault as fault:
        raise fault.under(key) from fault
    except ValueError as error:
        raise Fault(key, str(error)) from error


def utf8(raw: bytes) -> bytes:
    """
    Return the text *raw* as UTF-8 without a byte order mark.

    Text without a mark is UTF-16 or UTF-32 if its first bytes are zero where those have zeros,
    since every document begins with an ASCII character; else it is returned as it is, be it
    UTF-8 or not.  Raises ValueError, with what to do, for text that breaks its encoding.
    """
    encoding = detect_encoding(raw) if raw.strip(b"\0") else "utf-8"
    if encoding.startswith("utf-8"):
        return raw.removeprefix(codecs.BOM_UTF8)
    try:
        return raw.decode(encoding).encode()
    except UnicodeError as error:
        name = encoding[:6].upper()
        raise ValueError(f"begins as {name} and breaks off: save it as UTF-8") from error


def newer(where: str, why: str, *, by: str | None = None) -> str:
    """Say that a newer ctxprov, of the version *by* where the document names it, wrote *where*."""
    name = f"ctxprov {by}" if by else "ctxprov"
    ours = f"ctxprov {provisioner.__version__}"
    return (
        f"{where} was written by a newer {name}: {why}, and this is {ours}.  Upgrade ctxprov; "
        "nothing has been changed."
    )


def _flaw(text: bytes, error: orjson.JSONDecodeError) -> str:
    if not text.strip():
        return "is empty"
    if not text.strip(b"\0"):
        return "holds nothing but zeros, as files do after a power cut"
    if b"\n<<<<<<< " in text:
        return "holds a merge conflict that is not resolved"
    if error.pos >= len(text.decode(errors="replace").rstrip()):
        return f"ends in the middle, after {len(text)} bytes"
    return f"is not JSON: line {error.lineno}, column {error.colno}"


def _refusal(json: object, shape: Any) -> Exception | None:  # noqa: ANN401
    """Return the error with which the reader of *shape* refuses *json*; None if it takes it."""
    try:
        msgspec.json.decode(orjson.dumps(json), type=shape)
    except (TypeError, ValueError, RecursionError) as error:  # TypeError: nested too deeply
        return error
    return None


def _faults_inside(json: object, shape: Any) -> Iterator[Fault]:  # noqa: ANN401
    origin, arguments = get_origin(shape) or shape, get_args(shape)
    match json:
        case _ if origin is Annotated:
            yield from _faults_inside(json, arguments[0])
        case _ if origin in {Union, UnionType}:
            yield from _faults_of_one(json, arguments)
        case dict() if origin in {dict, Mapping}:
            for key, value in json.items():
                if _refusal(key, arguments[0]):
                    yield Fault(key, f"this key must {_must(arguments[0])}")
                yield from (fault.under(key) for fault in faults(value, arguments[1]))
        case list() if origin in {list, tuple}:
            for at, value in enumerate(json):
                yield from (fault.under(str(at)) for fault in faults(value, arguments[0]))
        case dict() if _is_struct(origin):
            yield from _faults_of_fields(json, shape)
        case _:
            pass


def _faults_of_one(json: object, shapes: tuple[Any, ...]) -> Iterator[Fault]:
    """Hold *json* against the one of *shapes* that its tag names, or that is of its kind."""
    structs = {_struct(shape): shape for shape in shapes if _is_struct(_struct(shape))}
    tags = {cls.__struct_config__.tag: shape for cls, shape in structs.items()}
    if None in tags or not (tags and isinstance(json, dict)):
        for shape in shapes:
            yield from _faults_inside(json, shape)
        return
    field = next(iter(structs)).__struct_config__.tag_field
    if (tag := json.get(field)) in tags:
        yield from faults(json, tags[tag])
    else:
        yield Fault(field, f"this must be {_choice(tuple(tags))}")


def _faults_of_fields(json: Mapping[str, object], shape: Any) -> Iterator[Fault]:  # noqa: ANN401
    fields = msgspec.structs.fields(shape)
    config = (get_origin(shape) or shape).__struct_config__
    for key in sorted({field.encode_name for field in fields if field.required} - json.keys()):
        yield Fault(key, "this key is missing")
    if config.forbid_unknown_fields:
        keys = {field.encode_name for field in fields} | {config.tag_field}
        for key in sorted(json.keys() - keys):
            yield Fault(key, "this key is unknown", is_new=True)
    for field in fields:
        if (key := field.encode_name) in json:
            yield from (fault.under(key) for fault in faults(json[key], field.type))


def _must(shape: Any) -> str:  # noqa: ANN401
    """Return what a value of *shape* must be, to follow `this must`."""
    origin, arguments = get_origin(shape) or shape, get_args(shape)
    if origin is Annotated:
        return next(filter(None, map(_bounds, reversed(arguments[1:]))), _must(arguments[0]))
    if origin in {Union, UnionType}:
        return _must(arguments[0])
    if origin is Literal:
        return f"be {_choice(arguments)}"
    return _KINDS.get(origin, "be an object")


def _bounds(meta: Meta) -> str | None:
    """Return what *meta* says of a value; its own `must` is the clearest."""
    if meta.extra:
        return str(meta.extra["must"])
    if meta.pattern:
        return f"look like {meta.pattern.removesuffix(_END)}"
    bounds = {"at least": meta.ge, "at most": meta.le}
    texts = [f"{side} {bound}" for side, bound in bounds.items() if bound is not None]
    return f"be a number of {' and '.join(texts)}" if texts else None


def _choice(values: tuple[object, ...]) -> str:
    *others, last = map(str, values)
    return f"{', '.join(others)} or {last}" if others else last


def _struct(shape: Any) -> Any:  # noqa: ANN401
    bare = _plain_type(shape)
    return get_origin(bare) or bare


def _plain_type(shape: Any) -> Any:  # noqa: ANN401
    return get_args(shape)[0] if get_origin(shape) is Annotated else shape


def _is_struct(shape: object) -> bool:
    return isinstance(shape, type) and issubclass(shape, Struct)
