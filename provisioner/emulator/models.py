"""What the models of this server take: their names, legal prompts, and how many tokens those are.

It decides names, limits and the smallest cache, which are the minima that callers have met and
lower than the documented ones for most models; which roles, parts and files a prompt may have; and
its tokens: a quarter of the characters for text, and fixed rates for what is seen or heard, with a
duration guessed from the size. It refuses to know prices and caches, and to be a tokenizer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import chain
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import orjson
from msgspec import Struct

from provisioner.emulator.errors import Refusal
from provisioner.emulator.schema import MESSAGES
from provisioner.emulator.wire import Message


class Modality(IntEnum):
    """Numbered as in the API, which spells them as numbers on request."""

    TEXT = 1
    IMAGE = 2
    VIDEO = 3
    AUDIO = 4
    DOCUMENT = 5


Tokens: TypeAlias = Counter[Modality]

MAX_INPUT_TOKENS: Final = 1_048_576

_MIN_CACHED_TOKENS: Final = {
    "gemini-3.8-flash": 1024,
    "gemini-3.7-flash": 1024,
    "gemini-3.6-flash": 1024,
    "gemini-3.5-flash": 1024,
    "gemini-3.5-flash-lite": 1024,
    "gemini-3.1-pro-preview": 4096,
    "gemini-3.1-flash-lite": 1024,
    "gemini-3-flash-preview": 1024,
    "gemini-2.5-pro": 2048,
    "gemini-2.5-flash": 1024,
    "gemini-2.5-flash-lite": 2048,
}
_IMPLICIT_ONLY: Final = ("gemini-4-argon", "gemini-robotics-er-2")
_ROLES: Final = frozenset({"", "user", "model", "function", "tool"})
_CONTENT: Final = {name for name, field in MESSAGES["Part"].items() if field.oneof == "data"}
_FILES_API: Final = re.compile(r"(?:https?://[^/]+/v1\w*/)?files/([^/?#]+)")
_PDF_LIMIT: Final = 50 * 1024 * 1024
_CHARACTERS_PER_TOKEN: Final = 4
_PER_IMAGE: Final = 258
_PER_PAGE: Final = 258
_PER_SECOND: Final = {Modality.AUDIO: 32, Modality.VIDEO: 263}
_BYTES_PER_SECOND: Final = {Modality.AUDIO: 16_000, Modality.VIDEO: 250_000}
_UNSEEN: Final = 4096
"""For a file behind a URI, which the emulator does not open."""
_PAGE: Final = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_MODALITIES: Final = {
    "text": Modality.TEXT,
    "image": Modality.IMAGE,
    "audio": Modality.AUDIO,
    "video": Modality.VIDEO,
    "application/pdf": Modality.DOCUMENT,
    **{
        f"application/{kind}": Modality.TEXT
        for kind in ("json", "xml", "yaml", "javascript", "x-javascript", "x-python", "rtf")
    },
}


class Model(Struct, frozen=True, kw_only=True):
    name: str
    """As in URLs and bodies: `models/ID`."""
    min_cached_tokens: int
    caches: bool
    """Whether caches can be made for it; else it has implicit caching alone."""

    @property
    def methods(self) -> list[str]:
        explicit = ["createCachedContent"] if self.caches else []
        return ["generateContent", "countTokens", *explicit]

    def answer(self) -> dict[str, Any]:
        """The `Model` message."""
        title = self.name.removeprefix("models/").replace("-", " ").title()
        return {
            "name": self.name,
            "version": "001",
            "displayName": title,
            "description": f"{title}, emulated: it counts, caches and never thinks.",
            "inputTokenLimit": MAX_INPUT_TOKENS,
            "outputTokenLimit": 65_536,
            "supportedGenerationMethods": self.methods,
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
        }


MODELS: Final = MappingProxyType(
    {
        f"models/{model}": Model(
            name=f"models/{model}",
            min_cached_tokens=_MIN_CACHED_TOKENS.get(model, 0),
            caches=model in _MIN_CACHED_TOKENS,
        )
        for model in (*_MIN_CACHED_TOKENS, *_IMPLICIT_ONLY)
    }
)
"""By full name, in the order of the list."""


def find_model(name: str, version: str, method: str) -> Model:
    """The model that the caller wants *method* of. Raises Refusal."""
    if not name:
        raise Refusal(400, "model is required")
    if "/" not in name:
        raise Refusal(400, f"* model: unexpected model name format: {name[:80]}\n")
    model = MODELS.get(name)
    if model is None or method not in model.methods:
        raise Refusal(
            404,
            f"{name[:80]} is not found for API version {version}, or is not supported for "
            f"{method}. Call ListModels to see the list of available models and their "
            "supported methods.",
        )
    return model


def check_prompt(prompt: Message, kind: str) -> None:
    """Raises Refusal; *kind* is the message's name, for the error's text."""
    for n, content in enumerate(prompt.get("contents", ())):
        _check_content(content, f"{kind}.contents[{n}]")
    for part in prompt.get("systemInstruction", {}).get("parts", ()):
        if "text" not in part:
            raise Refusal(400, f"* {kind}.system_instruction: only text parts are supported\n")


def check_turn(prompt: Message) -> None:
    """A prompt ends on what the model is to answer."""
    contents = prompt.get("contents")
    if contents and contents[-1].get("role") == "model":
        raise Refusal(400, "Requests ending with a model turn are not supported.")


def _check_content(content: Message, at: str) -> None:
    if content.get("role", "") not in _ROLES:
        raise Refusal(400, "Please use a valid role: user, model.")
    parts = content.get("parts")
    if not parts:
        raise Refusal(400, f"* {at}.parts: contents.parts must not be empty.\n")
    for n, part in enumerate(parts):
        _check_part(part, f"{at}.parts[{n}]")


def _check_part(part: Message, at: str) -> None:
    if "inlineData" in part:
        _check_blob(part["inlineData"])
    elif "fileData" in part:
        _check_file(part["fileData"].get("fileUri", ""), at)
    elif not _CONTENT & part.keys():
        raise Refusal(
            400, f"* {at}.data: required oneof field 'data' must have one initialized field\n"
        )


def _check_blob(blob: Message) -> None:
    mime_type = blob.get("mimeType", "")
    if modality(mime_type) is None:
        raise Refusal(400, f"Unsupported MIME type: {mime_type[:80]}")
    if mime_type == "application/pdf" and len(blob.get("data", b"")) > _PDF_LIMIT:
        raise Refusal(400, f"The document exceeds the supported size limit: {_PDF_LIMIT} bytes.")


def _check_file(uri: str, at: str) -> None:
    """Files of the Files API do not exist here; buckets and signed URLs are taken on trust."""
    if file := _FILES_API.fullmatch(uri):
        raise Refusal(
            403,
            f"You do not have permission to access the File {file[1][:80]} or it may not exist.",
        )
    if not re.match(r"gs://[^/]+/.|https://[^/]+", uri):
        raise Refusal(400, f"* {at}.file_data.file_uri: Invalid or unsupported file uri\n")


def modality(mime_type: str) -> Modality | None:
    """None for a type that no model reads."""
    kind = mime_type.lower().partition(";")[0].strip()
    return _MODALITIES.get(kind) or _MODALITIES.get(kind.partition("/")[0])


def count(prompt: Message) -> Tokens:
    """Tokens of `systemInstruction`, `contents` and `tools`; a tool that is not a function is free.

    *prompt* is a CachedContent or a GenerateContentRequest.
    """
    contents = [*prompt.get("contents", ()), prompt.get("systemInstruction", {})]
    parts = (part for content in contents for part in content.get("parts", ()))
    tokens: Tokens = Counter()
    for kind, number in chain(_parts(parts), _declarations(prompt)):
        tokens[kind] += number
    return tokens


def text_tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


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
