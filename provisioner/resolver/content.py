"""
The content of one entry: counted without keeping it, or read for sending.

Both ways lead to the same digest, which identifies a cache.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Protocol, TypeVar

from provisioner.cache import CacheContent
from provisioner.errors import ContentChanged, Problem
from provisioner.manifest import (
    Entry,
    FileSpec,
    Folder,
    Manifest,
    PartSpec,
    Place,
    Unreadable,
    shown,
)
from provisioner.model.attributes import UNKNOWN, Measure
from provisioner.model.records import Desired
from provisioner.resolver.digest import digest_of, part_mark, pieces_of, text_mark
from provisioner.resolver.file_content import read_text, too_large
from provisioner.resolver.media_types import MAX_CONTENT, text_tokens
from provisioner.resolver.parts import PartCount, count_part, count_text, read_part
from provisioner.resolver.tools_json import size_of, tool_config_of, tools_of


class _Spec(Protocol):
    """A value of the manifest, which knows where it stands."""

    @property
    def place(self) -> Place: ...


S = TypeVar("S", bound=_Spec)
_ContentRead = TypeVar("_ContentRead")

_NOTHING = PartCount(b"", 0, 0)
_INSTRUCTION = "system_instruction"


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
        kind, instruction = entry.kind, entry.system_instruction
        parts = [self._once(kind, spec) for spec in entry.parts]
        before = self._once(_INSTRUCTION, instruction) if instruction else None
        tools = (self._tried(tools_of, entry.tools) if entry.tools else None) or ()
        config = self._tried(tool_config_of, entry.tool_config) if entry.tool_config else None
        marks = [count.mark for count in parts]
        mark = before.mark if before else None
        counts = [*parts, before] if before else parts
        size = sum([count.size or 0 for count in counts])
        if size > MAX_CONTENT:
            self._problems.append(entry.at("content").problem(too_large(size, MAX_CONTENT)))
        tokens = text_tokens(size_of(*tools, config)) + sum([count.tokens or 0 for count in counts])
        if any(count.tokens is None for count in counts):
            size = tokens = UNKNOWN  # the rest of a sum stands for nothing
        digest = digest_of(
            provider=kind,
            model=entry.model,
            parts=marks,
            system_instruction=mark,
            tools=tools,
            tool_config=config,
            revision=entry.revision,
        )
        pieces = pieces_of(entry, marks, mark, tools, config)
        return digest, Measure(paths=_paths(entry), size=size, tokens=tokens, pieces=pieces)

    def _once(self, role: str, spec: PartSpec) -> PartCount:
        """
        Count an instruction, or a part as the provider named *role* gets it.

        Each is counted once, but what is wrong is a problem at every place.
        """
        key = role, spec
        if count := self._counts.get(key):
            return count
        count = self._tried(lambda folder, spec: _count(folder, spec, role), spec)
        if count is None:
            return _NOTHING
        self._counts[key] = count
        return count

    def _tried(self, read: Callable[[Folder, S], _ContentRead], spec: S) -> _ContentRead | None:
        try:
            return read(self._folder, spec)
        except Unreadable as error:
            self._problems.append(spec.place.problem(f"{_subject(spec)}{error}"))
            return None


def _count(folder: Folder, spec: PartSpec, role: str) -> PartCount:
    if role == _INSTRUCTION and isinstance(spec, FileSpec):
        return count_text(folder, spec)
    return count_part(folder, spec, role)


def read_content(manifest: Manifest, want: Desired) -> CacheContent:
    """
    Read the content of *want* again, all of it into memory.

    Raises ContentChanged if it cannot be read, or if it is not what *want* was planned with.
    """
    return content_reader(manifest)(want)


def content_reader(manifest: Manifest) -> Callable[[Desired], CacheContent]:
    """`read_content` for many entries of *manifest*, whose folder is looked at once."""
    folder = Folder(manifest.root)
    return lambda want: _checked(manifest.caches[want.name], want, folder)


def _checked(entry: Entry, want: Desired, folder: Folder) -> CacheContent:
    content = _read(entry, folder)
    instruction = content.system_instruction
    digest = digest_of(
        provider=entry.kind,
        model=want.model,
        parts=[part_mark(part) for part in content.parts],
        system_instruction=None if instruction is None else _text_mark(instruction),
        tools=content.tools,
        tool_config=content.tool_config,
        revision=entry.revision,
    )
    if digest != want.digest:
        files = ", ".join(map(shown, want.measure.paths)) or "the manifest"
        raise ContentChanged(f"{files} changed after {want.name} was planned: plan again")
    return content


def _read(entry: Entry, folder: Folder) -> CacheContent:
    instruction, tools, config = entry.system_instruction, entry.tools, entry.tool_config
    return CacheContent(
        parts=tuple(_again(read_part, folder, spec) for spec in entry.parts),
        system_instruction=_again(_read_instruction, folder, instruction) if instruction else None,
        tools=_again(tools_of, folder, tools) if tools else (),
        tool_config=_again(tool_config_of, folder, config) if config else None,
    )


def _again(read: Callable[[Folder, S], _ContentRead], folder: Folder, spec: S) -> _ContentRead:
    try:
        return read(folder, spec)
    except Unreadable as error:
        raise ContentChanged(f"{_subject(spec)}{error}: plan again") from error


def _read_instruction(folder: Folder, spec: FileSpec) -> str:
    return read_text(folder, spec.path).decode()


def _text_mark(text: str) -> bytes:
    return text_mark(sha256(text.encode()).digest())


def _subject(spec: _Spec) -> str:
    """What a complaint is about: a path has to be named, a value is where the place says."""
    return f"{shown(spec.path)} " if isinstance(spec, FileSpec) else ""


def _paths(entry: Entry) -> tuple[str, ...]:
    specs = (*entry.parts, entry.system_instruction, entry.tools, entry.tool_config)
    return tuple(spec.path for spec in specs if isinstance(spec, FileSpec))
