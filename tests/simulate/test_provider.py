"""The model of the provider: what it answers, how a scenario bends it, and its twin."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx
import pytest
from msgspec import Struct
from msgspec.structs import replace

from provisioner.emulator import Emulator
from provisioner.times import parse_moment
from tests.simulate.fate import Verb
from tests.simulate.log import (
    EPOCH,
    CacheCreated,
    CacheDeleted,
    CacheExpired,
    CachePatched,
    CachesListed,
    Log,
)
from tests.simulate.provider import Provider
from tests.simulate.wire import WireReply, WireRequest, spell_content

MODEL = "models/gemini-3.8-flash"
TEXT = "word " * 1000
INLINE = {"mimeType": "text/plain", "data": base64.b64encode(TEXT.encode()).decode()}
GONE = "CachedContent not found (or permission denied)"


class Clock:
    """Virtual seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def moment(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)


class Api:
    """A provider, asked in JSON."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = Clock()
        self.log = Log()
        self.provider = Provider("demo", self.log, self.clock, Random(seed))  # noqa: S311  # a seed

    def __call__(self, method: str, path: str, body: object = None, **query: str) -> WireReply:
        return self.provider.handle(self.request(method, path, body, **query))

    def request(self, method: str, path: str, body: object = None, **query: str) -> WireRequest:
        return WireRequest(
            method=method,
            path=f"/v1beta/{path}",
            query=query,
            headers={"x-goog-api-key": self.provider.key},
            body=b"" if body is None else json.dumps(body).encode(),
            run=7,
            number=len(self.log.events) + 1,
        )

    def create(self, **fields: object) -> dict[str, Any]:
        return ok(self("POST", "cachedContents", cache(**fields)))

    def names(self, **query: str) -> list[str]:
        listed = ok(self("GET", "cachedContents", **query))
        return [cache["name"] for cache in listed.get("cachedContents", [])]


@pytest.fixture
def api() -> Api:
    return Api()


def turn(text: str, role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": [{"text": text}]}


def cache(**fields: object) -> dict[str, Any]:
    return {"model": MODEL, "contents": [turn(TEXT)], **fields}


def ok(reply: WireReply) -> dict[str, Any]:
    assert reply.status == 200, reply.body
    fields: dict[str, Any] = json.loads(reply.body)
    return fields


def refusal(reply: WireReply) -> tuple[int, str, str]:
    error = json.loads(reply.body)["error"]
    assert error["code"] == reply.status
    return error["code"], error["status"], error["message"]


def test_a_create_answers_with_a_cache_and_logs_its_content(api: Api) -> None:
    """The answer has no content; the log has it, with the run, the label and the end."""
    made = api.create(
        displayName="ctxprov:demo/faq", systemInstruction=turn("Be brief."), ttl="60s"
    )

    created = parse_moment(made["createTime"])
    assert timedelta() <= EPOCH - created < timedelta(milliseconds=1)
    assert made == {
        "name": made["name"],
        "model": MODEL,
        "createTime": made["createTime"],
        "updateTime": made["createTime"],
        "expireTime": made["expireTime"],
        "displayName": "ctxprov:demo/faq",
        "usageMetadata": {"totalTokenCount": 1253},
    }
    (event,) = api.log.events
    assert isinstance(event, CacheCreated)
    assert (event.request, event.run, event.project) == (1, 7, "demo")
    assert (event.cache, event.label) == (made["name"], "ctxprov:demo/faq")
    assert event.content == spell_content([TEXT], "Be brief.")
    assert 59.5 <= event.expires_at <= 59.7
    end = EPOCH + timedelta(seconds=event.expires_at)
    assert abs(parse_moment(made["expireTime"]) - end) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (cache(model="gemini-3.8-flash"), 400, "unexpected model name format"),
        (cache(model="models/gemini-0"), 404, "models/gemini-0 is not found"),
        (cache(contents=[turn("short")]), 400,
         "Cached content is too small. total_token_count=2, min_total_token_count=1024"),
        (cache(model="models/gemini-3.1-pro-preview"), 400, "min_total_token_count=4096"),
        (cache(contents=[turn("word " * 1_000_000)]), 400, "max_total_token_count=1048576"),
        (cache(displayName="x" * 129), 400, "length <= 128"),
        (cache(ttl="60s", expireTime="2030-01-01T00:00:00Z"), 400, "already set"),
        (cache(ttl="60"), 400, "duration must end with 's'"),
        (cache(expireTime="tomorrow"), 400, "Illegal timestamp format"),
        (cache(expireTime="2030-13-01T00:00:00Z"), 400, "Illegal timestamp format"),
        (cache(ttl="999999999999s"), 400, "out of range"),
        (cache(labels={}), 400, "unknown field `labels`"),
        ([], 400, "Invalid JSON payload"),
    ],
)  # fmt: skip
def test_a_create_that_makes_nothing_says_why(
    api: Api, body: object, status: int, message: str
) -> None:
    """A body that fits no cache is refused in Google's envelope, and nothing is logged."""
    code, _, text = refusal(api("POST", "cachedContents", body))

    assert code == status
    assert message in text
    assert api.log.events == []


