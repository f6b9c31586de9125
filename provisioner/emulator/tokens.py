"""How many tokens a prompt is, by modality: an estimate that never changes its mind.

It decides the numbers: a quarter of the characters for text, and fixed rates for what is seen or
heard, with a duration guessed from the size. It refuses to be a tokenizer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, TypeAlias

import orjson

from provisioner.emulator.wire import Message


class Modality(IntEnum):
    """Numbered as in the API, which spells them as numbers on request."""

    TEXT = 1
    IMAGE = 2
    VIDEO = 3
    AUDIO = 4
    DOCUMENT = 5


Tokens: TypeAlias = Counter[Modality]

_CHARACTERS_PER_TOKEN: Final = 4
_PER_IMAGE: Final = 258
_PER_PAGE: Final = 258
_PER_SECOND: Final = {Modality.AUDIO: 32, Modality.VIDEO: 263}
_BYTES_PER_SECOND: Final = {Modality.AUDIO: 16_000, Modality.VIDEO: 250_000}
_UNSEEN: Final = 4096
"""For a file behind a URI, which the emulator does not open."""
_PAGE: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_TEXTUAL: Final = frozenset(
    f"application/{kind}"
    for kind in ("json", "xml", "yaml", "javascript", "x-javascript", "x-python", "rtf")
)


def modality(mime_type: str) -> Modality | None:
    """None for a type that no model reads."""
    kind = mime_type.lower().partition(";")[0].strip()
    match kind.partition("/")[0]:
        case "text":
            return Modality.TEXT
        case "image":
            return Modality.IMAGE
        case "audio":
            return Modality.AUDIO
        case "video":
            return Modality.VIDEO
        case _ if kind == "application/pdf":
            return Modality.DOCUMENT
        case _:
            return Modality.TEXT if kind in _TEXTUAL else None


def count(prompt: Message) -> Tokens:
    """Tokens of `systemInstruction`, `contents` and `tools`; a tool that is not a function is free.

    *prompt* is a CachedContent or a GenerateContentRequest.
    """
    contents = [*prompt.get("contents", ()), prompt.get("systemInstruction", {})]
    parts = (part for content in contents for part in content.get("parts", ()))
    return _sum(_parts(parts), _declarations(prompt))


def text_tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _sum(*counts: Iterable[tuple[Modality, int]]) -> Tokens:
    tokens: Tokens = Counter()
    for each in counts:
        for kind, number in each:
            tokens[kind] += number
    return tokens


def _parts(parts: Iterable[Message]) -> Iterator[tuple[Modality, int]]:
    for part in parts:
        match part:
            case {"text": str(text)}:
                yield Modality.TEXT, text_tokens(text)
            case {"inlineData": blob}:
                yield _blob(blob.get("mimeType", ""), blob.get("data", b""))
            case {"fileData": file}:
                yield modality(file.get("mimeType", "")) or Modality.DOCUMENT, _UNSEEN
            case _:
                yield Modality.TEXT, _json_tokens(part)


def _blob(mime_type: str, content: bytes) -> tuple[Modality, int]:
    match modality(mime_type) or Modality.TEXT:
        case Modality.TEXT:
            return Modality.TEXT, text_tokens(content.decode(errors="replace"))
        case Modality.IMAGE:
            return Modality.IMAGE, _PER_IMAGE
        case Modality.DOCUMENT:
            return Modality.DOCUMENT, _PER_PAGE * max(1, len(_PAGE.findall(content)))
        case kind:
            seconds = -(-len(content) // _BYTES_PER_SECOND[kind])
            return kind, _PER_SECOND[kind] * seconds


def _declarations(prompt: Message) -> Iterator[tuple[Modality, int]]:
    for tool in prompt.get("tools", ()):
        for declaration in tool.get("functionDeclarations", ()):
            yield Modality.TEXT, _json_tokens(declaration)


def _json_tokens(value: object) -> int:
    return text_tokens(orjson.dumps(value, default=_spell).decode())


def _spell(value: object) -> str:
    """What JSON cannot hold here: the bytes of a signature or of a function's answer."""
    return value.hex() if isinstance(value, bytes) else str(value)
