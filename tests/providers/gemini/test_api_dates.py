"""What answers say of the time, and how two clocks are compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cache import CachedContext, GeminiHandle
from provisioner.operations.observe import clock_of
from provisioner.providers.gemini.api import ServerDate, later_date, read_server_date

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
BOOT = 1_000.0


def cached(at: datetime) -> CachedContext:
    return CachedContext(
        handle=GeminiHandle("cachedContents/1", at + HOUR),
        model="gemini-3.8-flash",
        display_name="",
        created_at=at,
        updated_at=at,
        expires_at=at + HOUR,
        token_count=1,
    )


@pytest.mark.parametrize(
    ("age", "expected"), [("", NOON), ("90", NOON + 90 * SECOND), ("-1", NOON), ("x" * 99, NOON)]
)
def test_age(age: str, expected: datetime) -> None:
    """An answer that a cache in between gave is as old as its Age says."""
    headers = {"date": format_datetime(NOON, usegmt=True), "age": age}

    dated = read_server_date(headers, sent=1.0, received=2.0)

    assert dated
    assert dated.date == expected


@pytest.mark.parametrize("date", ["", "soon", "Mon, 01 Jan 9999 00:00:00 GMT", "\0"])
def test_no_date(date: str) -> None:
    """What is no date of this time tells none."""
    assert read_server_date({"date": date}, sent=1.0, received=2.0) is None


def test_the_latest() -> None:
    """Of two answers the one that puts the present later is believed."""
    early = ServerDate(date=NOON, sent=1.0, received=2.0)
    late = ServerDate(date=NOON + 5 * SECOND, sent=3.0, received=4.0)

    assert later_date(early, late) is later_date(late, early) is late
    assert later_date(None, early) is later_date(early, None) is early


@given(offset=st.timedeltas(timedelta(days=-400), timedelta(days=400)), took=st.floats(0, 60))
def test_any_local_clock(offset: timedelta, took: float) -> None:
    """The provider's now is the same under any local clock, even one that is set meanwhile."""
    dated = ServerDate(date=NOON, sent=BOOT - took, received=BOOT)
    local = NOON + offset

    clock = clock_of(dated, [], where="there", local=local + 60 * SECOND, boot=BOOT + 60)

    there = local + 60 * SECOND + clock.ahead
    assert abs(there - (NOON + 60 * SECOND)) <= timedelta(seconds=took) + SECOND
    assert bool(clock.warning) is (abs(clock.ahead) > 120 * SECOND)


def test_within_the_interval() -> None:
    """A local clock differs only if the answer cannot have been written when it says."""
    dated = ServerDate(date=NOON, sent=BOOT - 30, received=BOOT)

    def ahead(local: datetime) -> timedelta:
        return clock_of(dated, [], where="there", local=local, boot=BOOT).ahead

    assert ahead(NOON) == ahead(NOON + 30 * SECOND) == timedelta()
    assert ahead(NOON - SECOND) == SECOND
    assert ahead(NOON + 90 * SECOND) == -90 * SECOND


def test_without_a_date() -> None:
    """Without a Date the newest time that a cache bears is the least that it can be."""
    behind = clock_of(None, [cached(NOON)], where="there", local=NOON - 3 * HOUR, boot=BOOT)
    fine = clock_of(None, [cached(NOON)], where="there", local=NOON + HOUR, boot=BOOT)

    assert behind.ahead == 3 * HOUR
    assert fine.ahead == timedelta()
    assert "bear no Date" in (fine.warning or "")


def test_a_date_before_the_newest_cache() -> None:
    """A Date before the time that a cache was made at is wrong."""
    dated = ServerDate(date=NOON - 24 * HOUR, sent=BOOT, received=BOOT)

    clock = clock_of(dated, [cached(NOON)], where="there", local=NOON + HOUR, boot=BOOT)

    assert clock.ahead == -HOUR
