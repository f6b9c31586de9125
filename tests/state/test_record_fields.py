"""A record survives the way into the file of a state and back."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from msgspec.structs import replace

from provisioner.cache import OpenAIHandle
from provisioner.documents import Fault
from provisioner.model.records import Recorded
from provisioner.state.record_fields import RetiringFields, parse_record, record_json
from provisioner.times import moment_text
from tests.builders import annotation, desired, noted, recorded, retiring
from tests.state import strategies

TRIAGE = noted(annotation("triage", provider="openai", handle=OpenAIHandle("k", {"ttl": "30m"})))


@given(
    strategies.caches("a", "cachedContents/1")
    | strategies.noted("a", "claude")
    | strategies.noted("a", "openai")
)
def test_a_record_is_read_as_it_was(record: Recorded) -> None:
    """A cache and an annotation come back as they were written."""
    assert parse_record("a", record_json(record)) == record


@given(strategies.retiring("a", "cachedContents/1"))
def test_a_retiring_cache_is_read_as_it_was(cache: object) -> None:
    """So does a cache that is retiring."""
    fields = RetiringFields.of(cache)  # type: ignore[arg-type]  # as its strategy makes it
    raw = msgspec.json.encode(fields)

    assert msgspec.json.decode(raw, type=RetiringFields).cache("cachedContents/1") == cache


@given(st.sampled_from(["handle", '"handle"', 'a\\"handle\\":']))
def test_a_path_may_have_any_name(path: str) -> None:
    """What the content of a cache is called does not make an annotation of it."""
    record = recorded(desired("a"))
    measure = replace(record.measure, paths=(path,), pieces={path: "0" * 12})
    cache = replace(record, measure=measure)

    assert parse_record("a", record_json(cache)) == cache


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"digest": "AB" * 32}, "digest: this must be a SHA-256 as hexadecimal digits"),
        ({"digest": "ab" * 32 + "\n"}, "digest: this must be a SHA-256 as hexadecimal digits"),
        ({"updated_at": "2026-01-01T00:00:00"}, "updated_at: a moment is RFC 3339 with an offset"),
        ({"updated_at": "2026-01-01 00:00:00Z"}, "updated_at: a moment is RFC 3339"),
        ({"size": True}, "size: this must be a whole number from 0 to 2"),
        ({"tokens": 1.0}, "tokens: this must be a whole number from 0 to 2"),
        ({"provider": "claude"}, "handle: this is no handle of claude"),
        ({"handle": None}, "handle: this is not a handle"),
        ({"handle": {"provider": "openai", "more": 1}}, "handle.more: this key is unknown"),
        ({"life": {"ttl": "1y"}}, "life.ttl: a duration is"),
        ({"pieces": {"a": "0"}}, "pieces.a: this must be the first 12 digits of a digest"),
    ],
)
def test_a_wrong_annotation(changes: dict[str, object], sentence: str) -> None:
    """A value of an annotation that is wrong is named with its path."""
    fields = {**json.loads(bytes(record_json(TRIAGE))), **changes}

    with pytest.raises(Fault, match=sentence):
        parse_record("triage", Raw(json.dumps(fields).encode()))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"created_at": "9999-12-31T23:59:59-23:00"}, "created_at: this moment lies outside"),
        ({"life": {}}, "life: a life is a ttl or an expires_at"),
        (
            {"life": {"ttl": "1h", "expires_at": "2026-01-01T00:00:00Z"}},
            "life: a life is a ttl or an expires_at",
        ),
        ({"id": "cachedContents/a?b"}, "id: this must be the id of a cache"),
        ({"provider": "openai"}, "provider: openai keeps no caches"),
        ({"warmed_at": 1}, "warmed_at: this key is unknown"),
    ],
)
def test_a_wrong_cache(changes: dict[str, object], sentence: str) -> None:
    """So is that of a cache."""
    fields = {**json.loads(bytes(record_json(recorded(desired("a"))))), **changes}

    with pytest.raises(Fault, match=sentence):
        parse_record("a", Raw(json.dumps(fields).encode()))


def test_the_end_that_is_not_decided() -> None:
    """A retiring cache whose end the server has not named has null there."""
    fields = RetiringFields.of(replace(retiring(desired("a")), expires_at=None))

    assert json.loads(msgspec.json.encode(fields))["expires_at"] is None


class OtherClock(datetime):
    """A moment of a clock that tests set."""


@given(strategies.moments)
def test_a_moment_is_spelled_one_way(moment: datetime) -> None:
    """However fast it is spelled, a moment has the text that every other document gives it."""
    other = OtherClock.combine(moment.date(), moment.timetz())
    for updated_at in (moment, other, moment.astimezone(timezone(timedelta(hours=-2)))):
        raw = record_json(recorded(desired("a"), updated_at=updated_at))

        assert json.loads(bytes(raw))["updated_at"] == moment_text(moment)
