"""
Parts of content: what each counts for in the digest, and what each is when it is sent.

A file without a MIME type is sent as text, unless the table of extensions knows better;
with one it is sent as bytes of that type.  Where the type is that of text (`text/*`, JSON, XML,
SVG, code), the bytes are uniform text as well, so that a checkout with other line ends or a byte
order mark is the same content.  What has such a type and is not UTF-8 is sent as it is, unless
the type is `text/*`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from msgspec import Struct

from provisioner.cache import InlinePart, Part, TextPart, UriPart
from provisioner.manifest import FileSpec, Folder, PartSpec, TextSpec, Unreadable, UriSpec
from provisioner.resolver.digest import inline_mark, text_mark, uri_mark
from provisioner.resolver.file_content import (
    NO_TEXT,
    Look,
    NotText,
    look_at,
    look_at_bytes,
    look_at_text,
    read_bytes,
    read_text,
    too_large,
    uniform,
)
from provisioner.resolver.media_types import (
    MAX_PDF,
    PDF,
    is_text,
    media_tokens,
    mime_type_of,
    takes,
    text_tokens,
)

_PartRead = TypeVar("_PartRead")

_FILES_API = "https://generativelanguage.googleapis.com/"


class PartCount(Struct, frozen=True):
    """What a part comes to: its mark in the digest, bytes, and an estimate of its tokens."""

    mark: bytes
    size: int | None
    """None of what lies elsewhere: nothing here can see how large it is."""
    tokens: int | None


def count_part(folder: Folder, spec: PartSpec, provider: str) -> PartCount:
    """Look at a part as *provider* would get it.  Raises `Unreadable`."""
    match spec:
        case TextSpec(text):
            return _text_count(look_at(uniform(text)))
        case UriSpec(uri, mime_type):
            _check_type(provider, mime_type)
            if provider != "gemini" and (uri.startswith("gs://") or is_of_files_api(uri)):
                raise Unreadable(f"is an address that {provider} cannot read; only gemini can")
            return PartCount(uri_mark(mime_type, uri), None, None)
        case FileSpec(path):
            return _file_count(folder, path, spec.mime_type, provider)


def count_text(folder: Folder, spec: FileSpec) -> PartCount:
    """Look at a file that must be text.  Raises `Unreadable`."""
    if mime_type_of(spec.path):
        raise Unreadable(f"{NO_TEXT}, to judge by its name")
    return _text_count(look_at_text(folder, spec.path))


def read_part(folder: Folder, spec: PartSpec) -> Part:
    """Read a part for sending.  Raises `Unreadable`."""
    match spec:
        case TextSpec(text):
            return TextPart(uniform(text).decode())
        case UriSpec(uri, mime_type):
            return UriPart(mime_type, uri)
        case FileSpec(path):
            return _file_part(folder, path, spec.mime_type or mime_type_of(path))


def is_of_files_api(uri: str) -> bool:
    """Whether *uri* is that of an uploaded file, which dies after 48 hours."""
    return uri.startswith(_FILES_API)


def _file_count(folder: Folder, path: str, declared: str | None, provider: str) -> PartCount:
    mime_type = declared or mime_type_of(path)
    if mime_type is None:
        return _plain_count(folder, path)
    _check_type(provider, mime_type)
    look, tokens = _typed_look(folder, path, mime_type)
    if mime_type == PDF and look.size > MAX_PDF:
        raise Unreadable(too_large(look.size, MAX_PDF))
    return PartCount(inline_mark(mime_type, look.digest), look.size, tokens)


def _typed_look(folder: Folder, path: str, mime_type: str) -> tuple[Look, int]:
    """Look at a file of a type, and estimate its tokens."""
    if look := _as_text(look_at_text, folder, path, mime_type):
        is_picture = mime_type.startswith("image/")
        return look, (
            media_tokens(mime_type, look.size, 0) if is_picture else text_tokens(look.amount)
        )
    look = look_at_bytes(folder, path)
    return look, media_tokens(mime_type, look.size, look.amount)


def _as_text(
    read: Callable[[Folder, str], _PartRead], folder: Folder, path: str, mime_type: str
) -> _PartRead | None:
    """Read a file as uniform text; None if its type is not that of text, or need not be."""
    if not is_text(mime_type):
        return None
    try:
        return read(folder, path)
    except NotText:
        if mime_type.startswith("text/"):
            raise
        return None


def _file_part(folder: Folder, path: str, mime_type: str | None) -> Part:
    if mime_type is None:
        return TextPart(read_text(folder, path).decode())
    text = _as_text(read_text, folder, path, mime_type)
    return InlinePart(mime_type, read_bytes(folder, path) if text is None else text)


def _plain_count(folder: Folder, path: str) -> PartCount:
    try:
        return _text_count(look_at_text(folder, path))
    except NotText as error:
        hint = f"{error}; if it is something else, write {{file: PATH, mime_type: TYPE}}"
        raise Unreadable(hint) from error


def _text_count(look: Look) -> PartCount:
    return PartCount(text_mark(look.digest), look.size, text_tokens(look.amount))


def _check_type(provider: str, mime_type: str) -> None:
    if not takes(provider, mime_type):
        raise Unreadable(f"is {mime_type}, which {provider} does not read")
