"""A forecast reads the same as a table and as JSON."""

from __future__ import annotations

import json
from datetime import timedelta

from provisioner.model.money import NO_PRICE, UNSPENT, Spent
from provisioner.render.forecast import forecast_json, forecast_text, schedule_sentence
from provisioner.view.forecast import Forecast, Outlook, Tolerance
from tests.builders import HOUR
from tests.pricing.prices import dollars

SPENT = Spent(
    paid_to_create=dollars(2),
    paid_to_create_again=dollars(4),
    rent=dollars(30),
    rent_billed_by_ttl=dollars(45),
)
COLD = Outlook(name="a", refreshes=3, creations=2, cold=timedelta(minutes=90), spent=SPENT)
FREE = Outlook(name="b", refreshes=0, creations=0, cold=timedelta(), spent=UNSPENT)


def future_of(*outlooks: Outlook) -> Forecast:
    return Forecast(stack="demo", every=HOUR, runs=9, missed=1, tightest=None, outlooks=outlooks)


def test_a_table() -> None:
    """Refreshes, creations, time without a cache, and money; the sums below."""
    text = forecast_text(future_of(COLD, FREE))

    assert text.splitlines()[1].split() == ["a", "3", "2", "1h30m", "$6.00", "$30.00", "$45.00"]
    assert text.endswith(
        "9 runs, 1 missed.\nNothing is kept warm, so no schedule is needed.\n"
        "Money: $6.00 to create, $4.00 of it for what had died; $30.00 of rent.\n"
        "If every granted life is billed whole, the rent is $45.00.\n"
    )


def test_without_money() -> None:
    """What costs nothing has no sentence; what has no price says so."""
    unknown = Spent(
        paid_to_create=NO_PRICE,
        paid_to_create_again=NO_PRICE,
        rent=NO_PRICE,
        rent_billed_by_ttl=NO_PRICE,
    )
    future = Outlook(name="a", refreshes=0, creations=0, cold=timedelta(), spent=unknown)

    assert forecast_text(future_of(FREE)).endswith(
        "\nNothing is kept warm, so no schedule is needed.\n"
    )
    assert "$" not in forecast_text(future_of(future))


def test_json() -> None:
    """Machines get the same numbers, per cache and in all."""
    document = json.loads(forecast_json(future_of(COLD, COLD)))

    assert document["caches"][0]["cold_seconds"] == 5400
    assert document["caches"][0]["paid_to_create_again"]["usd"] == 4
    assert document["totals"]["rent"]["usd"] == 60
    assert document["totals"]["rent_billed_by_ttl"]["usd"] == 90


def test_schedules() -> None:
    """A schedule fits if its interval is within the window, and the sentence says how well."""
    ttl, window = timedelta(minutes=45), timedelta(minutes=15)

    assert (
        schedule_sentence(Tolerance(name="a", ttl=ttl, window=window), HOUR)
        == "A run every 1h does not keep a warm (ttl 45m): run at least every 15m."
    )
    assert (
        schedule_sentence(Tolerance(name="a", ttl=12 * HOUR, window=4 * HOUR), HOUR / 2)
        == "A run every 30m keeps all caches warm. If runs stop, a expires first, after 4h."
    )
    assert "no schedule" in schedule_sentence(None, HOUR)
