"""Models, counting and answering: as far as a cache is used through them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.emulator.local import ENOUGH, MODEL, emulated, user

QUESTION = {"contents": [user("Why is that?")]}
TEXT = [{"modality": "TEXT", "tokenCount": 3}]


def message_of(answer: Any) -> str:  # noqa: ANN401  (an HTTP answer)
    text: str = answer.json()["error"]["message"]
    return text


def test_models_tell_which_can_be_cached() -> None:
    """A model with implicit caching alone does not offer to create caches."""
    with emulated() as api:
        models = {each["name"]: each for each in api("GET", "models").json()["models"]}
        argon = api("GET", "models/gemini-4-argon").json()

    assert "createCachedContent" in models[MODEL]["supportedGenerationMethods"]
    assert "createCachedContent" not in argon["supportedGenerationMethods"]
    assert models["models/gemini-4-argon"] == argon
    assert models[MODEL]["inputTokenLimit"] == 1_048_576


def test_models_are_paged() -> None:
    """Pages of models join to the whole list."""
    with emulated() as api:
        whole = api("GET", "models").json()
        first = api("GET", "models?pageSize=4").json()
        token = first["nextPageToken"].replace("+", "%2B")
        rest = api("GET", f"models?pageToken={token}").json()

    assert first["models"] + rest["models"] == whole["models"]
    assert "nextPageToken" not in rest


def test_unknown_model_is_not_found() -> None:
    """A model that does not exist is a 404, for each method of it."""
    with emulated() as api:
        for method, path in (
            ("GET", "models/gpt"),
            ("POST", "models/gpt:countTokens"),
            ("POST", "models/gpt:generateContent"),
        ):
            answer = api(method, path, QUESTION if method == "POST" else None, version="v1")

            assert answer.status_code == 404
            assert "models/gpt is not found for API version v1," in message_of(answer)


def test_contents_are_counted() -> None:
    """Counting contents counts them alone; the wrapped request, where there is one, wins."""
    wrapped = {"model": MODEL, "systemInstruction": user("Be brief."), **QUESTION}
    with emulated() as api:
        plain = api("POST", "models/gemini-3.8-flash:countTokens", QUESTION).json()
        whole = api(
            "POST",
            "models/gemini-3.8-flash:countTokens",
            {"contents": [user(ENOUGH)], "generateContentRequest": wrapped},
        ).json()

    assert plain == {"totalTokens": 3, "promptTokensDetails": TEXT}
    assert whole == {
        "totalTokens": 6, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 6}]
    }  # fmt: skip


def test_counting_agrees_with_creating() -> None:
    """What is counted before is what a cache of it holds."""
    image = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    content = {
        "contents": [{"role": "user", "parts": [{"text": ENOUGH}, image]}],
        "systemInstruction": user("Be brief."),
        "tools": [{"functionDeclarations": [{"name": "find", "description": "A clause"}]}],
    }
    with emulated() as api:
        counted = api(
            "POST",
            "models/gemini-3.8-flash:countTokens",
            {"generateContentRequest": {"model": MODEL, **content}},
        ).json()
        created = api.create(**content)

    assert counted["totalTokens"] == created["usageMetadata"]["totalTokenCount"]
    assert {"modality": "IMAGE", "tokenCount": 258} in counted["promptTokensDetails"]


def test_answer_counts_the_cached_part_in() -> None:
    """The prompt's count includes what came from the cache, which is counted once more alone."""
    with emulated() as api:
        cached = api.create()["name"]
        body = {"cachedContent": cached, "tools": [], **QUESTION}
        answer = api("POST", "models/gemini-3.8-flash:generateContent", body).json()
        counted = api(
            "POST",
            "models/gemini-3.8-flash:countTokens",
            {"generateContentRequest": {"model": MODEL, **body}},
        ).json()

    usage, candidate = answer["usageMetadata"], answer["candidates"][0]
    assert usage["promptTokenCount"] == counted["totalTokens"] == 1253
    assert usage["cachedContentTokenCount"] == counted["cachedContentTokenCount"] == 1250
    assert usage["cacheTokensDetails"] == [{"modality": "TEXT", "tokenCount": 1250}]
    assert usage["totalTokenCount"] == 1253 + usage["candidatesTokenCount"]
    assert candidate["finishReason"] == "STOP"
    assert "1253 prompt tokens, 1250 of them cached" in candidate["content"]["parts"][0]["text"]


