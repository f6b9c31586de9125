"""
The request that an entry stands for, with its content or with what stands for it.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

from provisioner.cache import CacheContent, InlinePart, Json, Part, TextPart, UriPart
from provisioner.errors import ContentChanged, CtxprovError
from provisioner.manifest.types import Manifest
from provisioner.model.facts import State
from provisioner.model.records import Recorded
from provisioner.planner.hypothetical import recorded_as_desired
from provisioner.providers.requests import Api, request_document
from provisioner.resolver.content import read_content

QUESTION = "YOUR QUESTION"


def request_of(
    manifest: Manifest, state: State, record: Recorded, *, api: Api, with_content: bool
) -> dict[str, Json]:
    """
    The whole request for *record*.  Raises CtxprovError if its content is another by now.
    """
    want = next(one for one in recorded_as_desired(state) if one.name == record.name)
    if record.name not in manifest.caches:
        raise CtxprovError(f"{record.name!r} is no longer declared, so its content is not known.")
    try:
        content = read_content(manifest, want)
    except ContentChanged as error:
        raise CtxprovError(
            f"The files of {record.name!r} are not what was applied: apply them first, or check "
            "out what was."
        ) from error
    shown = content if with_content else _without_text(content, record)
    return request_document(
        record.handle, model=record.model, content=shown, api=api, question=QUESTION
    )


def _without_text(content: CacheContent, record: Recorded) -> CacheContent:
    """The same shape, with a path or a number and a digest in place of every text."""
    paths = [*record.measure.paths, *[""] * len(content.parts)]
    instruction = content.system_instruction
    return replace(
        content,
        parts=tuple(
            _stand_in(part, path) for part, path in zip(content.parts, paths, strict=False)
        ),
        system_instruction=instruction and f"system instruction {_digest(instruction.encode())}",
    )


def _stand_in(part: Part, path: str) -> Part:
    match part:
        case TextPart(text):
            return TextPart(f"{path or 'text'} {_digest(text.encode())}")
        case InlinePart(mime_type, content):
            return TextPart(f"{path or mime_type} {_digest(content)}")
        case UriPart():
            return part


def _digest(content: bytes) -> str:
    return f"sha256:{sha256(content).hexdigest()}"