def test_names_and_times_come_from_the_seed() -> None:
    """Two worlds of one seed answer alike, those of two seeds have no name in common."""
    assert Api(1).create() == Api(1).create()
    assert Api(1).create()["name"] != Api(2).create()["name"]


def test_a_key_opens_its_project_alone(api: Api) -> None:
    """No key is 403, another project's key is 400 with a reason."""
    request = api.request("GET", "cachedContents")
    keyless = api.provider.handle(replace(request, headers={}))
    foreign = api.provider.handle(replace(request, headers={"x-goog-api-key": "key-of-other"}))

    assert refusal(keyless)[:2] == (403, "PERMISSION_DENIED")
    assert refusal(foreign)[:2] == (400, "INVALID_ARGUMENT")
    assert json.loads(foreign.body)["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_a_cache_lives_until_its_end(api: Api) -> None:
    """A patch counts from now; past the end every verb finds nothing, and the log has the end."""
    name = api.create(ttl="60s")["name"]
    api.clock.seconds = 50
    patched = ok(api("PATCH", name, {"ttl": "100s"}, updateMask="ttl"))
    api.clock.seconds = 149
    got = ok(api("GET", name))
    api.clock.seconds = 150
    late = [refusal(api(method, name, {"ttl": "1s"} if method == "PATCH" else None))
            for method in ("GET", "PATCH", "DELETE")]  # fmt: skip

    assert got == patched
    assert parse_moment(patched["expireTime"]) == EPOCH + timedelta(seconds=150)
    assert patched["updateTime"] > patched["createTime"]
    assert late == [(403, "PERMISSION_DENIED", GONE)] * 3
    api.log.catch_up(150)
    _, patch, end = api.log.events
    assert isinstance(patch, CachePatched)
    assert patch.expires_at == 150
    assert end == CacheExpired(at=150, project="demo", cache=name)


def test_the_log_has_ends_in_the_order_of_time(api: Api) -> None:
    """The end of a cache stands before what happens after it, whichever comes first elsewhere."""
    other = Provider("other", api.log, api.clock, Random(2))  # noqa: S311  # a seed
    for provider, ttl in ((api.provider, 30), (other, 20), (api.provider, 10), (other, 90)):
        provider.create("", MODEL, TEXT, ttl)
    api.clock.seconds = 60
    api.provider.create("", MODEL, TEXT, 5)

    moments = [event.at for event in api.log.events]
    assert moments == [0, 0, 0, 0, 10, 20, 30, 60]


def test_a_moment_that_has_passed_makes_a_cache_that_is_gone(api: Api) -> None:
    """The create succeeds, and no verb finds the cache."""
    made = api.create(expireTime="2020-01-01T00:00:00Z")

    assert refusal(api("GET", made["name"]))[2] == GONE
    assert api.names() == []
    assert [type(event) for event in api.log.events] == [CacheCreated, CacheExpired, CachesListed]


def test_pages_hold_every_cache_once_the_newest_first(api: Api) -> None:
    """Tokens lead through all caches; the last page has none."""
    made = [api.create()["name"] for _ in range(5)]
    pages: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        page = ok(api("GET", "cachedContents", pageSize="2", **token))
        pages.append([cache["name"] for cache in page["cachedContents"]])
        if "nextPageToken" not in page:
            break
        token = {"pageToken": page["nextPageToken"]}

    assert pages == [[made[4], made[3]], [made[2], made[1]], [made[0]]]


def test_a_list_that_lags_shows_the_past(api: Api) -> None:
    """It shows caches that are gone and the lives they had, and no new ones; a GET is true."""
    gone, kept = api.create(ttl="3600s"), api.create(ttl="60s")
    api.clock.seconds = 30
    ok(api("DELETE", gone["name"]))
    ok(api("PATCH", kept["name"], {"ttl": "3600s"}))
    new = api.create()
    api.clock.seconds = 40
    api.provider.lag(20)

    listed = ok(api("GET", "cachedContents"))["cachedContents"]
    assert listed == [kept, gone]
    assert refusal(api("GET", gone["name"]))[0] == 403
    assert ok(api("GET", new["name"])) == new
    event = next(event for event in reversed(api.log.events) if isinstance(event, CachesListed))
    assert event.shown == (kept["name"], gone["name"])
    assert event.alive == (new["name"], kept["name"])


def test_a_list_that_lies_leaves_caches_out(api: Api) -> None:
    """About the given share is missing from each page, and is alive all the same."""
    made = {api.create()["name"] for _ in range(200)}
    api.provider.hide(0.5)
    shown = api.names(pageSize="1000")

    assert 60 < len(shown) < 140
    assert {cache.name for cache in api.provider.alive()} == made


def test_answers_may_name_another_model_and_grant_less(api: Api) -> None:
    """Every verb reports the other model, and no life is longer than the server's longest."""
    api.provider.echo("models/gemini-3.8-flash-001")
    api.provider.clamp(600)
    made = api.create(ttl="3600s")
    patched = ok(api("PATCH", made["name"], {"ttl": "7200s"}))

    for answer in (made, patched):
        assert answer["model"] == "models/gemini-3.8-flash-001"
        assert parse_moment(answer["expireTime"]) == EPOCH + timedelta(seconds=600)
    created = api.log.events[0]
    assert isinstance(created, CacheCreated)
    assert created.model == MODEL


def test_a_quota_lets_so_many_through_in_a_minute(api: Api) -> None:
    """What is refused does not count, and the hint says when the next is let through."""
    api.provider.quota(Verb.CREATE, 2)
    api.create()
    api.clock.seconds = 10
    api.create()
    reply = api("POST", "cachedContents", cache())

    assert refusal(reply)[:2] == (429, "RESOURCE_EXHAUSTED")
    assert json.loads(reply.body)["error"]["details"][0]["retryDelay"] == "50.001s"
    assert len(api.names()) == 2
    api.clock.seconds += 50.001
    api.create()


def test_a_full_storage_takes_no_more(api: Api) -> None:
    """A create beyond the stored tokens is refused until a cache is gone."""
    api.provider.storage(2000)
    name = api.create()["name"]
    assert "limit=2000, requested=1250" in refusal(api("POST", "cachedContents", cache()))[2]
    ok(api("DELETE", name))
    api.create()


def test_the_date_is_of_the_servers_own_clock(api: Api) -> None:
    """It may be off, or not there at all."""
    api.clock.seconds = 59.9
    dates = [api("GET", "cachedContents").headers.get("date")]
    api.provider.date_offset(-3600)
    dates.append(api("GET", "cachedContents").headers.get("date"))
    api.provider.date_offset(None)
    dates.append(api("GET", "cachedContents").headers.get("date"))

    assert dates == ["Wed, 20 Jan 2027 12:00:59 GMT", "Wed, 20 Jan 2027 11:00:59 GMT", None]


def test_another_program_makes_and_deletes_caches(api: Api) -> None:
    """What no run did stands in the log as of run 0."""
    name = api.provider.create("ctxprov:demo/faq@0", MODEL, TEXT, 60)

    assert api.names() == [name]
    assert api.provider.delete(name)
    assert not api.provider.delete(name)
    made, _, deleted = api.log.events
    assert isinstance(made, CacheCreated)
    assert isinstance(deleted, CacheDeleted)
    assert (made.run, deleted.run, deleted.cache) == (0, 0, name)


# --- the emulator is a second opinion ------------------------------------------------------------


class Step(Struct, frozen=True, kw_only=True):
    """One request of a recorded sequence, and how much time passes before it."""

    method: str
    path: str = "cachedContents"
    cache: int | None = None
    """Which of the caches made so far the path names."""
    body: object = None
    query: Mapping[str, str] = {}
    key: str | None = "key-of-demo"
    passes: float = 0.0


def recorded(seed: int) -> Iterator[Step]:
    """Creates, lists, gets, patches, deletes and counts as a client sends them, and worse."""
    random = Random(seed)  # noqa: S311  # a seed
    made = 0
    for _ in range(60):
        step = random.choice(STEPS)(random, made)
        made += step.method == "POST" and step.path == "cachedContents"
        yield replace(step, passes=random.choice((0, 0, 1, 30, 400)))


def _created(random: Random, _: int) -> Step:
    life = random.choice(LIVES)
    text = random.choice((TEXT, TEXT, TEXT * 2, "short", ""))
    fields = random.choice(FIELDS)
    return Step(method="POST", body={**cache(contents=[turn(text)]), **life, **fields})


def _listed(random: Random, _: int) -> Step:
    sizes = random.choice(PAGES)
    return Step(method="GET", query=sizes)


def _named(random: Random, made: int) -> Step:
    number = random.randrange(made) if made and random.random() < 0.9 else None
    path = "cachedContents/neverMade"
    match random.choice(("GET", "PATCH", "PATCH", "DELETE")):
        case "PATCH":
            mask = random.choice(MASKS)
            body = random.choice((*LIVES, {"name": "x", "ttl": "60s"}, {"displayName": "x"}))
            return Step(method="PATCH", path=path, cache=number, body=body, query=mask)
        case method:
            return Step(method=method, path=path, cache=number)


def _counted(random: Random, _: int) -> Step:
    body = random.choice(
        (
            {"contents": [turn(TEXT)]},
            {"generateContentRequest": cache(systemInstruction=turn("Be brief."))},
            {"generateContentRequest": {"contents": [turn(TEXT)]}},
            {"generateContentRequest": {"model": MODEL}},
            {},
        )
    )
    model = random.choice((MODEL, MODEL, "models/gemini-0"))
    return Step(method="POST", path=f"{model}:countTokens", body=body)


def _misled(random: Random, made: int) -> Step:
    step = _named(random, made)
    return random.choice(
        (
            replace(step, key=None),
            replace(step, key="key-of-other"),
            Step(method="POST", path="cachedContents", body=None),
            Step(method="POST", path="cachedContents", body=[]),
            Step(method="PUT", path="cachedContents/x"),
            Step(method="GET", path="cachedContents/a/b"),
            Step(method="GET", path="nonsense"),
        )
    )


STEPS: tuple[Callable[[Random, int], Step], ...] = (
    *(_created,) * 4,
    *(_listed,) * 2,
    *(_named,) * 5,
    _counted,
    _misled,
)
PAGES: tuple[dict[str, str], ...] = (
    *({}, {"pageSize": "2"}, {"pageSize": "9999"}) * 2,
    {"pageSize": "-1"},
    {"pageSize": "two"},
    {"pageToken": "AA=="},
    {"filter": "x"},
)
MASKS: tuple[dict[str, str], ...] = (
    *({}, {"updateMask": "ttl"}, {"updateMask": "expireTime"}) * 2,
    {"updateMask": "*"},
    {"updateMask": "model"},
)
LIVES: tuple[Mapping[str, object], ...] = (
    {"ttl": "600s"},
    {"ttl": "60s"},
    {"ttl": "3600.000000001s"},
    {"expireTime": "2027-01-20T13:00:00Z"},
    {"expireTime": "2027-01-20T15:00:00.123456789+02:00"},
    {"expireTime": "2020-01-01T00:00:00Z"},
    {"ttl": "60"},
    {"expireTime": "soon"},
    {"ttl": "60s", "expireTime": "2027-01-20T13:00:00Z"},
    {"ttl": "315576000001s"},
    {},
)
FIELDS: tuple[Mapping[str, object], ...] = (
    *({"displayName": "ctxprov:demo/faq@0123456789abcdef~abcd"},) * 6,
    {},
    {"systemInstruction": turn("Be brief.")},
    {"systemInstruction": {"parts": [{"inlineData": {"mimeType": "text/plain", "data": ""}}]}},
    {"tools": [{"functionDeclarations": [{"name": "look", "description": "Looks."}]}]},
    {"contents": [turn(TEXT), {"parts": [{"inlineData": INLINE}]}]},
    {"displayName": "x" * 128},
    {"displayName": "x" * 129},
    {"model": "models/gemini-3.1-pro-preview"},
    {"model": "models/gemini-0"},
    {"model": "gemini-3.8-flash"},
    {"model": None},
    {"contents": [turn(TEXT), turn(TEXT, role="model")]},
    {"contents": [turn(TEXT, role="robot")]},
    {"contents": [{"role": "user", "parts": []}]},
    {"contents": [{"role": "user", "parts": [{}]}]},
    {"contents": [], "systemInstruction": turn(TEXT)},
    {"surprise": 1},
    {"displayName": 1},
    {"usageMetadata": {}},
)


async def answers_of_the_emulator(steps: list[Step]) -> list[WireReply]:
    """The emulator's answers, in this program and at the moments of the sequence."""
    clock = Clock()
    emulator = Emulator(clock=clock.moment, api_keys=["key-of-demo"])
    names: list[str] = []
    replies = []
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(emulator), base_url="http://emulator/v1beta/"
    ) as client:
        for step in steps:
            clock.seconds += step.passes
            response = await client.request(
                step.method,
                names[step.cache % len(names)] if step.cache is not None and names else step.path,
                params=dict(step.query),
                headers={"x-goog-api-key": step.key} if step.key else {},
                content=None if step.body is None else json.dumps(step.body).encode(),
            )
            replies.append(
                WireReply(
                    status=response.status_code,
                    headers=dict(response.headers),
                    body=response.content,
                )
            )
            if step.path == "cachedContents" and step.method == "POST" and response.is_success:
                names.append(response.json()["name"])
    emulator.close()
    return replies