def test_enumerations_can_be_numbers() -> None:
    """A request for enumerations as numbers gets them."""
    with emulated() as api:
        path = "models/gemini-3.8-flash:generateContent?$alt=json;enum-encoding=int"
        answer = api("POST", path, QUESTION).json()

    assert answer["candidates"][0]["finishReason"] == 1
    assert answer["usageMetadata"]["promptTokensDetails"] == [{"modality": 1, "tokenCount": 3}]


@pytest.mark.parametrize(
    "beside",
    [
        {"systemInstruction": user("x")},
        {"tools": [{"codeExecution": {}}]},
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    ],
)
@pytest.mark.parametrize("verb", ["generateContent", "countTokens"])
def test_cached_fields_are_not_sent_again(beside: dict[str, Any], verb: str) -> None:
    """System instruction, tools and their configuration belong to the cache."""
    with emulated() as api:
        body = {"cachedContent": api.create()["name"], **QUESTION, **beside}
        if verb == "countTokens":
            body = {"generateContentRequest": {"model": MODEL, **body}}
        answer = api("POST", f"models/gemini-3.8-flash:{verb}", body)

    assert answer.status_code == 400
    assert message_of(answer).startswith("CachedContent can not be used with GenerateContent")


def test_cache_is_of_one_model() -> None:
    """Another model cannot use the cache."""
    with emulated() as api:
        body = {"cachedContent": api.create()["name"], **QUESTION}
        answer = api("POST", "models/gemini-2.5-pro:generateContent", body)

    assert answer.status_code == 400
    assert message_of(answer) == (
        "Model used by GenerateContent request (models/gemini-2.5-pro) and CachedContent "
        "(models/gemini-3.8-flash) has to be the same."
    )


def test_dead_cache_answers_nothing() -> None:
    """An expired cache, or one that never was, is a 403 here too."""
    with emulated() as api:
        expired = api.create(ttl="60s")["name"]
        api.clock.advance(timedelta(minutes=1))
        for name in (expired, "cachedContents/none", "none", "models/x"):
            body = {"cachedContent": name, **QUESTION}
            answer = api("POST", "models/gemini-3.8-flash:generateContent", body)

            assert answer.status_code == 403
            assert message_of(answer) == "CachedContent not found (or permission denied)"


@pytest.mark.parametrize(
    ("verb", "body", "words"),
    [
        ("generateContent", {}, "contents is not specified"),
        ("generateContent", {"cachedContent": "cachedContents/x"}, "contents is not specified"),
        ("generateContent", {"contents": [{"role": "model", "parts": [{"text": "A"}]}]},
         "Requests ending with a model turn are not supported."),
        ("generateContent", {"contents": [user("word" * 1_048_577)]},
         "The input token count (1048577) exceeds"),
        ("generateContent", {"contents": [user("x")], "nonsense": 1},
         'Unknown name "nonsense": Cannot find field.'),
        ("countTokens", {}, "contents is not specified"),
        ("countTokens", {"generateContentRequest": QUESTION}, "model: required"),
        ("countTokens", {"systemInstruction": user("x")}, 'Unknown name "systemInstruction"'),
    ],
)  # fmt: skip
def test_prompts_that_are_refused(verb: str, body: dict[str, Any], words: str) -> None:
    """A prompt that the server would not take is a 400 that says why."""
    with emulated() as api:
        answer = api("POST", f"models/gemini-3.8-flash:{verb}", body)

    assert answer.status_code == 400
    assert words in message_of(answer)
