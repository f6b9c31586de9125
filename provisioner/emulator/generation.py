"""`models`, `countTokens` and `generateContent`: as much of them as caches are used through.

It decides when a cache fits a request, and what the usage says. It refuses to think: the answer
to every prompt is its size.
"""

from __future__ import annotations

import secrets
from typing import Final

import orjson

from provisioner.emulator.caches import Caches
from provisioner.emulator.calls import Call, Operation, Verb, page_token, parse_page
from provisioner.emulator.errors import Refusal
from provisioner.emulator.models import (
    MAX_INPUT_TOKENS,
    MODELS,
    Modality,
    Model,
    Tokens,
    check_prompt,
    check_turn,
    count,
    find_model,
    text_tokens,
)
from provisioner.emulator.wire import Message, parse_body

_REQUEST: Final = "GenerateContentRequest"
_IN_CACHE: Final = ("systemInstruction", "tools", "toolConfig")


class Generation:
    def __init__(self, caches: Caches) -> None:
        self._caches = caches

    @property
    def verbs(self) -> dict[Operation, Verb]:
        return {
            Operation.LIST_MODELS: _list_models,
            Operation.GET_MODEL: _get_model,
            Operation.COUNT_TOKENS: self._count_tokens,
            Operation.GENERATE_CONTENT: self._generate,
        }

    def _count_tokens(self, call: Call) -> bytes:
        model = find_model(f"models/{call.name}", call.version, "countTokens")
        asked = parse_body("CountTokensRequest", call.body)
        wrapped = asked.get("generateContentRequest")
        if wrapped is not None and "model" not in wrapped:
            raise Refusal(400, "* CountTokensRequest.generate_content_request.model: required\n")
        fresh, cached = self._counts(asked if wrapped is None else wrapped, model)
        answer = {
            "totalTokens": (fresh + cached).total(),
            "promptTokensDetails": _details(fresh + cached, call),
            **_cached_part(cached, call),
        }
        return orjson.dumps(answer)

    def _generate(self, call: Call) -> bytes:
        model = find_model(f"models/{call.name}", call.version, "generateContent")
        prompt = parse_body(_REQUEST, call.body)
        check_turn(prompt)
        fresh, cached = self._counts(prompt, model)
        total, hits = (fresh + cached).total(), cached.total()
        if total > MAX_INPUT_TOKENS:
            raise Refusal(
                400,
                f"The input token count ({total}) exceeds the maximum number of tokens allowed "
                f"({MAX_INPUT_TOKENS}).",
            )
        text = f"An emulated answer to {total} prompt tokens, {hits} of them cached."
        candidate = {
            "content": {"parts": [{"text": text}], "role": "model"},
            "finishReason": 1 if call.wants_numbers else "STOP",
            "index": 0,
        }
        answer = {
            "candidates": [candidate],
            "usageMetadata": _usage(fresh, cached, text, call),
            "modelVersion": call.name,
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


def _list_models(call: Call) -> bytes:
    page = parse_page(call)
    start = page.after or 0
    models = [model.answer() for model in MODELS.values()]
    shown, rest = models[start : start + page.size], models[start + page.size :]
    token = {"nextPageToken": page_token(start + page.size)} if rest else {}
    return orjson.dumps({"models": shown, **token} if shown else {})


def _get_model(call: Call) -> bytes:
    return orjson.dumps(find_model(f"models/{call.name}", call.version, "generateContent").answer())


def _usage(fresh: Tokens, cached: Tokens, text: str, call: Call) -> Message:
    """The prompt's count includes the cached part."""
    prompt, answer = (fresh + cached).total(), text_tokens(text)
    return {
        "promptTokenCount": prompt,
        "candidatesTokenCount": answer,
        "totalTokenCount": prompt + answer,
        "promptTokensDetails": _details(fresh + cached, call),
        **_cached_part(cached, call),
    }


def _cached_part(cached: Tokens, call: Call) -> Message:
    if not cached:
        return {}
    return {
        "cachedContentTokenCount": cached.total(),
        "cacheTokensDetails": _details(cached, call),
    }


def _details(tokens: Tokens, call: Call) -> list[Message]:
    return [
        {"modality": int(kind) if call.wants_numbers else kind.name, "tokenCount": number}
        for kind, number in sorted(tokens.items())
    ]
