"""
What a file of content is, what it holds, and what that comes to in tokens.

A table of our own says what it is, because the machine's differ.  Text is UTF-8 without a byte
order mark, its lines ending in LF, also where the file on this machine differs.  To look at a
file keeps none of it; only what reads returns content.  Tools and their configuration are JSON of
such a text, or as it stands in the manifest; everything else is sent as it is.

Token counts are estimates, good enough for a warning and a rough price: four characters a token;
the figures that Gemini documents for an image, a page of a PDF, a second of sound or video; pages
and seconds guessed from the bytes.
"""

from __future__ import annotations

import json
import math
import re
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from io import IncrementalNewlineDecoder
from itertools import chain
from typing import NoReturn

from msgspec import Struct

from provisioner.cache import Json
from provisioner.manifest.confined_folder import Folder, OpenFile, Unreadable
from provisioner.manifest.source_map import MAX_DEPTH, shown
from provisioner.manifest.types import FileSpec, InlineJson

MAX_CONTENT = 100_000_000
"""Bytes of everything that is sent along for one cache."""
MAX_PDF = 50_000_000

PDF = "application/pdf"

_FAMILIES: Mapping[str, tuple[str, ...]] = {
    "image": ("png", "jpeg", "webp", "gif", "heic", "heif"),
    "audio": ("wav", "mp3", "aiff", "aac", "m4a", "ogg", "opus", "flac"),
    "video": ("mp4", "mpeg", "mpg", "mov", "avi", "webm", "wmv", "3gpp"),
}
"""Extensions that are the names of their types as well."""

BINARY: Mapping[str, str] = {
    **{name: f"{family}/{name}" for family, names in _FAMILIES.items() for name in names},
    "pdf": PDF,
    "jpg": "image/jpeg",
    "aif": "audio/aiff",
    "flv": "video/x-flv",
    "3gp": "video/3gpp",
}
"""MIME types by extension.  Any other file is text, unless its entry gives a type."""

_TEXTUAL = ("+json", "+xml", "+yaml")
_TEXTS = frozenset(
    f"application/{subtype}"
    for subtype in (
        *("json", "json5", "jsonl", "x-jsonl", "jsonlines", "ndjson", "x-ndjson", "json-seq"),
        *("xml", "xml-dtd", "yaml", "x-yaml", "toml", "sql", "x-sql", "csv", "x-csv", "graphql"),
        *("javascript", "x-javascript", "ecmascript", "typescript", "x-typescript"),
        *("x-sh", "x-shellscript", "x-csh", "x-bash", "x-python", "x-python-code", "x-perl"),
        *("x-ruby", "x-php", "x-httpd-php", "x-powershell", "x-latex", "x-tex", "x-subrip"),
    )
)
"""Text by types that do not begin with `text/`; `image/svg+xml` is one by its ending."""

_TAKEN: Mapping[str, tuple[str, ...]] = {
    "claude": ("text/", "image/", PDF),
    "openai": ("text/", "image/", "audio/", PDF),
}

_IMAGE = 258
_PAGE = 258
_PAGE_SIZE = 50_000
_SOUND_SECOND = 32
_VIDEO_SECOND = 300
_CHARACTERS = 4
_SOUND_RATES = {"audio/wav": 176_400, "audio/aiff": 176_400, "audio/flac": 88_000}
_SOUND_RATE = 16_000
_VIDEO_RATE = 250_000
_PAGE_MARK = re.compile(rb"/Type\s{0,4}/Page(?![A-Za-z])")

NO_TEXT = "is not UTF-8 text"
UTF16 = "is UTF-16 text: save it as UTF-8"
_BOM = b"\xef\xbb\xbf"
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_TOO_DEEP = f"nests deeper than {MAX_DEPTH} levels"


class NotText(Unreadable):
    """This file is not text in UTF-8."""


class Look(Struct, frozen=True):
    """What is remembered of a file: the SHA-256 of what would be sent, and how much it is."""

    digest: bytes
    size: int
    """Bytes."""
    amount: int
    """Characters of a text; pages that were seen in anything else."""


def mime_type_of(path: str) -> str | None:
    """The MIME type of a file that is not text; None for all others."""
    return BINARY.get(path.rpartition(".")[2].lower())


def is_text(mime_type: str) -> bool:
    """Whether a type is that of text, so that a checkout may have changed its line ends."""
    essence = mime_type.partition(";")[0].strip().lower()
    return essence.startswith("text/") or essence.endswith(_TEXTUAL) or essence in _TEXTS


def takes(provider: str, mime_type: str) -> bool:
    """Whether *provider* reads this type at all; of gemini, the server decides."""
    families = _TAKEN.get(provider)
    return families is None or mime_type.startswith(families)


