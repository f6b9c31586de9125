"""How fast one verb may go: what is learned, and never exceeded."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.providers.gemini.pace import MINUTE, MOST_UNDER_WAY, Pace
from tests.providers.gemini.virtual import Quota, creates, demanded


@pytest.mark.parametrize(("number", "a_minute"), [(40, 10), (200, 100), (60, 20)])
@pytest.mark.parametrize("way", [0.005, 0.1])
@pytest.mark.parametrize("hint", [None, 1.0, 3.0, 34.0, "true"])
def test_what_a_quota_demands(
    number: int, a_minute: int, way: float, hint: float | str | None
) -> None:
    """Creates take a tenth longer at most than the quota demands, and few are refused."""
    quota = Quota(
        a_minute, way=way, hint=lambda free: free + 0.5 if isinstance(hint, str) else hint
    )

    seconds = creates(quota, number)

    assert seconds <= 1.1 * demanded(number, a_minute)
    assert len(quota.refused) <= 0.05 * (number + len(quota.refused))


def test_without_a_quota() -> None:
    """Two hundred creates take less than half of what eight at a time take."""
    assert creates(Quota(), 200) < creates(Quota(), 200, at_once=8) / 2


def test_a_quota_that_another_run_used_up() -> None:
    """What was learned while another run used the quota is doubted within minutes."""
    quota = Quota(100)
    quota.arrivals = deque([0.0] * 97)

    seconds = creates(quota, 300)

    assert seconds <= demanded(300, 100) + 5 * MINUTE
    assert len(quota.refused) <= 0.05 * 300


EVENTS = st.lists(
    st.tuples(
        st.floats(0, 30),
        st.sampled_from(["start", "start", "succeed", "succeed", "fail", "refuse"]),
        st.none() | st.floats(0, 120),
    ),
    max_size=80,
)


@given(EVENTS)
def test_no_more_than_learned(events: list[tuple[float, str, float | None]]) -> None:
    """In no minute more requests start than were learned, while that is not in doubt."""
    pace, now = Pace(), 0.0
    tickets: list[int] = []
    for step, event, hint in events:
        now += step
        if event == "start" and pace.wait(now) == 0:
            full = pace.limit is not None and pace.started_since(now - MINUTE) >= pace.limit
            assert not full or pace.is_doubtful(now)
            tickets.append(pace.start(now))
        elif tickets and event != "start":
            ticket = tickets.pop(0)
            if event == "refuse":
                pace.refuse(ticket, now, hint)
                assert pace.quota_wait(now) >= (hint or 0) - 1e-6
            elif event == "succeed":
                pace.succeed(ticket, now)
            else:
                pace.fail(ticket)
        assert pace.under_way == len(tickets) <= MOST_UNDER_WAY


@given(EVENTS)
def test_every_wait_ends(events: list[tuple[float, str, float | None]]) -> None:
    """Once all requests have ended, the next one may start at a finite time."""
    pace, now = Pace(), 0.0
    tickets: list[int] = []
    for step, event, hint in events:
        now += step
        if event == "start" and pace.wait(now) == 0:
            tickets.append(pace.start(now))
        elif tickets and event == "refuse":
            pace.refuse(tickets.pop(0), now, hint)
    for ticket in tickets:
        pace.fail(ticket)
    for _ in range(1000):
        if (wait := pace.wait(now)) == 0:
            return
        assert wait <= 2 * MINUTE
        now += wait
    raise AssertionError("it waits for ever")
