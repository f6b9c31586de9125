"""Google's own SDK, whichever version is installed, against a served emulator.

`pip install "google-genai<2"` in another environment and this file hold the older line to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from tests.emulator.local import ENOUGH, MODEL, START, Api, emulated, served

pytestmark = [
    pytest.mark.filterwarnings("default"),  # the SDK warns of its own dependencies
    pytest.mark.heavy,  # it takes seconds to import
]

QUESTION = "Why?"


@cache
def genai() -> Any:  # noqa: ANN401  # whichever version is installed
    """The SDK, which takes seconds to import: only a worker that runs these tests pays them."""
    return pytest.importorskip("google.genai")


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with emulated(api_keys=("right",)) as api:
        api.headers["x-goog-api-key"] = "right"
        yield api


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    with served(api.emulator) as url:
        yield url


def client_of(url: str, version: str | None = None, key: str = "right") -> Any:  # noqa: ANN401
    """A client; without a version it speaks its own default. It closes when it is let go."""
    options = {"base_url": url} | ({"api_version": version} if version else {})
    return genai().Client(api_key=key, http_options=genai().types.HttpOptions(**options))


CONFIG: dict[str, Any] = {
    "display_name": "manual",
    "system_instruction": "Answer from the manual only.",
    "contents": [
        {"role": "user", "parts": [{"text": ENOUGH}]},
        {"role": "user", "parts": [{"inline_data": {
            "mime_type": "application/pdf", "data": b"/Type /Page \xfb\xff"}}]},
    ],
    "tools": [{"function_declarations": [{
        "name": "lookup", "description": "Find a clause",
        "parameters": {"type": "OBJECT", "properties": {"id": {"type": "STRING"}}},
    }]}],
    "tool_config": {"function_calling_config": {"mode": "AUTO"}},
    "ttl": "7200s",
}  # fmt: skip


def assert_created(created: Any) -> None:  # noqa: ANN401  (an SDK value)
    assert created.name.startswith("cachedContents/")
    assert (created.model, created.display_name) == (MODEL, "manual")
    assert created.create_time == created.update_time == START
    assert created.expire_time == START + timedelta(hours=2)
    assert created.usage_metadata.total_token_count > 1250 + 258


@pytest.mark.parametrize("version", [None, "v1", "v1beta"])
def test_sync_life(api: Api, url: str, version: str | None) -> None:
    """Create, get, list, update, count, use and delete, one call after the other."""
    client = client_of(url, version)
    created = client.caches.create(model="gemini-3.8-flash", config=CONFIG)
    assert_created(created)
    assert client.caches.get(name=created.name) == created
    assert created.name in [each.name for each in client.caches.list()]

    updated = client.caches.update(name=created.name, config={"ttl": "60s"})
    assert updated.expire_time == START + timedelta(minutes=1)
    later = datetime(2030, 1, 1, tzinfo=UTC)
    updated = client.caches.update(name=created.name, config={"expire_time": later})
    assert updated.expire_time == later

    answer = client.models.generate_content(
        model="gemini-3.8-flash", contents=QUESTION, config={"cached_content": created.name}
    )
    usage, cached = answer.usage_metadata, created.usage_metadata.total_token_count
    assert usage.cached_content_token_count == cached
    assert usage.prompt_token_count == cached + 1
    assert "emulated" in answer.text

    client.caches.delete(name=created.name)
    assert api.names() == []


def test_async_life(api: Api, url: str) -> None:
    """The same life through the asynchronous client."""

    async def live() -> None:
        client = client_of(url)
        caches = client.aio.caches
        created = await caches.create(model=MODEL, config=CONFIG)
        assert_created(created)
        assert await caches.get(name=created.name) == created
        updated = await caches.update(name=created.name, config={"ttl": "60s"})
        assert updated.expire_time == START + timedelta(minutes=1)
        assert [each.name async for each in await caches.list()] == [created.name]
        answer = await client.aio.models.generate_content(
            model=MODEL, contents=QUESTION, config={"cached_content": created.name}
        )
        assert answer.usage_metadata.cached_content_token_count > 1250
        await caches.delete(name=created.name)
        with pytest.raises(genai().errors.ClientError):
            await caches.get(name=created.name)
        await close(client)

    asyncio.run(live())
    assert api.names() == []


async def close(client: Any) -> None:  # noqa: ANN401  (an SDK value)
    """Older versions have nothing to close."""
    if hasattr(client.aio, "aclose"):
        await client.aio.aclose()


def test_pager_drains_the_pages(api: Api, url: str) -> None:
    """The pager asks for page after page, with the tokens that it was given."""
    client = client_of(url)
    names = [client.caches.create(model=MODEL, config=CONFIG).name for _ in range(7)][::-1]
    before = api.emulator.requests["list"]

    listed = [each.name for each in client.caches.list(config={"page_size": 3})]

    assert listed == names
    assert api.emulator.requests["list"] == before + 3
    for name in names:
        client.caches.delete(name=name)


def test_models_and_counts(url: str) -> None:
    """The SDK reads the models and counts tokens."""
    client = client_of(url)

    assert MODEL in [model.name for model in client.models.list()]
    assert client.models.get(model="gemini-3.8-flash").input_token_limit == 1_048_576
    assert client.models.count_tokens(model=MODEL, contents=ENOUGH).total_tokens == 1250


@pytest.mark.parametrize(
    ("key", "config", "code", "status", "words"),
    [
        ("wrong", CONFIG, 400, "INVALID_ARGUMENT", "API key not valid"),
        ("right", CONFIG | {"contents": QUESTION, "tools": None}, 400, "INVALID_ARGUMENT",
         "too small"),
        ("right", CONFIG | {"expire_time": "2030-01-01T00:00:00Z"}, 400, "INVALID_ARGUMENT",
         "oneof field 'expiration' is already set"),
        ("right", CONFIG | {"display_name": "x" * 129}, 400, "INVALID_ARGUMENT", "128"),
    ],
)  # fmt: skip
def test_errors_are_the_sdks_own(
    url: str, key: str, config: dict[str, Any], code: int, status: str, words: str
) -> None:
    """A refused call raises the SDK's client error, with code, status and message."""
    client = client_of(url, key=key)
    with pytest.raises(genai().errors.ClientError) as caught:
        client.caches.create(model=MODEL, config=config)

    assert (caught.value.code, caught.value.status) == (code, status)
    assert words in caught.value.message


@pytest.mark.parametrize("verb", ["get", "update", "delete"])
def test_missing_cache_is_permission_denied(url: str, verb: str) -> None:
    """To the SDK, too, a missing cache is a 403."""
    client = client_of(url)
    config = {"config": {"ttl": "1s"}} if verb == "update" else {}
    with pytest.raises(genai().errors.ClientError) as caught:
        getattr(client.caches, verb)(name="none", **config)

    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
