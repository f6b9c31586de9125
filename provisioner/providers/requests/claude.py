"""messages.create with a breakpoint after the shared prefix."""

from __future__ import annotations

from base64 import standard_b64encode

from provisioner.cache import (
    CacheContent,
    ClaudeHandle,
    InlinePart,
    Json,
    Part,
    TextPart,
    UriPart,
)

_BREAKPOINTS = 4
_MAX_TOKENS = 1024
_PDF = "application/pdf"


def claude_request(
    handle: ClaudeHandle, *, model: str, content: CacheContent, question: str
) -> dict[str, Json]:
    system = [_text(content.system_instruction)] if content.system_instruction else []
    blocks = [_block(part) for part in content.parts]
    (blocks or system)[-1]["cache_control"] = {"type": "ephemeral", "ttl": handle.ttl}
    request: dict[str, Json] = {
        "model": model,
        "max_tokens": _MAX_TOKENS,
        "messages": [{"role": "user", "content": [*blocks, _text(question)]}],
    }
    if content.tools:
        request["tools"] = content.tools
    if system:
        request["system"] = system
    return {
        "provider": "claude",
        "request": request,
        "breakpoints_left": _BREAKPOINTS - 1,
        "later_ttls": ["1h", "5m"] if handle.ttl == "1h" else ["5m"],
    }


def _block(part: Part) -> dict[str, Json]:
    match part:
        case TextPart(text):
            return _text(text)
        case InlinePart(mime_type, content):
            source: dict[str, Json] = {
                "type": "base64",
                "media_type": mime_type,
                "data": standard_b64encode(content).decode(),
            }
            return {"type": _kind(mime_type), "source": source}
        case UriPart(mime_type, uri):
            return {"type": _kind(mime_type), "source": {"type": "url", "url": uri}}


def _text(text: str) -> dict[str, Json]:
    return {"type": "text", "text": text}


def _kind(mime_type: str) -> str:
    return "document" if mime_type == _PDF else "image"
