"""Durations and moments as text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.times import (
    duration_text,
    moment_text,
    parse_duration,
    parse_moment,
    read_http_date,
)

SPANS = st.integers(0, 10**9).map(lambda seconds: timedelta(seconds=seconds))
MOMENTS = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("90m", 5_400),
        ("1h30m", 5_400),
        ("30m1h", 5_400),
        ("1d12h", 129_600),
        ("1h1h", 7_200),
        ("007s", 7),
    ],
)
def test_durations(text: str, seconds: int) -> None:
    """A duration is the sum of its numbers, in any order."""
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "h", "-1h", "1.5h", "1 h", "1h ", "1H", "1w", "1h\n", "٣h", "9" * 10 + "s"]
)
def test_bad_durations(text: str) -> None:
    """Anything else is refused with what a duration looks like."""
    with pytest.raises(ValueError, match="such as 90m"):
        parse_duration(text)


def test_a_duration_without_end() -> None:
    """A duration that no clock will see the end of is refused."""
    with pytest.raises(ValueError, match="longer than 999,999,999 days"):
        parse_duration("999999999d" * 2)


@given(SPANS)
def test_durations_survive_their_text(span: timedelta) -> None:
    """A duration of whole seconds is read back as it was written."""
    assert parse_duration(duration_text(span)) == span


def test_the_shortest_spelling() -> None:
    """The largest units come first, fractions and debts are cut."""
    assert duration_text(timedelta(days=1, hours=12)) == "1d12h"
    assert duration_text(timedelta(hours=24, seconds=1, microseconds=5)) == "1d1s"
    assert duration_text(timedelta(seconds=-5)) == duration_text(timedelta()) == "0s"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T21:00:00Z", datetime(2026, 11, 22, 21, tzinfo=UTC)),
        ("2026-11-22t21:00:00z", datetime(2026, 11, 22, 21, tzinfo=UTC)),
        ("2026-11-22T21:00:00.5Z", datetime(2026, 11, 22, 21, 0, 0, 500_000, UTC)),
        ("2026-11-22T21:00:00.123456789Z", datetime(2026, 11, 22, 21, 0, 0, 123_456, UTC)),
        ("2026-11-22T23:30:00+02:30", datetime(2026, 11, 22, 21, tzinfo=UTC)),
        ("2026-11-22T21:00:00-00:00", datetime(2026, 11, 22, 21, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    """A moment of any offset and up to nine digits of fraction comes out as UTC."""
    read = parse_moment(text)

    assert (read, read.tzinfo) == (moment, UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22T21:00:00",
        "2026-11-22 21:00:00Z",
        "2026-11-22T21:00Z",
        "2026-11-22T21:00:00.Z",
        "2026-11-22T21:00:00.1234567890Z",
        "2026-11-22T21:00:00Z\n",
        "2026-13-22T21:00:00Z",
        "2026-11-22T25:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "2026-11-22T21:00:00+99:99",
        "٢٠٢٦-11-22T21:00:00Z",
    ],
)
def test_bad_moments(text: str) -> None:
    """Anything else is refused, a moment without an offset included."""
    with pytest.raises(ValueError, match=r"."):
        parse_moment(text)


@given(MOMENTS)
def test_moments_survive_their_text(moment: datetime) -> None:
    """A moment is read back as it was written, to the microsecond."""
    assert parse_moment(moment_text(moment)) == moment


class Moment(datetime):
    """A moment of another library, as pendulum's are."""


@given(MOMENTS)
def test_moments_of_other_libraries(moment: datetime) -> None:
    """A subclass of datetime is spelled as the moment that it is."""
    other = Moment.fromisoformat(moment.isoformat())

    assert moment_text(other) == moment_text(moment)


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is a value or a ValueError."""
    for parse in (parse_duration, parse_moment):
        try:
            parse(text)
        except ValueError:
            continue


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 22 Nov 2026 21:00:30 GMT", datetime(2026, 11, 22, 21, 0, 30, tzinfo=UTC)),
        ("Sun, 22 Nov 2026 21:00:30 -0000", datetime(2026, 11, 22, 21, 0, 30, tzinfo=UTC)),
        ("Sun, 22 Nov 2026 23:00:30 +0200", datetime(2026, 11, 22, 21, 0, 30, tzinfo=UTC)),
        ("Sun, 22 Nov 99999 20:00:00 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_dates_of_headers(text: str, moment: datetime | None) -> None:
    """The date of a header is UTC, and anything else is as if it were not there."""
    assert read_http_date(text) == moment
