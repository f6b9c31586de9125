"""The life of a cache, as its five verbs tell it."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from provisioner.emulator import Emulator
from tests.emulator.local import ENOUGH, MODEL, START, Api, Clock, cache, emulated, refused, user

GONE = "CachedContent not found (or permission denied)"


def test_created_cache_answers_with_output_fields_alone() -> None:
    """What was sent in to be cached never comes back, and nothing is null."""
    with emulated() as api:
        created = api.create(
            displayName="manual",
            systemInstruction=user("Be brief."),
            toolConfig={"functionCallingConfig": {"mode": "AUTO"}},
            ttl="7200s",
        )

    assert created == {
        "name": created["name"],
        "model": MODEL,
        "createTime": "2026-11-22T21:00:00Z",
        "updateTime": "2026-11-22T21:00:00Z",
        "expireTime": "2026-11-22T23:00:00Z",
        "displayName": "manual",
        "usageMetadata": {"totalTokenCount": 1253},
    }


def test_unset_display_name_is_empty() -> None:
    """A cache without a display name has an empty one, and lives an hour."""
    with emulated() as api:
        created = api.create()

    assert created["displayName"] == ""
    assert created["expireTime"] == "2026-11-22T22:00:00Z"


def test_get_and_list_say_the_same() -> None:
    """One cache has one answer, under every version of the API."""
    with emulated() as api:
        created = api.create()
        for version in ("v1", "v1beta", "v1alpha"):
            assert api("GET", created["name"], version=version).json() == created
            listed = api("GET", "cachedContents", version=version).json()
            assert listed == {"cachedContents": [created]}


def test_a_cache_may_end_on_a_model_turn() -> None:
    """Google's own ADK makes such caches; only a prompt has to end on what is to be answered."""
    answer = {"role": "model", "parts": [{"text": "A"}]}
    with emulated() as api:
        created = api.create(contents=[user(ENOUGH), answer])

        assert api.names() == [created["name"]]


def test_equal_creates_make_two_caches() -> None:
    """Create is not idempotent, and a display name is not unique."""
    with emulated() as api:
        first, second = api.create(displayName="x"), api.create(displayName="x")

        assert api.names() == [second["name"], first["name"]]


@pytest.mark.parametrize(
    ("sent", "expires"),
    [
        ({"ttl": "0.5s"}, "2026-11-22T21:00:00.500Z"),
        ({"ttl": "120.000000000s"}, "2026-11-22T21:02:00Z"),
        ({"ttl": "1.000001s"}, "2026-11-22T21:00:01.000001Z"),
        ({"ttl": "1.000000001s"}, "2026-11-22T21:00:01.000000001Z"),
        ({"ttl": None, "expireTime": None}, "2026-11-22T22:00:00Z"),
        ({"ttl": None, "expire_time": "2030-01-01T00:00:00Z"}, "2030-01-01T00:00:00Z"),
        ({"expireTime": "2030-01-01T02:00:00.123456789+02:00"}, "2030-01-01T00:00:00.123456789Z"),
        ({"expireTime": "9999-12-31T23:59:59Z"}, "9999-12-31T23:59:59Z"),
    ],
)
def test_expiry_is_what_was_asked(sent: dict[str, Any], expires: str) -> None:
    """The expiry keeps all nine digits that were asked for, and shows no more than it needs."""
    with emulated() as api:
        created = api.create(**sent)

        assert created["expireTime"] == expires
        assert api("GET", created["name"]).json() == created


@pytest.mark.parametrize("life", [{"expireTime": "2020-01-01T00:00:00Z"}, {"ttl": "-1s"}])
def test_past_expiry_is_accepted_and_never_seen(life: dict[str, str]) -> None:
    """A cache that is born expired is created, and gone."""
    with emulated() as api:
        created = api.create(**life)

        assert api.names() == []
        assert refused(api("DELETE", created["name"])) == (403, "PERMISSION_DENIED", GONE)


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_missing_and_expired_are_alike(method: str) -> None:
    """Missing, deleted and expired caches are a 403 without details."""
    with emulated() as api:
        expired, deleted = api.create(ttl="60s"), api.create()
        api.clock.advance(timedelta(seconds=60))
        api("DELETE", deleted["name"])
        body = {"ttl": "60s"} if method == "PATCH" else None
        for name in (expired["name"], deleted["name"], "cachedContents/nonsense"):
            answer = api(method, name, body)

            assert refused(answer) == (403, "PERMISSION_DENIED", GONE)
            assert "details" not in answer.json()["error"]


def test_cache_lives_until_its_last_moment() -> None:
    """A cache is listed as long as its expiry lies ahead, and not a moment longer."""
    with emulated() as api:
        created = api.create(ttl="60s")
        api.clock.advance(timedelta(seconds=59, microseconds=999_999))
        assert api.names() == [created["name"]]

        api.clock.advance(timedelta(microseconds=1))
        assert api.names() == []


