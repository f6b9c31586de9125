"""
What a file is: by a table of our own, because the machine's differ.

Also how large inline content may be, and what it comes to in tokens.  Token counts are
estimates, good enough for a warning and a rough price: four characters a token; the
figures that Gemini documents for an image, a page of a PDF, a second of sound or video;
pages and seconds guessed from the bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

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