def answers_of_the_model(steps: list[Step]) -> list[WireReply]:
    """The model's answers to the same, at the same moments."""
    api = Api()
    names: list[str] = []
    replies = []
    for step in steps:
        api.clock.seconds += step.passes
        path = names[step.cache % len(names)] if step.cache is not None and names else step.path
        request = api.request(step.method, path, step.body, **step.query)
        headers = {"x-goog-api-key": step.key} if step.key else {}
        reply = api.provider.handle(replace(request, headers=headers))
        replies.append(reply)
        if step.path == "cachedContents" and step.method == "POST" and reply.status == 200:
            names.append(json.loads(reply.body)["name"])
    return replies


def comparable(replies: list[WireReply]) -> list[object]:
    """The answers, with caches numbered, tokens of pages left out and times in whole seconds."""
    numbers: dict[str, int] = {}

    def plain(key: str, value: Any) -> object:  # noqa: ANN401  # JSON
        match key, value:
            case "name", name:
                return numbers.setdefault(name, len(numbers))
            case (("createTime" | "updateTime" | "expireTime"), text):
                return (parse_moment(text) - EPOCH + timedelta(seconds=0.6)) // timedelta(seconds=1)
            case "nextPageToken", _:
                return True
            case _:
                return value

    def answer(reply: WireReply) -> object:
        date = reply.headers["date"]
        if not reply.body.startswith(b"{"):
            return reply.status, reply.headers["content-type"].lower(), date
        fields = json.loads(reply.body)
        match fields:
            case {"error": error}:
                return error["code"], error["status"], date
            case {"cachedContents": caches}:
                fields["cachedContents"] = [
                    {key: plain(key, value) for key, value in cache.items()} for cache in caches
                ]
            case {"promptTokensDetails": _, "totalTokens": total}:
                fields = {"totalTokens": total}
            case _:
                pass
        return {key: plain(key, value) for key, value in fields.items()}, date

    return [answer(reply) for reply in replies]


@pytest.mark.parametrize("seed", range(20))
def test_the_emulator_agrees(seed: int) -> None:
    """A recorded sequence has the same statuses, codes and values in both, in each answer."""
    steps = [*recorded(seed)]

    emulated = comparable(asyncio.run(answers_of_the_emulator(steps)))
    modelled = comparable(answers_of_the_model(steps))

    for step, mine, twin in zip(steps, modelled, emulated, strict=True):
        assert mine == twin, step
