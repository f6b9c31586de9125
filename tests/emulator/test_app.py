"""What every call goes through: path, key, query, faults, and the count of requests."""

from __future__ import annotations

import asyncio
import errno
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import HTMLResponse, Response

from provisioner.emulator import Broken, Call, CarryOut, Operation, Refusal
from tests.emulator.local import cache, emulated, served


def error_of(answer: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


@pytest.mark.parametrize(
    ("method", "path", "version"),
    [
        ("GET", "nonsense", "v1beta"),
        ("GET", "cachedContents", "v2"),
        ("GET", "cachedContents/", "v1beta"),
        ("GET", "cachedContents/a/b", "v1beta"),
        ("PUT", "cachedContents/a", "v1beta"),
        ("DELETE", "cachedContents", "v1beta"),
        ("POST", "models/gemini-3.8-flash", "v1beta"),
        ("POST", "models/gemini-3.8-flash:nonsense", "v1beta"),
        ("POST", "models/:countTokens", "v1beta"),
        ("GET", "", "v1beta"),
    ],
)
def test_paths_outside_the_api_are_pages(method: str, path: str, version: str) -> None:
    """A path or method that does not exist is a 404 in HTML, as a web front end says it."""
    with emulated() as api:
        answer = api(method, path, version=version)

    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")


def test_bad_key_is_a_400() -> None:
    """A key that is not accepted is an invalid argument with a reason, for every call."""
    with emulated(api_keys=("right",)) as api:
        answer = api("GET", "cachedContents/x", headers={"x-goog-api-key": "wrong"})

        assert answer.status_code == 400
        assert error_of(answer)["status"] == "INVALID_ARGUMENT"
        assert error_of(answer)["details"][0]["reason"] == "API_KEY_INVALID"
        assert "wrong" not in answer.text
        assert "right" not in answer.text


@pytest.mark.parametrize("headers", [{}, {"x-goog-api-key": ""}])
def test_missing_key_is_a_403(headers: dict[str, str]) -> None:
    """A request without a key is refused, even where any key would do."""
    with emulated() as api:
        answer = api("GET", "cachedContents", headers=headers)

    assert answer.status_code == 403
    assert error_of(answer)["status"] == "PERMISSION_DENIED"


def test_accepted_keys_open() -> None:
    """One of several keys is enough, in the header or in the query."""
    with emulated(api_keys=("one", "two")) as api:
        assert api("GET", "cachedContents", headers={"x-goog-api-key": "two"}).json() == {}
        assert api("GET", "cachedContents?key=one", headers={}).json() == {}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("$alt=json", 200),
        ("$alt=json;enum-encoding=int", 200),
        ("%24alt=json%3Benum-encoding%3Dint&prettyPrint=false&quotaUser=me", 200),
        ("alt=xml", 400),
        ("alt=sse", 400),
        ("nonsense=1", 400),
        ("updateMask=ttl", 400),
    ],
)
def test_common_parameters(query: str, status: int) -> None:
    """The parameters that every Google method takes are taken; others do not bind."""
    with emulated() as api:
        assert api("GET", f"cachedContents?{query}").status_code == status


def test_requests_are_counted_by_operation() -> None:
    """Every request that arrives is counted, also those that fail or go nowhere."""
    with emulated() as api:
        name = api.create()["name"]
        for method, path in (("GET", name), ("GET", "cachedContents"), ("GET", "cachedContents")):
            api(method, path)
        api("DELETE", "cachedContents/none")
        api("GET", "nowhere")

        assert api.emulator.requests == {
            "create": 1, "get": 1, "list": 2, "delete": 1, "unknown": 1,
        }  # fmt: skip


async def lose_created(call: Call, carry_out: CarryOut) -> Response:
    answer = await carry_out()
    if call.operation is Operation.CREATE:
        raise httpx.ReadError("connection reset")
    return answer


def test_lost_answer_leaves_the_work_done() -> None:
    """A create whose answer is lost has made its cache; the client sees its own error."""
    with emulated(faults=lose_created) as api:
        with pytest.raises(httpx.ReadError):
            api.create()

        assert len(api.names()) == 1


def test_fault_before_leaves_the_work_undone() -> None:
    """A quota error is answered with both of Google's hints, and nothing was done."""

    async def quota(call: Call, carry_out: CarryOut) -> Response:
        if call.operation is Operation.CREATE:
            raise Refusal(429, "Quota exceeded.", retry_after=1.5)
        return await carry_out()

    with emulated(faults=quota) as api:
        answer = api("POST", "cachedContents", cache())

        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "2"
        assert error_of(answer)["status"] == "RESOURCE_EXHAUSTED"
        assert error_of(answer)["details"] == [
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s"}
        ]
        assert api.names() == []


def test_fault_may_replace_what_it_has_seen() -> None:
    """A fault sees the body that came in and the answer, refusals included, that would go out."""
    seen: list[tuple[bytes, int]] = []

    async def proxy(call: Call, carry_out: CarryOut) -> Response:
        seen.append((call.body, (await carry_out()).status_code))
        return HTMLResponse("<h1>Bad gateway</h1>", 502)

    with emulated(faults=proxy) as api:
        answer = api("POST", "cachedContents", b"{}")

    assert (answer.status_code, answer.text) == (502, "<h1>Bad gateway</h1>")
    assert seen == [(b"{}", 400)]


def test_a_slow_answer_holds_up_no_other() -> None:
    """While one answer waits, another call is served."""
    order: list[str] = []

    async def scenario() -> None:
        held, released = asyncio.Event(), asyncio.Event()

        async def slow(call: Call, carry_out: CarryOut) -> Response:
            if call.operation is Operation.LIST:
                held.set()
                await released.wait()
            return await carry_out()

        with emulated(faults=slow) as api:
            transport = httpx.ASGITransport(api.emulator)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://emulator/v1beta", headers=api.headers
            ) as client:

                async def get(path: str) -> None:
                    await client.get(path)
                    order.append(path)

                waiting = asyncio.create_task(get("/cachedContents"))
                await held.wait()
                await get("/models")
                released.set()
                await waiting

    asyncio.run(scenario())
    assert order == ["/models", "/cachedContents"]


def test_broken_answer_breaks_the_connection() -> None:
    """Over a socket an answer can end in the middle, after the work was done."""

    async def cut(call: Call, carry_out: CarryOut) -> Response:
        answer = await carry_out()
        return Broken() if call.operation is Operation.CREATE else answer

    with emulated(faults=cut) as api, served(api.emulator) as url:
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.post(f"{url}/v1beta/cachedContents", json=cache(), headers=api.headers)
        listed = httpx.get(f"{url}/v1beta/cachedContents", headers=api.headers)

    assert len(listed.json()["cachedContents"]) == 1


def test_store_that_fails_is_unavailable(tmp_path: Path) -> None:
    """A store that stops working is a 503, and not a crash."""
    store = tmp_path / "caches.sqlite"
    with emulated(store) as api:
        db = sqlite3.connect(store, isolation_level=None)
        db.execute("DROP TABLE caches")
        db.close()
        answer = api("GET", "cachedContents")

    assert answer.status_code == 503
    assert error_of(answer)["status"] == "UNAVAILABLE"


def test_other_protocols_are_refused() -> None:
    """The application speaks HTTP alone; a lifespan is not its business."""

    async def lifespan() -> None:
        async def nothing(*_: Any) -> Any:  # noqa: ANN401  (never called)
            raise OSError(errno.EPIPE, "unused")

        with emulated() as api:
            await api.emulator({"type": "lifespan"}, nothing, nothing)

    with pytest.raises(NotImplementedError):
        asyncio.run(lifespan())
