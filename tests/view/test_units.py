"""Numbers read well: two digits that matter, one unit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.view.units import bytes_text, moment_short, span_text, tokens_text, when

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (8_149, "8.1 kB"),
        (9_960, "10 kB"),
        (812_345, "812 kB"),
        (999_600, "1.0 MB"),
        (1_234_567, "1.2 MB"),
        (5 * 10**15, "5000 TB"),
    ],
)
def test_bytes(size: int, text: str) -> None:
    """Bytes have decimal units; a decimal only below ten."""
    assert bytes_text(size) == text


@pytest.mark.parametrize(
    ("count", "text"), [(97, "97"), (4_096, "4.1k"), (201_499, "201k"), (1_200_000, "1.2M")]
)
def test_tokens(count: int, text: str) -> None:
    """Tokens are counted in k and M; an estimate says so."""
    assert tokens_text(count) == text
    assert tokens_text(count, estimated=True) == f"~{text}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0s"),
        (59, "59s"),
        (60, "1m"),
        (3_599, "59m 59s"),
        (12_000, "3h 20m"),
        (86_399, "23h 59m"),
        (86_405, "1d"),
        (200_000, "2d 7h"),
    ],
)
def test_spans(seconds: int, text: str) -> None:
    """A span has at most two units, the second only if there is any of it."""
    assert span_text(timedelta(seconds=seconds)) == text


@given(st.integers(0, 10**8))
def test_spans_are_short(seconds: int) -> None:
    """However long, a span fits its column."""
    assert len(span_text(timedelta(seconds=seconds))) <= len("1157d 23h")


def test_moments_have_a_date_only_when_it_is_another() -> None:
    """A moment of today shows its hour, one of another day its date, and all are in UTC."""
    later = NOON + timedelta(hours=3, minutes=20)
    tomorrow = NOON + timedelta(days=1)

    assert when(later, at=NOON) == "15:20Z (in 3h 20m)"
    assert moment_short(tomorrow, at=NOON) == "2026-01-02 12:00Z"
