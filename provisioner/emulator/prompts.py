"""What the service refuses in a prompt, whether it is to be cached, counted or answered.

It decides which roles, parts and files are legal. It refuses to know caches and tokens' limits.
"""

from __future__ import annotations

import re
from typing import Final

from provisioner.emulator.errors import Refusal
from provisioner.emulator.tokens import modality
from provisioner.emulator.wire import Message

_ROLES: Final = frozenset({"", "user", "model", "function", "tool"})
_CONTENT: Final = frozenset(
    {
        "text",
        "inlineData",
        "functionCall",
        "functionResponse",
        "fileData",
        "executableCode",
        "codeExecutionResult",
        "toolCall",
        "toolResponse",
    }
)
_FILES_API: Final = re.compile(r"(?:https?://[^/]+/v1\w*/)?files/([^/?#]+)")
_PDF_LIMIT: Final = 50 * 1024 * 1024


def check_prompt(prompt: Message, kind: str) -> None:
    """Raises Refusal; *kind* is the message's name, for the error's text."""
    for n, content in enumerate(prompt.get("contents", ())):
        _check_content(content, f"{kind}.contents[{n}]")
    for part in prompt.get("systemInstruction", {}).get("parts", ()):
        if "text" not in part:
            raise Refusal(400, f"* {kind}.system_instruction: only text parts are supported\n")


def check_turn(prompt: Message) -> None:
    """A prompt ends on what the model is to answer."""
    match prompt.get("contents"):
        case [*_, {"role": "model"}]:
            raise Refusal(400, "Requests ending with a model turn are not supported.")
        case _:
            pass


def _check_content(content: Message, at: str) -> None:
    if content.get("role", "") not in _ROLES:
        raise Refusal(400, "Please use a valid role: user, model.")
    parts = content.get("parts")
    if not parts:
        raise Refusal(400, f"* {at}.parts: contents.parts must not be empty.\n")
    for n, part in enumerate(parts):
        _check_part(part, f"{at}.parts[{n}]")


def _check_part(part: Message, at: str) -> None:
    match part:
        case {"inlineData": blob}:
            _check_blob(blob)
        case {"fileData": file}:
            _check_file(file.get("fileUri", ""), at)
        case _ if not _CONTENT & part.keys():
            raise Refusal(
                400, f"* {at}.data: required oneof field 'data' must have one initialized field\n"
            )
        case _:
            pass


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
