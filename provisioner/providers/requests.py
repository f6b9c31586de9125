"""
A whole request for a cache or an annotation, with the question as a placeholder.

Knows the wire shape of each provider as it is today.  A request is legal as it stands, and beside
it stands what a caller must know to stay within the cached prefix.
"""

from __future__ import annotations

from base64 import standard_b64encode
from typing import Literal, TypeAlias

from provisioner import cache
from provisioner.errors import InvalidCacheConfiguration
from provisioner.times import moment_text

Api: TypeAlias = Literal["responses", "chat"]

_BREAKPOINTS = 4
_MAX_TOKENS = 1024
_PDF = "application/pdf"
_EQUAL = (
    "model",
    "tools",
    "parallel_tool_calls",
    "text.format",
    "reasoning.effort",
    "verbosity",
    "service_tier",
)
_CHAT_TTL = "30m"


def request_document(
    handle: cache.CacheHandle, *, model: str, content: cache.CacheContent, api: Api, question: str
) -> dict[str, cache.Json]:
    """The request for *handle*, and what to keep in mind; `api` counts for OpenAI alone."""
    match handle:
        case cache.GeminiHandle():
            return _gemini_request(handle, model=model, content=content, question=question)
        case cache.ClaudeHandle():
            return _claude_request(handle, model=model, content=content, question=question)
        case cache.OpenAIHandle():
            return _openai_request(
                handle, model=model, content=content, question=question, is_chat=api == "chat"
            )


def _gemini_request(
    handle: cache.GeminiHandle, *, model: str, content: cache.CacheContent, question: str
) -> dict[str, cache.Json]:
    """generateContent with a cached content: what is in the cache must not be sent again."""
    held = {
        "systemInstruction": content.system_instruction,
        "tools": content.tools,
        "toolConfig": content.tool_config,
        "contents": content.parts,
    }
    return {
        "provider": "gemini",
        "model": model,
        "request": {
            "cachedContent": handle.cache_name,
            "contents": [{"role": "user", "parts": [{"text": question}]}],
        },
        "in_cache": [name for name, value in held.items() if value],
        "must_not_send": ["systemInstruction", "tools", "toolConfig"],
        "expires_at": moment_text(handle.expires_at) if handle.expires_at else None,
    }


def _claude_request(
    handle: cache.ClaudeHandle, *, model: str, content: cache.CacheContent, question: str
) -> dict[str, cache.Json]:
    """messages.create with a breakpoint after the shared prefix."""
    system = [_claude_text(content.system_instruction)] if content.system_instruction else []
    blocks = [_claude_block(part) for part in content.parts]
    (blocks or system)[-1]["cache_control"] = {"type": "ephemeral", "ttl": handle.ttl}
    request: dict[str, cache.Json] = {
        "model": model,
        "max_tokens": _MAX_TOKENS,
        "messages": [{"role": "user", "content": [*blocks, _claude_text(question)]}],
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


def _claude_block(part: cache.Part) -> dict[str, cache.Json]:
    source: dict[str, cache.Json]
    match part:
        case cache.TextPart(text):
            return _claude_text(text)
        case cache.InlinePart(mime_type, content):
            encoded = standard_b64encode(content).decode()
            source = {"type": "base64", "media_type": mime_type, "data": encoded}
        case cache.UriPart(mime_type, uri):
            source = {"type": "url", "url": uri}
    return {"type": "document" if mime_type == _PDF else "image", "source": source}


def _claude_text(text: str) -> dict[str, cache.Json]:
    return {"type": "text", "text": text}


def _openai_request(
    handle: cache.OpenAIHandle,
    *,
    model: str,
    content: cache.CacheContent,
    question: str,
    is_chat: bool,
) -> dict[str, cache.Json]:
    """
    responses.create or chat.completions.create with a key for the shared prefix.

    The system text goes into a developer message, because instructions and tools cannot carry a
    breakpoint; on gpt-5.6 and later an explicit breakpoint ends the prefix.  Raises
    InvalidCacheConfiguration if the Chat API does not have the handle's life.
    """
    options = handle.prompt_cache_options
    if is_chat and options and options["ttl"] != _CHAT_TTL:
        raise InvalidCacheConfiguration(
            f"the Chat API has a ttl of {_CHAT_TTL} only, and this entry has {options['ttl']}: "
            "use --api responses"
        )
    system = content.system_instruction
    before = [_openai_text(system, is_chat=is_chat)] if system else []
    blocks = [_openai_block(part, is_chat=is_chat) for part in content.parts]
    if options and (blocks or before):
        (blocks or before)[-1]["prompt_cache_breakpoint"] = {"mode": "explicit"}
    turns: list[cache.Json] = [{"role": "developer", "content": before}] if before else []
    turns.append({"role": "user", "content": [*blocks, _openai_text(question, is_chat=is_chat)]})
    request: dict[str, cache.Json] = {
        "model": model,
        **handle.request_fields(),
        "messages" if is_chat else "input": turns,
    }
    if content.tools:
        request["tools"] = content.tools
    return {
        "provider": "openai",
        "api": "chat" if is_chat else "responses",
        "request": request,
        "must_not_send": [
            "prompt_cache_retention" if options else "prompt_cache_options",
            "instructions",
            "user",
        ],
        "keep_equal": list(_EQUAL),
    }


def _openai_text(text: str, *, is_chat: bool) -> dict[str, cache.Json]:
    return {"type": "text" if is_chat else "input_text", "text": text}


def _openai_block(part: cache.Part, *, is_chat: bool) -> dict[str, cache.Json]:
    """A part as the one API or the other takes it."""
    file: dict[str, cache.Json]
    match part:
        case cache.TextPart(text):
            return _openai_text(text, is_chat=is_chat)
        case cache.InlinePart(mime_type, content):
            url = f"data:{mime_type};base64,{standard_b64encode(content).decode()}"
            file = {"filename": f"content.{mime_type.partition('/')[2]}", "file_data": url}
        case cache.UriPart(mime_type, url):
            file = {"file_url": url}
    is_image = mime_type.startswith("image/")
    if is_image and is_chat:
        return {"type": "image_url", "image_url": {"url": url}}
    if is_image:
        return {"type": "input_image", "detail": "auto", "image_url": url}
    if not is_chat:
        return {"type": "input_file", **file}
    if isinstance(part, cache.UriPart):
        raise InvalidCacheConfiguration(
            "the Chat API fetches no files: use --api responses, or a file of your own"
        )
    return {"type": "file", "file": file}
