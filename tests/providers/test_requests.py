"""Requests: what the official SDKs' own types accept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest

from provisioner.cache import (
    CacheContent,
    CacheHandle,
    ClaudeHandle,
    GeminiHandle,
    InlinePart,
    Json,
    OpenAIHandle,
    TextPart,
    UriPart,
)
from provisioner.errors import InvalidCacheConfiguration
from provisioner.providers.annotations import openai_handle
from provisioner.providers.requests import Api, request_document
from tests.builders import NOW

FULL = CacheContent(
    parts=(
        TextPart("a manual"),
        InlinePart("application/pdf", b"%PDF"),
        InlinePart("image/png", b"png"),
        UriPart("image/png", "https://example.org/a.png"),
    ),
    system_instruction="Answer from the manual.",
)


def validate(name: str, value: object) -> None:
    """
    Hold *value* to the SDK's type of that dotted *name*.

    The SDKs are slow to import, and a worker that runs none of these tests needs none.
    """
    pydantic = import_module("pydantic")
    module, _, kind = name.rpartition(".")
    pydantic.TypeAdapter(getattr(import_module(module), kind)).validate_python(value)


BARE = CacheContent(system_instruction="Sort these.")
TEXT = CacheContent(parts=(TextPart("a manual"),))
SHORT, LONG = (
    ClaudeHandle({"type": "ephemeral", "ttl": "5m"}),
    ClaudeHandle({"type": "ephemeral", "ttl": "1h"}),
)
NEW = OpenAIHandle("demo.triage", {"ttl": "30m"})
OLD = OpenAIHandle("demo.triage", None, "24h")


def words(
    handle: CacheHandle, content: CacheContent = FULL, *, model: str = "m", api: Api = "responses"
) -> Any:  # noqa: ANN401  # a request of whatever provider
    return request_document(handle, model=model, content=content, api=api, question="Q?")


@pytest.mark.heavy
@pytest.mark.parametrize("content", [FULL, BARE, TEXT])
@pytest.mark.parametrize("handle", [SHORT, LONG])
def test_claude(handle: ClaudeHandle, content: CacheContent) -> None:
    """Anthropic's types accept the request; one breakpoint ends the prefix."""
    document = words(handle, content)
    validate("anthropic.types.MessageCreateParams", document["request"])

    blocks = [
        *document["request"].get("system", []),
        *document["request"]["messages"][0]["content"],
    ]
    marked = [n for n, block in enumerate(blocks) if "cache_control" in block]
    assert marked == [len(blocks) - 2]
    assert blocks[marked[0]]["cache_control"] == handle.cache_control
    assert document["breakpoints_left"] == 3
    assert document["later_ttls"] == (["1h", "5m"] if handle is LONG else ["5m"])


@pytest.mark.heavy
@pytest.mark.parametrize("content", [FULL, BARE, TEXT])
@pytest.mark.parametrize("handle", [NEW, OLD, OpenAIHandle("k", {"ttl": "12h"})])
def test_openai_responses(handle: OpenAIHandle, content: CacheContent) -> None:
    """OpenAI's types accept the request; the newest models get one explicit breakpoint."""
    document = words(handle, content)
    validate("openai.types.responses.ResponseCreateParams", document["request"])

    blocks = [block for turn in document["request"]["input"] for block in turn["content"]]
    marked = [n for n, block in enumerate(blocks) if "prompt_cache_breakpoint" in block]
    assert marked == ([len(blocks) - 2] if handle.prompt_cache_options else [])
    assert document["request"]["prompt_cache_key"] == handle.prompt_cache_key
    assert "mode" not in (document["request"].get("prompt_cache_options") or {})


@pytest.mark.heavy
@pytest.mark.parametrize("content", [BARE, TEXT, CacheContent(parts=FULL.parts[:3])])
@pytest.mark.parametrize("handle", [NEW, OLD])
def test_openai_chat(handle: OpenAIHandle, content: CacheContent) -> None:
    """The Chat API has its own shapes for the same parts."""
    document = words(handle, content, api="chat")
    validate("openai.types.chat.CompletionCreateParams", document["request"])

    assert "messages" in document["request"]
    assert "model" in document["keep_equal"]
    assert "instructions" in document["must_not_send"]


def test_chat_has_its_limits() -> None:
    """What the Chat API does not have is an error that names the other API."""
    half_day = openai_handle("k", "gpt-6.1-terra", timedelta(hours=12), None)
    with pytest.raises(InvalidCacheConfiguration, match="--api responses"):
        words(half_day, TEXT, api="chat")
    far = CacheContent(parts=(UriPart("application/pdf", "https://example.org/a.pdf"),))
    with pytest.raises(InvalidCacheConfiguration, match="--api responses"):
        words(NEW, far, api="chat")


@pytest.mark.heavy
def test_gemini() -> None:
    """Nothing that is in the cache is in the request, and that is said."""
    document = words(GeminiHandle("cachedContents/a", NOW), FULL)
    (turn,) = document["request"]["contents"]
    validate("google.genai.types.Content", turn)

    assert document["request"]["cachedContent"] == "cachedContents/a"
    assert set(document["request"]) == {"cachedContent", "contents"}
    assert document["in_cache"] == ["systemInstruction", "contents"]
    assert document["must_not_send"] == ["systemInstruction", "tools", "toolConfig"]
    assert document["expires_at"] == "2026-01-01T12:00:00Z"


@pytest.mark.parametrize("handle", [SHORT, NEW])
def test_tools(handle: CacheHandle) -> None:
    """Tools stand in the request in the provider's own shape."""
    tools: tuple[Mapping[str, Json], ...] = ({"name": "f", "input_schema": {"type": "object"}},)
    document = words(handle, CacheContent(parts=(TextPart("x"),), tools=tools))

    assert document["request"]["tools"] == tools
