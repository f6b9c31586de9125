"""generateContent with a cached content: what is in the cache must not be sent again."""

from __future__ import annotations

from provisioner.cache import CacheContent, GeminiHandle, Json
from provisioner.times import moment_text


def gemini_request(
    handle: GeminiHandle, *, model: str, content: CacheContent, question: str
) -> dict[str, Json]:
    return {
        "provider": "gemini",
        "model": model,
        "request": {
            "cachedContent": handle.cache_name,
            "contents": [{"role": "user", "parts": [{"text": question}]}],
        },
        "in_cache": _in_cache(content),
        "must_not_send": ["systemInstruction", "tools", "toolConfig"],
        "expires_at": moment_text(handle.expires_at) if handle.expires_at else None,
    }


def _in_cache(content: CacheContent) -> list[Json]:
    """The fields of a request that the cache already holds."""
    held = {
        "systemInstruction": content.system_instruction,
        "tools": content.tools,
        "toolConfig": content.tool_config,
        "contents": content.parts,
    }
    return [name for name, value in held.items() if value]
