"""
A whole request for a cache or an annotation, with the question as a placeholder.

A module per provider knows its wire shape of today; what each returns is legal as it stands,
and beside it stands what a caller must know to stay within the cached prefix.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from provisioner.cache import (
    CacheContent,
    CacheHandle,
    ClaudeHandle,
    GeminiHandle,
    Json,
    OpenAIHandle,
)
from provisioner.providers.requests.claude import claude_request
from provisioner.providers.requests.gemini import gemini_request
from provisioner.providers.requests.openai import openai_request

Api: TypeAlias = Literal["responses", "chat"]


def request_words(
    handle: CacheHandle, *, model: str, content: CacheContent, api: Api, question: str
) -> dict[str, Json]:
    """The request for *handle*, and what to keep in mind; `api` counts for OpenAI alone."""
    match handle:
        case GeminiHandle():
            return gemini_request(handle, model=model, content=content, question=question)
        case ClaudeHandle():
            return claude_request(handle, model=model, content=content, question=question)
        case OpenAIHandle():
            return openai_request(
                handle, model=model, content=content, question=question, is_chat=api == "chat"
            )
