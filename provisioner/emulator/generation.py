"""`models`, `countTokens` and `generateContent`: as much of them as caches are used through.

It decides when a cache fits a request, and what the usage says. It refuses to think: the answer
to every prompt is its size.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Final

import orjson

from provisioner.emulator.caches import Caches
from provisioner.emulator.calls import page_token, parse_page
from provisioner.emulator.errors import Refusal
from provisioner.emulator.models import MAX_INPUT_TOKENS, MODELS, Model, find_model
from provisioner.emulator.prompts import check_prompt, check_turn
from provisioner.emulator.tokens import Modality, Tokens, count, text_tokens
from provisioner.emulator.wire import Message, parse_body


class FinishReason(IntEnum):
    STOP = 1


_REQUEST: Final = "GenerateContentRequest"
_IN_CACHE: Final = ("systemInstruction", "tools", "toolConfig")


class Generation:
    """`numbers` asks for enumerations as numbers."""

    def __init__(self, caches: Caches) -> None:
        self._caches = caches

    def list_models(self, options: Mapping[str, str]) -> bytes:
        page = parse_page(options)
        start = page.after or 0
        models = [model.answer() for model in MODELS.values()]
        shown, rest = models[start : start + page.size], models[start + page.size :]
        token = {"nextPageToken": page_token(start + page.size)} if rest else {}
        return orjson.dumps({"models": shown, **token} if shown else {})

    def get_model(self, name: str, version: str) -> bytes:
        return orjson.dumps(find_model(f"models/{name}", version, "generateContent").answer())

    def count_tokens(self, name: str, body: bytes, version: str, *, numbers: bool) -> bytes:
        model = find_model(f"models/{name}", version, "countTokens")
        asked = parse_body("CountTokensRequest", body)
        wrapped = asked.get("generateContentRequest")
        if wrapped is not None and "model" not in wrapped:
            raise Refusal(400, "* CountTokensRequest.generate_content_request.model: required\n")
        prompt = asked if wrapped is None else wrapped
        fresh, cached = self._counts(prompt, model)
        answer: dict[str, Any] = {
            "totalTokens": (fresh + cached).total(),
            "promptTokensDetails": _details(fresh + cached, numbers=numbers),
        }
        return orjson.dumps(answer | _cached_part(cached, numbers=numbers))

    def generate(self, name: str, body: bytes, version: str, *, numbers: bool) -> bytes:
        model = find_model(f"models/{name}", version, "generateContent")
        prompt = parse_body(_REQUEST, body)
        check_turn(prompt)
        fresh, cached = self._counts(prompt, model)
        total, hits = (fresh + cached).total(), cached.total()
        _check_input(total)
        text = f"An emulated answer to {total} prompt tokens, {hits} of them cached."
        candidate = {
            "content": {"parts": [{"text": text}], "role": "model"},
            "finishReason": _spell(FinishReason.STOP, numbers=numbers),
            "index": 0,
        }
        answer = {
            "candidates": [candidate],
            "usageMetadata": _usage(fresh, cached, text, numbers=numbers),
            "modelVersion": name,
            "responseId": secrets.token_urlsafe(16),
        }
        return orjson.dumps(answer)

    def _counts(self, prompt: Message, model: Model) -> tuple[Tokens, Tokens]:
        """Tokens that were sent, and tokens of the cache that they go with."""
        if not prompt.get("contents"):
            raise Refusal(400, f"* {_REQUEST}.contents: contents is not specified\n")
        check_prompt(prompt, _REQUEST)
        return count(prompt), self._cached(prompt, model)

    def _cached(self, prompt: Message, model: Model) -> Tokens:
        name = prompt.get("cachedContent", "")
        if not name:
            return Tokens()
        if any(prompt.get(field) for field in _IN_CACHE):
            raise Refusal(
                400,
                "CachedContent can not be used with GenerateContent request setting "
                "system_instruction, tools or tool_config.\n\nProposed fix: move those values "
                "to CachedContent from GenerateContent request.",
            )
        row = self._caches.find(name)
        if row.model != model.name:
            raise Refusal(
                400,
                f"Model used by GenerateContent request ({model.name}) and CachedContent "
                f"({row.model}) has to be the same.",
            )
        counts = orjson.loads(row.tokens)
        return Tokens({Modality(int(kind)): number for kind, number in counts.items()})


def _check_input(total: int) -> None:
    if total > MAX_INPUT_TOKENS:
        raise Refusal(
            400,
            f"The input token count ({total}) exceeds the maximum number of tokens allowed "
            f"({MAX_INPUT_TOKENS}).",
        )


def _usage(fresh: Tokens, cached: Tokens, text: str, *, numbers: bool) -> Message:
    """The prompt's count includes the cached part."""
    prompt, answer = (fresh + cached).total(), text_tokens(text)
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": answer,
        "totalTokenCount": prompt + answer,
        "promptTokensDetails": _details(fresh + cached, numbers=numbers),
        **_cached_part(cached, numbers=numbers),
    }


def _cached_part(cached: Tokens, *, numbers: bool) -> Message:
    if not cached:
        return {}
    return {
        "cachedContentTokenCount": cached.total(),
        "cacheTokensDetails": _details(cached, numbers=numbers),
    }


def _details(tokens: Tokens, *, numbers: bool) -> list[Message]:
    return [
        {"modality": _spell(kind, numbers=numbers), "tokenCount": number}
        for kind, number in sorted(tokens.items())
    ]


def _spell(value: IntEnum, *, numbers: bool) -> str | int:
    return int(value) if numbers else value.name
