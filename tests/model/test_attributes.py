"""Labels, lives and settings: what is read back, and which labels are equal."""

from __future__ import annotations

from datetime import UTC, timedelta
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import convert

from provisioner.model.attributes import (
    Label,
    Life,
    LifeFields,
    Settings,
    SettingsFields,
    Ttl,
    Until,
    life_fields,
    parse_window,
    settings_fields,
    window_text,
)

MARK = "0123456789abcdef"
PLAIN = Label("demo", "faq", MARK)
SENT = Label("demo", "faq", MARK, "abcd")

_WORDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,15}", fullmatch=True)
_LABELS = st.builds(
    Label,
    stack=_WORDS | st.builds("{}.{}".format, _WORDS, _WORDS),
    name=_WORDS,
    mark=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    letters=st.just("") | st.from_regex(r"[a-z]{4}", fullmatch=True),
)
_SPANS = st.integers(0, 10**9).map(lambda seconds: timedelta(seconds=seconds))
_SHARES = st.fractions(Fraction(1, 1000), Fraction(999, 1000), max_denominator=1000)
_WINDOWS = _SPANS | _SHARES
_LIVES = _SPANS.map(Ttl) | st.datetimes(timezones=st.just(UTC)).map(Until)
_SETTINGS = st.builds(
    Settings,
    refresh_before=_WINDOWS,
    retire_after=_SPANS,
    keep=st.sampled_from(["warm", "once"]),
    protect=st.booleans(),
)


@given(_LABELS)
def test_reads_back(label: Label) -> None:
    """Every label is read as it was written, its letters included."""
    read = Label.parse(str(label))

    assert read == label
    assert read is not None
    assert read.letters == label.letters


def test_equality() -> None:
    """The letters of a create do not tell two labels apart, as equals or as keys."""
    assert SENT == PLAIN
    assert {SENT: 1}[PLAIN] == 1
    assert str(SENT) != str(PLAIN)


@pytest.mark.parametrize("other", [Label("other", "faq", MARK), Label("demo", "b", MARK), "demo"])
def test_difference(other: object) -> None:
    """Another stack or another name makes another label."""
    assert other != SENT


def test_older_releases() -> None:
    """A label without letters, as older releases wrote it, is still a label."""
    assert Label.parse(f"ctxprov:demo/faq@{MARK}") == SENT


@pytest.mark.parametrize("end", ["~", "~abc", "~abcde", "~ABCD", "~abc1", "~abcd "])
def test_odd_letters(end: str) -> None:
    """What ends in anything but four letters is no label."""
    assert Label.parse(f"ctxprov:demo/faq@{MARK}{end}") is None


@given(_LIVES)
def test_lives_read_back(life: Life) -> None:
    """A life is read from its fields as it was written."""
    assert convert(life_fields(life), LifeFields).life() == life


@given(_SETTINGS)
def test_settings_read_back(settings: Settings) -> None:
    """Settings are read from their fields as they were written."""
    assert convert(settings_fields(settings), SettingsFields).settings() == settings


@given(_WINDOWS)
def test_windows_read_back(window: timedelta | Fraction) -> None:
    """A window is read from its text as it was written, a share exactly."""
    assert parse_window(window_text(window)) == window


@example(timedelta.max, timedelta(hours=2))
@given(_WINDOWS, _SPANS)
def test_half(window: timedelta | Fraction, granted: timedelta) -> None:
    """A cache is never refreshed before half of its granted life is over."""
    asked = Settings(refresh_before=window).window(granted)

    assert timedelta() <= asked <= granted / 2


@pytest.mark.parametrize("text", ["0%", "100%", "0/1", "1/0", "3/2", "-1%", "", "12", "1.5h", "%"])
def test_no_window(text: str) -> None:
    """A share lies between nothing and the whole; anything else is a duration or refused."""
    with pytest.raises(ValueError, match=r"share|duration|invalid literal"):
        parse_window(text)


@pytest.mark.parametrize(
    "fields", [None, {}, {"ttl": 1}, {"ttl": "1h", "keep": "warm"}, {"expires_at": None}, "1h"]
)
def test_no_settings(fields: dict[str, str] | None) -> None:
    """Fields that are no settings, and no life, are refused."""
    for shape in (SettingsFields, LifeFields):
        with pytest.raises(ValueError, match=r"Expected|Object|a life is"):
            convert(fields, shape)
