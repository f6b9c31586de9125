"""Every live cache of a project, labelled or not."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from provisioner.escape import json_text
from provisioner.model.attributes import Label
from provisioner.model.money import NO_PRICE, NO_RENT, Rent
from provisioner.render.layout import columns
from provisioner.render.listing import Listed, list_document, list_text
from tests.builders import HOUR, live
from tests.pricing.prices import dollars
from tests.render.fixtures import AT, FAQ, MANUAL, golden

RENT = Rent(rent_per_hour=dollars("0.1"), rent_30_days=dollars(72))
LONG_ID = "cachedContents/o239abcdefghijklmnopqrstuvwxyz0123456789ab"
CACHES = (
    Listed(
        live=live(id=LONG_ID, label=None, tokens=90_000),
        display_name="by hand\n\x1b[1m漢字",
        rent=Rent(rent_per_hour=NO_PRICE, rent_30_days=NO_PRICE),
    ),
    Listed(
        live=live(id="cachedContents/anon", label=None, expires_at=AT),
        display_name="",
        rent=NO_RENT,
    ),
    Listed(live=live(MANUAL, "cachedContents/2"), display_name=str(MANUAL.label), rent=RENT),
    Listed(live=live(FAQ, "cachedContents/3"), display_name=str(FAQ.label), rent=RENT, stray=True),
    Listed(
        live=live(id="cachedContents/4", label=Label("other.prod", "faq", "0" * 16)),
        display_name="ctxprov:other.prod/faq@0000000000000000",
        rent=RENT,
    ),
)


@pytest.mark.parametrize("width", [80, 200])
def test_golden(width: int) -> None:
    """Ours by stack, strays marked, everybody else last; ids where there is room."""
    text = list_text(CACHES, now=AT, width=width, colour=False)

    assert text == golden(f"list-{width}.txt")
    assert all(columns(line) <= width for line in text.splitlines())


def test_strays_are_counted() -> None:
    """A stray is marked and counted; where there is none, nothing is said of strays."""
    lines = list_text(CACHES, now=AT, width=80, colour=False)

    assert "; 1 stray (?)" in lines.replace("\n", " ")
    assert "stray" not in list_text(CACHES[:3], now=AT, width=80, colour=False)


def test_no_caches() -> None:
    """An empty project says so."""
    assert list_text([], now=AT, width=80, colour=True).startswith("This project has no")


def test_json() -> None:
    """Machines get the same caches in the same order, with their ids and raw names."""
    document = json.loads(json_text(list_document(CACHES, now=AT)))
    caches = document["caches"]

    assert [(one["stack"], one["name"], one["stray"]) for one in caches] == [
        ("demo", "old-faq", True),
        ("demo", "product-manual", False),
        ("other.prod", "faq", False),
        (None, None, False),
        (None, None, False),
    ]
    assert caches[3]["display_name"] == "by hand\n\x1b[1m漢字"
    assert caches[4]["id"] == "cachedContents/anon"
    assert document["totals"] == {
        "caches": 5,
        "tokens": sum(one.live.tokens for one in CACHES),
        "rent_per_hour": {"usd": 0.3, "estimated": False, "partial": True},
        "rent_30_days": {"usd": 216.0, "estimated": False, "partial": True},
    }


def test_thousands_of_others_are_sorted_by_name() -> None:
    """Five thousand foreign caches are five thousand lines, the same every time."""
    many = [
        Listed(
            live=live(id=f"cachedContents/{at}", label=None), display_name=f"{at:04}", rent=NO_RENT
        )
        for at in range(5_000)
    ]
    text = list_text(many, now=AT - HOUR, width=80, colour=False)

    assert text == list_text(many[::-1], now=AT - HOUR, width=80, colour=False)
    assert len(text.splitlines()) == 5_000 + 5


def test_an_unknown_count() -> None:
    """A cache of which the provider tells no count absorbs the tokens of its group and of all."""
    unknown = [replace(CACHES[0], live=replace(CACHES[0].live, tokens=0)), *CACHES[1:]]
    document = json.loads(json_text(list_document(unknown, now=AT)))

    assert document["totals"]["tokens"] is None
    assert None in [one["tokens"] for one in document["caches"]]
