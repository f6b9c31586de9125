"""
The content of one entry: counted without keeping it, or read for sending.

Both ways lead to the same digest, which identifies a cache.

A file without a MIME type is sent as text, unless the table of extensions knows better;
with one it is sent as bytes of that type.  Where the type is that of text (`text/*`, JSON, XML,
SVG, code), the bytes are uniform text as well, so that a checkout with other line ends or a byte
order mark is the same content.  What has such a type and is not UTF-8 is sent as it is, unless
the type is `text/*`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from msgspec import Struct

from provisioner.cache import CacheContent, InlinePart, Part, TextPart, UriPart
from provisioner.errors import ContentChanged, Problem
from provisioner.manifest.confined_folder import Folder, Unreadable
from provisioner.manifest.source_map import shown
from provisioner.manifest.types import (
    Entry,
    FileSpec,
    InlineJson,
    Manifest,
    PartSpec,
    TextSpec,
    UriSpec,
)
from provisioner.model.attributes import UNKNOWN, Measure
from provisioner.model.records import Desired
from provisioner.resolver import digest, file_content

_AnySpec = TypeVar("_AnySpec", bound=PartSpec | InlineJson)
_AnyPart = TypeVar("_AnyPart", bound=PartSpec)
_ContentRead = TypeVar("_ContentRead")

_FILES_API = "https://generativelanguage.googleapis.com/"


class PartCount(Struct, frozen=True):
    """What a part comes to: its mark in the digest, bytes, and an estimate of its tokens."""

    mark: bytes
    size: int | None
    """None of what lies elsewhere: nothing here can see how large it is."""
    tokens: int | None


_NOTHING = PartCount(b"", 0, 0)


class Counter:
    """
    Counts the contents of a manifest; what cannot be read goes to *problems*.

    A file that several entries share is read once.
    """

    def __init__(self, folder: Folder, problems: list[Problem]) -> None:
        self._folder = folder
        self._problems = problems
        self._counts: dict[tuple[str, PartSpec], PartCount] = {}

    def count(self, entry: Entry) -> tuple[str, Measure]:
        """The digest and the measure of *entry*.  With new problems, neither means anything."""
        count = partial(count_part, provider=entry.kind)
        parts = [self._once(entry.kind, count, spec) for spec in entry.parts]
        instruction, tools, config = entry.system_instruction, entry.tools, entry.tool_config
        before = self._once("", count_text, instruction) if instruction else None
        counts = [*parts, before] if before else parts
        marks = digest.Marks(
            parts=[count.mark for count in parts],
            system_instruction=before.mark if before else None,
            tools=(self._tried(file_content.tools_of, tools) if tools else None) or (),
            tool_config=self._tried(file_content.tool_config_of, config) if config else None,
            revision=entry.revision,
        )
        specs = (*entry.parts, instruction, tools, config)
        size, tokens = self._sums(entry, marks, counts)
        return digest.digest_of(entry.kind, entry.model, marks), Measure(
            paths=tuple([spec.path for spec in specs if isinstance(spec, FileSpec)]),
            size=size,
            tokens=tokens,
            pieces=digest.pieces_of(entry.parts, marks),
        )

    def _sums(
        self, entry: Entry, marks: digest.Marks, counts: Sequence[PartCount]
    ) -> tuple[int, int]:
        """Bytes and tokens of *entry*, unless some of it lies elsewhere."""
        size = sum([count.size or 0 for count in counts])
        if size > file_content.MAX_CONTENT:
            self._problems.append(
                entry.at("content").problem(file_content.too_large(size, file_content.MAX_CONTENT))
            )
        if any(count.tokens is None for count in counts):
            return UNKNOWN, UNKNOWN  # the rest of a sum stands for nothing
        tokens = file_content.text_tokens(file_content.size_of(*marks.tools, marks.tool_config))
        return size, tokens + sum([count.tokens or 0 for count in counts])

    def _once(
        self, role: str, count: Callable[[Folder, _AnyPart], PartCount], spec: _AnyPart
    ) -> PartCount:
        """
        Count a part or an instruction, which counts otherwise in another *role*.

        Each is counted once, but what is wrong is a problem at every place.
        """
        key = role, spec
        if counted := self._counts.get(key):
            return counted
        if counted := self._tried(count, spec):
            self._counts[key] = counted
        return counted or _NOTHING

    def _tried(
        self, read: Callable[[Folder, _AnySpec], _ContentRead], spec: _AnySpec
    ) -> _ContentRead | None:
        try:
            return read(self._folder, spec)
        except Unreadable as error:
            self._problems.append(spec.place.problem(f"{_subject(spec)}{error}"))
            return None


def read_content(manifest: Manifest, want: Desired) -> CacheContent:
    """
    Read the content of *want* again, all of it into memory.

    Raises ContentChanged if it cannot be read, or if it is not what *want* was planned with.
    """
    return _checked(manifest.caches[want.name], want, Folder(manifest.root))


def content_reader(
    manifest: Manifest, desired: Iterable[Desired]
) -> Callable[[Desired], CacheContent]:
    """
    `read_content` for what has a digest of *desired*: under its own name, else under another.

    A plan without the edits that are not approved has an entry under its old name.
    """
    folder = Folder(manifest.root)
    digests = {want.name: want.digest for want in desired}
    names = {digest: name for name, digest in digests.items()}

    def read(want: Desired) -> CacheContent:
        is_own = digests.get(want.name) == want.digest
        name = want.name if is_own else names.get(want.digest)
        if name is None:
            raise ContentChanged(f"the working tree no longer has the content of {want.name}")
        return _checked(manifest.caches[name], want, folder)

    return read


def _checked(entry: Entry, want: Desired, folder: Folder) -> CacheContent:
    instruction, tools, config = entry.system_instruction, entry.tools, entry.tool_config
    before = _again(_read_text, folder, instruction) if instruction else None
    content = CacheContent(
        parts=[_again(read_part, folder, spec) for spec in entry.parts],
        system_instruction=before.text if before else None,
        tools=_again(file_content.tools_of, folder, tools) if tools else (),
        tool_config=_again(file_content.tool_config_of, folder, config) if config else None,
    )
    marks = digest.Marks(
        parts=[digest.part_mark(part) for part in content.parts],
        system_instruction=digest.part_mark(before) if before else None,
        tools=content.tools,
        tool_config=content.tool_config,
        revision=entry.revision,
    )
    if digest.digest_of(entry.kind, want.model, marks) != want.digest:
        files = ", ".join(map(shown, want.measure.paths)) or "the manifest"
        raise ContentChanged(f"{files} changed after {want.name} was planned: plan again")
    return content


def _again(
    read: Callable[[Folder, _AnySpec], _ContentRead], folder: Folder, spec: _AnySpec
) -> _ContentRead:
    try:
        return read(folder, spec)
    except Unreadable as error:
        raise ContentChanged(f"{_subject(spec)}{error}: plan again") from error


def _subject(spec: PartSpec | InlineJson) -> str:
    """What a complaint is about: a path has to be named, a value is where the place says."""
    return f"{shown(spec.path)} " if isinstance(spec, FileSpec) else ""


def count_text(folder: Folder, spec: FileSpec) -> PartCount:
    """Look at a file that must be text.  Raises `Unreadable`."""
    if file_content.mime_type_of(spec.path):
        raise Unreadable(f"{file_content.NO_TEXT}, to judge by its name")
    return _text_count(file_content.look_at_text(folder, spec.path))


def count_part(folder: Folder, spec: PartSpec, provider: str) -> PartCount:
    """Look at a part as *provider* would get it.  Raises `Unreadable`."""
    match spec:
        case TextSpec(text):
            return _text_count(file_content.look_at(file_content.uniform(text.encode())))
        case UriSpec(uri, mime_type):
            _check_type(provider, mime_type)
            if provider != "gemini" and (uri.startswith("gs://") or is_of_files_api(uri)):
                raise Unreadable(f"is an address that {provider} cannot read; only gemini can")
            return PartCount(digest.uri_mark(mime_type, uri), None, None)
        case FileSpec(path) if file_type := spec.mime_type or file_content.mime_type_of(path):
            _check_type(provider, file_type)
            return _typed_count(folder, path, file_type)
        case FileSpec(path):
            return _plain_count(folder, path)


def read_part(folder: Folder, spec: PartSpec) -> Part:
    """Read a part for sending.  Raises `Unreadable`."""
    match spec:
        case TextSpec(text):
            return TextPart(file_content.uniform(text.encode()).decode())
        case UriSpec(uri, mime_type):
            return UriPart(mime_type, uri)
        case FileSpec(path) if file_type := spec.mime_type or file_content.mime_type_of(path):
            raw = _as_text(file_content.read_text, folder, path, file_type)
            return InlinePart(file_type, raw or file_content.read_bytes(folder, path))
        case FileSpec():
            return _read_text(folder, spec)


def is_of_files_api(uri: str) -> bool:
    """Whether *uri* is that of an uploaded file, which dies after 48 hours."""
    return uri.startswith(_FILES_API)


def _typed_count(folder: Folder, path: str, mime_type: str) -> PartCount:
    """Look at a file of a type; an SVG is text, and its tokens are those of a picture."""
    look = _as_text(file_content.look_at_text, folder, path, mime_type)
    if look and not mime_type.startswith("image/"):
        tokens = file_content.text_tokens(look.amount)
    else:
        look = look or file_content.look_at_bytes(folder, path)
        tokens = file_content.media_tokens(mime_type, look.size, look.amount)
    if mime_type == file_content.PDF and look.size > file_content.MAX_PDF:
        raise Unreadable(file_content.too_large(look.size, file_content.MAX_PDF))
    return PartCount(digest.inline_mark(mime_type, look.digest), look.size, tokens)


def _as_text(
    read: Callable[[Folder, str], _ContentRead], folder: Folder, path: str, mime_type: str
) -> _ContentRead | None:
    """Read a file as uniform text; None if its type is not that of text, or need not be."""
    if not file_content.is_text(mime_type):
        return None
    try:
        return read(folder, path)
    except file_content.NotText:
        if mime_type.startswith("text/"):
            raise
        return None


def _read_text(folder: Folder, spec: FileSpec) -> TextPart:
    return TextPart(file_content.read_text(folder, spec.path).decode())


def _plain_count(folder: Folder, path: str) -> PartCount:
    try:
        return _text_count(file_content.look_at_text(folder, path))
    except file_content.NotText as error:
        hint = f"{error}; if it is something else, write {{file: PATH, mime_type: TYPE}}"
        raise Unreadable(hint) from error


def _text_count(look: file_content.Look) -> PartCount:
    return PartCount(
        digest.text_mark(look.digest), look.size, file_content.text_tokens(look.amount)
    )


def _check_type(provider: str, mime_type: str) -> None:
    if not file_content.takes(provider, mime_type):
        raise Unreadable(f"is {mime_type}, which {provider} does not read")
