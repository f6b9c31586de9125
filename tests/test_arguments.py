"""Arguments of the wrong type, named before they do harm."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import MappingProxyType

import pytest

from provisioner.arguments import (
    check_bounded_span,
    check_environ,
    check_flag,
    check_given,
    check_mapping,
    check_moment,
    check_number,
    check_sequence,
    check_span,
    check_text,
    names_of,
)
from provisioner.times import HORIZON

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def test_the_right_types() -> None:
    """What an argument may be is accepted without a word."""
    check_text("model", "")
    check_span("ttl", timedelta())
    check_moment("expires_at", NOON)
    check_sequence("parts", ())
    check_mapping("tool_config", MappingProxyType({}))
    check_given("state", None)
    check_flag("prune", False)  # noqa: FBT003  # what is checked
    check_number("max_caches", 10**6, at_least=1)
    check_bounded_span("max_wait", HORIZON)
    check_environ("environ", {"CI": ""})
    assert names_of("targets", ["a"]) == ("a",)


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


WRONG: list[tuple[Callable[[], object], type[Exception], str]] = [
    (lambda: check_given("state", ""), ValueError, "state is empty: leave it out"),
    (lambda: check_flag("prune", "no"), TypeError, "prune is a bool; got str"),
    (lambda: check_flag("prune", 1), TypeError, "prune is a bool; got int"),
    (lambda: check_number("n", "1", at_least=1), TypeError, "n is an int; got str"),
    (lambda: check_number("n", 0, at_least=1), ValueError, "n is 0: give a number from 1 on"),
    (lambda: check_number("n", 9, at_least=1, at_most=8), ValueError, "give a number from 1 to 8"),
    (lambda: check_bounded_span("t", 60), TypeError, "timedelta(seconds=60)?"),
    (lambda: check_bounded_span("t", -HORIZON), ValueError, "give a timedelta from 0s to 3650d"),
    (lambda: check_environ("environ", []), TypeError, "environ is a mapping; got list"),
    (lambda: check_environ("environ", {1: ""}), TypeError, "it has 1 to str"),
    (lambda: names_of("targets", "a"), TypeError, "targets is a sequence; got str"),
]


@pytest.mark.parametrize(("check", "kind", "sentence"), WRONG, ids=[row[2] for row in WRONG])
def test_wrong_arguments(check: Callable[[], object], kind: type[Exception], sentence: str) -> None:
    """An argument of another type is a TypeError, one beyond its bounds a ValueError."""
    with pytest.raises(kind, match=re.escape(sentence)):
        check()


def test_no_value_of_an_environment_is_shown() -> None:
    """A key that came as bytes is named by its variable alone."""
    with pytest.raises(TypeError, match=r"it has 'GEMINI_API_KEY' to bytes$"):
        check_environ("environ", {"GEMINI_API_KEY": b"secret"})
