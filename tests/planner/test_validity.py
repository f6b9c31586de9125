"""Until when a plan is true, and when the first of what it keeps is due."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest

from provisioner.model import Desired, LiveCache, Plan, Recorded, Settings, Until
from provisioner.planner import next_refresh, plan, valid_until
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, noted, recorded, state

A, B = desired("a"), desired("b")
ONCE = Settings(keep="once")
PROTECTED = Settings(refresh_before=HOUR, protect=True)
ENDING = Until(NOW + 3 * HOUR)


def planned(
    want: Sequence[Desired],
    records: Sequence[Recorded],
    seen: Sequence[LiveCache],
    now: datetime = NOW,
) -> Plan:
    return plan(want, state(*records), seen, stack=STACK, now=now)


def test_a_moment_that_is_now() -> None:
    """A plan is valid until a moment that is still to come, or for ever."""
    low = live(A, expires_at=NOW)
    later = live(B, "cachedContents/2")

    assert valid_until(planned([A], [recorded(A)], [low])) is None
    assert valid_until(planned([A, B], [recorded(A)], [low, later])) == later.expires_at


@pytest.mark.parametrize(
    ("record", "seen", "until"),
    [
        (recorded(A, settings=PROTECTED), live(A), NOW + 5 * HOUR),
        (recorded(A, settings=Settings(keep="once", protect=True)), live(A), NOW + 6 * HOUR),
        (recorded(A, settings=PROTECTED, life=ENDING), live(A), NOW + 6 * HOUR),
    ],
)
def test_what_is_protected(record: Recorded, seen: LiveCache, until: datetime) -> None:
    """A removal that is refused is so until its cache is refreshed, or expires."""
    whole = planned([], [record], [seen])

    assert [change.verb for change in whole.changes] == ["blocked"]
    assert valid_until(whole) == until


def test_an_annotation_in_place_of_a_cache() -> None:
    """An annotation that takes the place of a cache does so at any time."""
    whole = planned([annotation("a")], [recorded(A)], [live(A)])

    assert [change.verb for change in whole.changes] == ["annotate"]
    assert valid_until(whole) is None


@pytest.mark.parametrize(
    ("whole", "due"),
    [
        (planned([], [], []), None),
        (planned([A], [recorded(A)], [live(A)]), NOW + 5 * HOUR),
        (
            planned(
                [A, B],
                [recorded(A), recorded(B, "cachedContents/2", expires_at=NOW + 4 * HOUR)],
                [live(A), live(B, "cachedContents/2", expires_at=NOW + 4 * HOUR)],
            ),
            NOW + 3 * HOUR,
        ),
        (planned([A, B], [recorded(A)], [live(A)]), NOW + 5 * HOUR),
        (
            planned([desired("a", settings=ONCE)], [recorded(A, settings=ONCE)], [live(A)]),
            None,
        ),
        (
            planned(
                [desired("a", settings=ONCE)],
                [recorded(A, settings=ONCE)],
                [],
                now=NOW + 9 * HOUR,
            ),
            None,
        ),
        (planned([annotation("n")], [noted(annotation("n"))], []), None),
        (planned([A], [recorded(A, settings=PROTECTED)], [live(A)]), None),
    ],
)
def test_next_refresh(whole: Plan, due: datetime | None) -> None:
    """The next refresh is that of the first window to open among the caches that are kept."""
    assert next_refresh(whole) == due