def text_tokens(characters: int) -> int:
    return -(-characters // _CHARACTERS)


def pages_in(chunk: bytes) -> int:
    """The pages whose descriptions stand uncompressed in *chunk* of a PDF."""
    return len(_PAGE_MARK.findall(chunk))


def media_tokens(mime_type: str, size: int, pages: int) -> int:
    """Estimate what *size* bytes of a type come to; *pages* are those seen in a PDF."""
    match mime_type.partition("/")[0]:
        case "image":
            return _IMAGE
        case "audio":
            return max(1, size // _SOUND_RATES.get(mime_type, _SOUND_RATE)) * _SOUND_SECOND
        case "video":
            return max(1, size // _VIDEO_RATE) * _VIDEO_SECOND
        case _ if mime_type == PDF:
            return (pages or max(1, size // _PAGE_SIZE)) * _PAGE
        case _:
            return text_tokens(size)


def look_at_text(folder: Folder, path: str) -> Look:
    """Look at a file of text.  Raises `Unreadable`."""
    with _opened(folder, path) as file:
        if file.size > len(file.head):
            return _look_along(file.chunks())
        return look_at(uniform(file.whole(most=MAX_CONTENT)))


def look_at(text: bytes) -> Look:
    """Look at uniform text that is at hand."""
    characters = len(text) if text.isascii() else len(text.decode())
    return Look(sha256(text).digest(), len(text), characters)


def look_at_bytes(folder: Folder, path: str) -> Look:
    """Look at a file of anything else.  Raises `Unreadable`."""
    with _opened(folder, path) as file:
        digest, size, pages = sha256(), 0, 0
        for chunk in file.chunks():
            digest.update(chunk)
            size += len(chunk)
            pages += pages_in(chunk)
        return Look(digest.digest(), size, pages)


def read_text(folder: Folder, path: str) -> bytes:
    """Read a file of text and make it uniform.  Raises `Unreadable`."""
    return uniform(read_bytes(folder, path))


def read_bytes(folder: Folder, path: str) -> bytes:
    """Read a file.  Raises `Unreadable`."""
    with _opened(folder, path) as file:
        return file.whole(most=MAX_CONTENT)


def uniform(raw: bytes) -> bytes:
    """Make a text uniform.  Raises `Unreadable`."""
    if raw.startswith(_UTF16):
        raise NotText(UTF16)
    text = raw.removeprefix(_BOM)
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not text or text.isspace():
        raise Unreadable("is empty")
    if b"\0" in text:
        raise NotText(NO_TEXT)
    try:
        if not text.isascii():
            text.decode()
    except UnicodeDecodeError as error:
        raise NotText(NO_TEXT) from error
    return text


def too_large(size: int, most: int) -> str:
    """Say that *size* bytes are more than *most*, and what to do."""
    return (
        f"has {size / 1e6:,.1f} MB, more than the {most / 1e6:,.0f} MB that can be sent along: "
        "upload it and give its {uri, mime_type}"
    )


def tools_of(folder: Folder, spec: FileSpec | InlineJson) -> tuple[Mapping[str, Json], ...]:
    """Read a list of tools.  Raises `Unreadable`."""
    tools = _json(folder, spec)
    if isinstance(tools, list):
        mappings = tuple(tool for tool in tools if isinstance(tool, Mapping))
        if len(mappings) == len(tools):
            return mappings
    raise Unreadable("must hold a list of tools, each in the provider's own keys and values")


def tool_config_of(folder: Folder, spec: FileSpec | InlineJson) -> Mapping[str, Json]:
    """Read how tools are called.  Raises `Unreadable`."""
    config = _json(folder, spec)
    if isinstance(config, Mapping):
        return config
    raise Unreadable("must hold keys and values in the provider's own form")


def size_of(*values: Json) -> int:
    """About how many characters of a prompt this JSON comes to."""
    return sum([len(json.dumps(value, ensure_ascii=False)) for value in values if value])


def _opened(folder: Folder, path: str) -> OpenFile:
    file = folder.open(path)
    if 0 < file.size <= MAX_CONTENT:
        return file
    with file:
        raise Unreadable(too_large(file.size, MAX_CONTENT) if file.size else "is empty")


def _look_along(chunks: Iterator[bytes]) -> Look:
    """Look at text piece by piece, as `uniform` does at a whole."""
    decoder = IncrementalNewlineDecoder(getincrementaldecoder("utf-8-sig")(), translate=True)
    digest, size, characters, blank = sha256(), 0, 0, True
    for chunk in chain(chunks, [b""]):
        if not size and chunk.startswith(_UTF16):
            raise NotText(UTF16)
        text = _decoded(decoder, chunk)
        raw = text.encode()
        digest.update(raw)
        size += len(raw)
        characters += len(text)
        blank = blank and (not raw or raw.isspace())
    if blank:
        raise Unreadable("is empty")
    return Look(digest.digest(), size, characters)


def _decoded(decoder: IncrementalNewlineDecoder, chunk: bytes) -> str:
    try:
        text = decoder.decode(chunk, final=not chunk)
    except UnicodeDecodeError as error:
        raise NotText(NO_TEXT) from error
    if "\0" in text:
        raise NotText(NO_TEXT)
    return text


def _json(folder: Folder, spec: FileSpec | InlineJson) -> Json:
    if isinstance(spec, InlineJson):
        return spec.value
    try:
        value: Json = json.loads(
            read_text(folder, spec.path),
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_constant=_refuse,
        )
        json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        message = f"is not JSON: line {error.lineno}, column {error.colno}: {error.msg}"
        raise Unreadable(message) from error
    except RecursionError as error:
        raise Unreadable(_TOO_DEEP) from error
    except ValueError as error:
        raise Unreadable(f"is not JSON: {error}") from error
    if _deeper_than(value, MAX_DEPTH):
        raise Unreadable(_TOO_DEEP)
    return value


def _unique(pairs: Sequence[tuple[str, Json]]) -> dict[str, Json]:
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} is given twice")
    return mapping


def _finite(word: str) -> float:
    number = float(word)
    if math.isinf(number):
        raise ValueError(f"the number {shown(word)} is too large")
    return number


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number in JSON")


def _deeper_than(value: Json, most: int) -> bool:
    if not isinstance(value, list | dict):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return most == 0 or any(_deeper_than(item, most - 1) for item in inner)
