"""Arguments of the wrong type, named before they do harm."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from provisioner.arguments import (
    check_mapping,
    check_moment,
    check_sequence,
    check_span,
    check_text,
)

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_right_types() -> None:
    """What an argument may be is accepted without a word."""
    check_text("model", "")
    check_span("ttl", timedelta())
    check_moment("expires_at", NOON)
    check_sequence("parts", ())
    check_mapping("tool_config", MappingProxyType({}))


@pytest.mark.parametrize(
    ("span", "sentence"),
    [
        (3600, "ttl is a timedelta; got int 3600: timedelta(seconds=3600)?"),
        (0.5, "ttl is a timedelta; got float 0.5: timedelta(seconds=0.5)?"),
        (True, "ttl is a timedelta; got bool"),
        (None, "ttl is a timedelta; got NoneType"),
        ("1h", "ttl is a timedelta; got str"),
    ],
)
def test_spans(span: object, sentence: str) -> None:
    """A number of seconds comes back as the timedelta that was probably meant."""
    with pytest.raises(TypeError) as error:
        check_span("ttl", span)
    assert str(error.value) == sentence


@pytest.mark.parametrize(
    ("moment", "sentence"),
    [
        (
            "2026-11-22",
            "at is an aware datetime; got str: datetime.fromisoformat('2026-11-22')?",
        ),
        ("x" * 41, "at is an aware datetime; got str"),
        (timedelta(1), "at is an aware datetime; got timedelta: ttl=?"),
        (1.0, "at is an aware datetime; got float"),
    ],
)
def test_moments(moment: object, sentence: str) -> None:
    """A short text comes back as the call that reads it, a long one is not shown."""
    with pytest.raises(TypeError) as error:
        check_moment("at", moment)
    assert str(error.value) == sentence


@pytest.mark.parametrize("value", ["text", b"bytes", {1}, 1])
def test_sequences(value: object) -> None:
    """One text is no sequence of texts."""
    with pytest.raises(TypeError, match=r"parts is a sequence; got \w+: \(…,\)\?"):
        check_sequence("parts", value)


def test_text_and_mappings() -> None:
    """The type that came is named, its value is not."""
    with pytest.raises(TypeError, match=r"^api_key is a str; got bytes$"):
        check_text("api_key", b"secret")
    with pytest.raises(TypeError, match=r"^tools is a mapping; got list$"):
        check_mapping("tools", [])
