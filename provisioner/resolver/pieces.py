"""
The digests of pieces: what lets a plan name the piece that changed, without keeping any.

A file goes by its path, another part by its place, and tools leaf by leaf.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType

from provisioner.cache import Json
from provisioner.manifest import Entry, FileSpec
from provisioner.resolver.digest import json_mark

_DIGITS = 12


def pieces_of(
    entry: Entry,
    parts: Sequence[bytes],
    system_instruction: bytes | None,
    tools: Sequence[Mapping[str, Json]],
    tool_config: Mapping[str, Json] | None,
) -> Mapping[str, str]:
    """The pieces of *entry*, whose parts and instruction are given by their marks."""
    found = {
        spec.path if isinstance(spec, FileSpec) else f"content[{at}]": _digits(mark)
        for at, (spec, mark) in enumerate(zip(entry.parts, parts, strict=True))
    }
    if system_instruction is not None:
        found["system_instruction"] = _digits(system_instruction)
    for name, value in (("tools", tools), ("tool_config", tool_config)):
        for where, leaf in _leaves(name, value) if value else ():
            found[where] = _digits(json_mark(leaf))
    return MappingProxyType(found)


def _leaves(where: str, value: Json) -> Iterator[tuple[str, Json]]:
    match value:
        case Mapping() if value:
            for key in value:
                yield from _leaves(f"{where}.{key}", value[key])
        case [_, *_]:
            for at, one in enumerate(value):
                yield from _leaves(f"{where}[{at}]", one)
        case _:
            yield where, value


def _digits(mark: bytes) -> str:
    return sha256(mark).hexdigest()[:_DIGITS]
