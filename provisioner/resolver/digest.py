"""
The digest of an entry: SHA-256 over everything about a cache that cannot be changed.

The encoding is our own, typed and with every length in front, so that neither a JSON
encoder nor an order of keys decides, and no two contents can read the same.  A part
counts by its own digest, so files can be hashed in a stream.

The digests of pieces let a plan name the piece that changed, without keeping any: a file goes by
its path, another part by its place, and tools leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from types import MappingProxyType

from msgspec import Struct

from provisioner.cache import InlinePart, Json, Part, TextPart, UriPart
from provisioner.manifest.types import FileSpec, PartSpec

_VERSION = b"ctxprov digest 1"
_DIGITS = 12
"""Of the digest of a piece."""


class Marks(Struct, frozen=True, kw_only=True):
    """What everything in a cache counts by; its JSON is short enough to stand for itself."""

    parts: Sequence[bytes] = ()
    system_instruction: bytes | None = None
    tools: Sequence[Mapping[str, Json]] = ()
    tool_config: Mapping[str, Json] | None = None
    revision: str | None = None


def text_mark(digest: bytes) -> bytes:
    """What a text counts by: *digest* is the SHA-256 of its UTF-8."""
    return b"t" + digest


def inline_mark(mime_type: str, digest: bytes) -> bytes:
    """What bytes of a type count by: *digest* is their SHA-256."""
    return b"i" + _framed(mime_type.encode()) + digest


def uri_mark(mime_type: str, uri: str) -> bytes:
    """What content that lies elsewhere counts by: its address, since we cannot see more."""
    return b"u" + _framed(mime_type.encode()) + _framed(uri.encode())


def part_mark(part: Part) -> bytes:
    """What a part that is at hand counts by."""
    match part:
        case TextPart(text):
            return text_mark(sha256(text.encode()).digest())
        case InlinePart(mime_type, content):
            return inline_mark(mime_type, sha256(content).digest())
        case UriPart(mime_type, uri):
            return uri_mark(mime_type, uri)


def digest_of(provider: str, model: str, marks: Marks) -> str:
    """The digest in hex."""
    fields = (
        *marks.parts,
        marks.system_instruction or b"",
        json_mark(marks.tools) if marks.tools else b"",
        b"" if marks.tool_config is None else json_mark(marks.tool_config),
        b"" if marks.revision is None else b"r" + marks.revision.encode(),
    )
    return sha256(_head(provider, model, len(marks.parts)) + _all_framed(fields)).hexdigest()


@lru_cache(maxsize=256)
def _head(provider: str, model: str, parts: int) -> bytes:
    return _all_framed((_VERSION, provider.encode(), model.encode(), str(parts).encode()))


def _all_framed(fields: Iterable[bytes]) -> bytes:
    return b"".join([b"%d:%s" % (len(field), field) for field in fields])


def _framed(field: bytes) -> bytes:
    return b"%d:%s" % (len(field), field)


def json_mark(value: Json) -> bytes:
    """
    Spell JSON in one way: keys by code point, a whole number as an integer.

    What JSON calls equal is spelled the same.
    """
    match value:
        case None:
            return b"n"
        case bool():
            return b"1" if value else b"0"
        case int():
            return b"d" + _framed(str(value).encode())
        case float():
            number = int(value) if value.is_integer() else value
            return b"d" + _framed(repr(number).encode())
        case str():
            return b"s" + _framed(value.encode())
        case Mapping():
            pairs = (json_mark(key) + json_mark(value[key]) for key in sorted(value))
            return b"o" + _framed(b"".join(pairs))
        case _:
            return b"a" + _framed(b"".join(map(json_mark, value)))


def pieces_of(parts: Sequence[PartSpec], marks: Marks) -> Mapping[str, str]:
    """The pieces of an entry with these *parts*, to which *marks* belong."""
    pieces = {
        spec.path if isinstance(spec, FileSpec) else f"content[{at}]": _digits(mark)
        for at, (spec, mark) in enumerate(zip(parts, marks.parts, strict=True))
    }
    if marks.system_instruction is not None:
        pieces["system_instruction"] = _digits(marks.system_instruction)
    for name, value in (("tools", marks.tools), ("tool_config", marks.tool_config)):
        for where, leaf in _leaves(name, value) if value else ():
            pieces[where] = _digits(json_mark(leaf))
    return MappingProxyType(pieces)


def _leaves(where: str, value: Json) -> Iterator[tuple[str, Json]]:
    match value:
        case Mapping() if value:
            for key in value:
                yield from _leaves(f"{where}.{key}", value[key])
        case [_, *_]:
            for at, inner in enumerate(value):
                yield from _leaves(f"{where}[{at}]", inner)
        case _:
            yield where, value


def _digits(mark: bytes) -> str:
    return sha256(mark).hexdigest()[:_DIGITS]