@pytest.mark.parametrize(
    ("path", "body", "expires"),
    [
        ("", {"ttl": "600s"}, "2026-11-22T21:11:00Z"),
        ("?updateMask=ttl", {"ttl": "600s"}, "2026-11-22T21:11:00Z"),
        ("?updateMask=ttl", {"ttl": "600s", "displayName": "b"}, "2026-11-22T21:11:00Z"),
        ("?updateMask=ttl,expireTime", {"ttl": "600s"}, "2026-11-22T21:11:00Z"),
        ("?updateMask=*", {"ttl": "600s"}, "2026-11-22T21:11:00Z"),
        ("", {"expire_time": "2026-12-01T00:00:00Z"}, "2026-12-01T00:00:00Z"),
        ("?updateMask=expireTime", {"expireTime": "2026-12-01T00:00:00Z"}, "2026-12-01T00:00:00Z"),
        ("?update_mask=expire_time", {"expireTime": "2026-12-01T00:00:00Z", "createTime": None},
         "2026-12-01T00:00:00Z"),
    ],
)  # fmt: skip
def test_patch_moves_the_expiry(path: str, body: dict[str, Any], expires: str) -> None:
    """A PATCH counts from its own moment and changes nothing but the two times."""
    with emulated() as api:
        created = api.create(displayName="a")
        api.clock.advance(timedelta(minutes=1))

        patched = api("PATCH", created["name"] + path, body).json()

        assert patched == created | {"expireTime": expires, "updateTime": "2026-11-22T21:01:00Z"}
        assert api("GET", created["name"]).json() == patched


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("", {"name": "cachedContents/x", "ttl": "1s"},
         "oneof field '_name' is already set. Cannot set 'name'"),
        ("", {"displayName": "b", "ttl": "1s"}, "can be updated, not display_name."),
        ("", {"model": MODEL}, "not model."),
        ("", {"contents": [user("new")]}, "not contents."),
        ("?updateMask=displayName", {"displayName": "b"}, "not display_name."),
        ("?updateMask=nonsense", {"ttl": "1s"}, "Invalid field mask path: nonsense"),
        ("?updateMask=expireTime", {"ttl": "1s"}, "Nothing to update"),
        ("", {}, "Nothing to update"),
        ("", None, "Nothing to update"),
        ("", {"ttl": "1s", "expireTime": "2030-01-01T00:00:00Z"}, "oneof field 'expiration'"),
        ("", {"ttl": "315576000000s"}, "out of range"),
    ],
)  # fmt: skip
def test_patch_refuses_everything_else(path: str, body: Any, words: str) -> None:  # noqa: ANN401
    """Nothing but the expiration can be changed, and a refused PATCH changes nothing."""
    with emulated() as api:
        created = api.create(displayName="a")

        code, status, message = refused(api("PATCH", created["name"] + path, body))

        assert (code, status) == (400, "INVALID_ARGUMENT")
        assert words in message
        assert api("GET", created["name"]).json() == created


def test_delete_is_for_good() -> None:
    """A deleted cache answers with an empty object once, and is gone afterwards."""
    with emulated() as api:
        created = api.create()

        assert api("DELETE", created["name"]).json() == {}
        assert refused(api("DELETE", created["name"]))[0] == 403
        assert api.names() == []


def test_min_tokens_overrides_the_table() -> None:
    """An emulator takes a smallest cache of its own."""
    with emulated(min_tokens=3) as api:
        assert api.create(contents=[user("nine char")])["usageMetadata"]["totalTokenCount"] == 3
        message = refused(api("POST", "cachedContents", cache(contents=[user("x")])))[2]

    assert message.endswith("total_token_count=1, min_total_token_count=3")


def test_wire_spellings_make_one_cache() -> None:
    """Snake case, enumerations as numbers, single values for lists: all are the same cache."""
    schema = {"type": 6, "properties": {"id": {"type": "string"}}}
    declaration = {"name": "find", "parameters": schema, "behavior": None}
    with emulated() as api:
        created = api.create(
            display_name="x",
            system_instruction={"parts": {"text": "Be brief."}},
            tools={"function_declarations": declaration},
            tool_config={"function_calling_config": {"mode": 1}},
            contents={"parts": [{"text": ENOUGH}, {"inline_data": {
                "mime_type": "text/plain", "data": "_-8"}}]},
        )  # fmt: skip

    assert created["displayName"] == "x"
    assert created["usageMetadata"]["totalTokenCount"] > 1250


def test_creation_takes_some_of_the_life() -> None:
    """The life counts from the arrival of the request, so it ends before creation plus ttl."""
    ticks = (START + timedelta(milliseconds=400 * n) for n in range(10))
    with closing(Emulator(clock=lambda: next(ticks))) as emulator:
        created = Api(emulator, Clock()).create(ttl="60s")

    assert created["createTime"] == created["updateTime"] == "2026-11-22T21:00:00.400Z"
    assert created["expireTime"] == "2026-11-22T21:01:00Z"


def test_caches_outlive_the_server(tmp_path: Path) -> None:
    """What one server made in a file, the next one has."""
    store = tmp_path / "deep" / "caches.sqlite"
    with emulated(store) as api:
        created = api.create()
    with emulated(store) as api:
        assert api("GET", created["name"]).json() == created
