"""Simulated futures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model.attributes import Measure, Settings, Ttl, Until
from provisioner.model.records import Desired
from provisioner.operations.forecast import forecast, tolerance
from provisioner.times import HORIZON
from provisioner.view.forecast import Forecast
from tests.builders import HOUR, NOW, STACK, annotation, desired
from tests.pricing.prices import MILLION, dollars, lookup

DAY = 24 * HOUR
WARM = desired("a", life=Ttl(12 * HOUR), settings=Settings())
SHORT = desired("s", life=Ttl(HOUR * 3 / 4), settings=Settings())
ONCE = desired("o", settings=Settings(keep="once"))
FIXED = desired("f", life=Until(NOW + 3 * DAY))


def run(
    *want: Desired, span: timedelta = 4 * DAY, every: timedelta = HOUR / 2, miss_rate: float = 0
) -> Forecast:
    return forecast(
        want, stack=STACK, now=NOW, span=span, every=every, miss_rate=miss_rate, lookup=lookup
    )


def test_a_steady_schedule() -> None:
    """Four days of half-hourly runs refresh a 12h cache twelve times and never let it go cold."""
    (outlook,) = run(WARM).outlooks

    assert (outlook.refreshes, outlook.creations, outlook.cold) == (12, 0, timedelta())


def test_too_rare_a_schedule() -> None:
    """An hourly schedule cannot keep a 45m ttl warm: a quarter of the time it is cold."""
    (outlook,) = run(SHORT, every=HOUR, span=DAY).outlooks

    assert outlook.refreshes == 0
    assert outlook.creations == 24
    assert outlook.cold == 24 * HOUR / 4


def test_no_schedule_at_all() -> None:
    """If every run is missed, the cache lives once and is cold from then on."""
    future = run(WARM, miss_rate=1)

    assert future.runs == 0
    assert future.outlooks[0].cold == 4 * DAY - 12 * HOUR


def test_what_is_not_kept_warm() -> None:
    """A cache that is made once, and one with a fixed end, are never made again."""
    for outlook in run(ONCE, FIXED).outlooks:
        assert (outlook.refreshes, outlook.creations) == (0, 0)


def test_the_first_of_all_moments() -> None:
    """A cache whose end lies as far back as time itself is as dead as any other."""
    (outlook,) = run(desired("f", life=Until(datetime.min.replace(tzinfo=UTC)))).outlooks

    assert (outlook.refreshes, outlook.creations) == (0, 0)


def test_ten_years() -> None:
    """The longest span that --for allows can be simulated."""
    future = run(WARM, span=HORIZON, every=HORIZON)

    assert future.runs == 1


def test_annotations_have_no_future() -> None:
    """Annotations neither die nor are refreshed."""
    assert run(annotation("n")).outlooks == ()


def test_the_same_question_has_the_same_answer() -> None:
    """Chance is repeatable."""
    assert run(WARM, miss_rate=0.3) == run(WARM, miss_rate=0.3)


def test_tolerance() -> None:
    """The cache with the shortest window decides how long a schedule may be dead."""
    found = tolerance([WARM, SHORT, ONCE, FIXED, annotation("n")])

    assert found is not None
    assert (found.name, found.window) == ("s", HOUR / 4)
    assert tolerance([ONCE]) is None


@given(
    ttl=st.integers(1, 48).map(lambda hours: hours * HOUR),
    share=st.sampled_from([Fraction(1, 10), Fraction(1, 3), Fraction(1, 2)]),
    minutes=st.integers(5, 600),
)
def test_a_schedule_within_the_window_keeps_warm(
    ttl: timedelta, share: Fraction, minutes: int
) -> None:
    """Nothing goes cold under any schedule at least as frequent as the window."""
    want = desired("a", life=Ttl(ttl), settings=Settings(refresh_before=share))
    every = timedelta(minutes=minutes)
    fits = tolerance([want])
    (outlook,) = run(want, every=every).outlooks

    assert fits is not None
    if fits.window >= every:
        assert outlook.cold == timedelta()


@pytest.mark.parametrize("miss_rate", [0.05, 0.5])
def test_missed_runs(miss_rate: float) -> None:
    """Runs and missed runs are all there are."""
    future = run(WARM, miss_rate=miss_rate)

    assert future.runs + future.missed == 192
    assert future.missed > 0


def test_what_a_steady_schedule_costs() -> None:
    """One creation, and rent for all the time; billed by ttl, for each of the lives granted."""
    priced = replace(WARM, model="flat", measure=Measure(tokens=MILLION, counted=True))
    (outlook,) = run(priced).outlooks

    assert outlook.spent.paid_to_create == dollars(2)
    assert outlook.spent.paid_to_create_again == dollars(0)
    assert outlook.spent.rent == dollars(4 * 24)
    assert outlook.spent.rent_billed_by_ttl == dollars(12 * (1 + outlook.refreshes))


def test_what_too_rare_a_schedule_costs() -> None:
    """Every run makes the cache again, and no rent is paid while it is cold."""
    priced = replace(SHORT, model="flat", measure=Measure(tokens=MILLION, counted=True))
    (outlook,) = run(priced, every=HOUR, span=DAY).outlooks

    assert outlook.spent.paid_to_create_again == dollars(2 * 24)
    assert outlook.spent.rent == dollars(18)
