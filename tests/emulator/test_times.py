"""Moments and durations, as Google's JSON spells them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.emulator.times import (
    is_moment,
    nanoseconds,
    parse_duration,
    parse_moment,
    spell_moment,
)


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_800 * 10**9 - 1))
def test_moments_survive_their_spelling(moment: int) -> None:
    """Every nanosecond of the years 1 to 9999 is read as it was written."""
    assert is_moment(moment)
    assert parse_moment(spell_moment(moment)) == moment


@given(st.datetimes(timezones=st.just(UTC)))
def test_clock_and_wire_agree(now: datetime) -> None:
    """A datetime and its spelling are one moment, to the microsecond."""
    assert parse_moment(now.isoformat()) == nanoseconds(now)


@pytest.mark.parametrize(
    ("fraction", "spelled"),
    [
        (0, "Z"),
        (1, ".000000001Z"),
        (1_000, ".000001Z"),
        (500_000_000, ".500Z"),
        (123_456_000, ".123456Z"),
    ],
)
def test_digits_come_in_threes(fraction: int, spelled: str) -> None:
    """A moment is spelled with 0, 3, 6 or 9 digits, as few as hold it."""
    assert spell_moment(fraction) == f"1970-01-01T00:00:00{spelled}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2030-01-01",
        "2030-01-01T00:00:00",
        "2030-01-01 00:00:00Z",
        "2030-01-01T00:00:00.Z",
        "2030-01-01T00:00:00.0123456789Z",
        "2030-01-01T24:00:00Z",
        "2030-01-01T00:00:00+24:00",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "٢٠٣٠-01-01T00:00:00Z",
    ],
)
def test_other_moments_are_refused(text: str) -> None:
    """What is not RFC 3339, or outside of the years that it has, is no moment."""
    with pytest.raises(ValueError, match=r"timestamp|range|day|hour"):
        parse_moment(text)


def test_durations() -> None:
    """A duration is seconds with up to nine digits, of either sign."""
    assert parse_duration("90s") == 90 * 10**9
    assert parse_duration("-0.000000001s") == -1
    for text in ("90", "1m", "s", ".5s", "1e3s", "+1s", "1.s"):
        with pytest.raises(ValueError, match="must end with 's'"):
            parse_duration(text)
