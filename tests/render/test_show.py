"""A stack as it stands: life left, last change, tokens."""

from __future__ import annotations

import pytest

from provisioner.model.money import NO_PRICE, Rent
from provisioner.render.layout import columns
from provisioner.render.show import show_one, show_text
from tests.builders import HOUR, NOW, annotation, live, noted, recorded, retiring, state
from tests.pricing.prices import dollars
from tests.render.fixtures import AT, FAQ, LOST, MANUAL, cache, golden

FRESH = cache("fresh")
DEAD = cache("dead")
STATE = state(
    recorded(MANUAL, "cachedContents/1"),
    recorded(FRESH, "cachedContents/2"),
    recorded(LOST, "cachedContents/3"),
    recorded(DEAD, "cachedContents/4", expires_at=NOW + HOUR),
    noted(annotation("triage")),
    retiring=[retiring(FAQ, "cachedContents/5")],
)
RENTS = {
    "product-manual": Rent(rent_per_hour=dollars("0.1"), rent_30_days=dollars(72)),
    "fresh": Rent(rent_per_hour=dollars("0.2"), rent_30_days=dollars(144)),
    "lost": Rent(rent_per_hour=dollars(4), rent_30_days=dollars(2880)),
    "dead": Rent(rent_per_hour=NO_PRICE, rent_30_days=NO_PRICE),
}
LIVE = {
    cache.id: cache
    for cache in (
        live(MANUAL, "cachedContents/1"),
        live(FRESH, "cachedContents/2", updated_at=AT, expires_at=AT + 6 * HOUR),
        live(FAQ, "cachedContents/5", expires_at=AT + HOUR / 2),
    )
}


@pytest.mark.parametrize("width", [80, 200])
def test_golden(width: int) -> None:
    """A bar of the remaining life for each cache, and who is gone."""
    text = show_text(STATE, LIVE, rents=RENTS, now=AT, width=width, colour=False)

    assert text == golden(f"show-{width}.txt")
    assert all(columns(line) <= width for line in text.splitlines())


def test_golden_of_one() -> None:
    """One cache in full, its digest whole."""
    text = show_one(
        STATE.caches["product-manual"],
        LIVE,
        rent=RENTS["product-manual"],
        now=AT,
        width=80,
        colour=False,
    )

    assert text == golden("show-one.txt")


def test_an_annotation_has_no_bar() -> None:
    """What each call renews has no life to show."""
    text = show_one(STATE.caches["triage"], LIVE, rent=None, now=AT, width=80, colour=False)

    assert "left" not in text
    assert '"cache_control"' in text


def test_unasked_the_record_is_believed() -> None:
    """Without the provider's word nothing is gone before its recorded time."""
    lines = show_text(STATE, None, rents=RENTS, now=AT, width=80, colour=False).splitlines()
    left = {line.split()[0]: line for line in lines if line.strip()}

    assert "18h 50m" in left["lost"]
    assert "expired" in left["dead"]
    assert not any("gone" in line for line in lines)


def test_the_bar_follows_life() -> None:
    """A full life is a full bar, an ended one an empty bar, in the colours of both."""
    newborn = recorded(FRESH, updated_at=AT, expires_at=AT + HOUR)
    fresh = show_one(newborn, None, rent=None, now=AT, width=80, colour=False)
    ended = show_one(recorded(FRESH), None, rent=None, now=NOW + 6 * HOUR, width=80, colour=False)

    assert "█" * 20 in fresh
    assert "░" * 20 in ended
    assert "\x1b[33m" in show_text(STATE, LIVE, rents=RENTS, now=AT, width=80, colour=True)


def test_an_empty_state() -> None:
    """A stack without a record says so."""
    assert show_text(state(), None, rents={}, now=AT, width=80, colour=False) == (
        "Nothing is on record of demo.\n"
    )
