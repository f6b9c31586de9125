"""What a cache costs follows from its lives."""

from __future__ import annotations

from msgspec.structs import replace

from provisioner.model import DesiredCache, Measure
from provisioner.model.money import NO_PRICE, UNSPENT, Spent
from provisioner.pricing import Grant, spent
from tests.builders import HOUR, NOW, desired
from tests.pricing.prices import MILLION, dollars, lookup

WANT = desired("a", model="flat", measure=Measure(tokens=MILLION, counted=True))
LATER = NOW + 24 * HOUR


def grant(begin: float, end: float, *, made: bool) -> Grant:
    return Grant(NOW + begin * HOUR, NOW + end * HOUR, made)


def paid(*grants: Grant, want: DesiredCache = WANT) -> Spent:
    return spent(want, grants, lookup, until=LATER)


def test_lives_that_overlap_are_paid_once() -> None:
    """A refresh goes on with one life; billed whole, both are paid."""
    found = paid(grant(0, 6, made=True), grant(4, 10, made=False))

    assert found == Spent(
        first=dollars(2), again=dollars(0), rent=dollars(10), rent_by_ttl=dollars(12)
    )


def test_a_gap_costs_no_rent_but_another_creation() -> None:
    """What died is paid for again when it is made again."""
    found = paid(grant(0, 1, made=True), grant(3, 4, made=True))

    assert (found.first, found.again) == (dollars(2), dollars(2))
    assert found.rent == found.rent_by_ttl == dollars(2)


def test_what_goes_on_is_paid_up_to_the_end() -> None:
    """Rent ends with what is looked at; a life that was granted is billed beyond it."""
    found = paid(grant(20, 30, made=True))

    assert (found.rent, found.rent_by_ttl) == (dollars(4), dollars(10))


def test_what_never_lived_costs_nothing() -> None:
    """A life that had ended when it began was never made."""
    assert paid(grant(2, 1, made=True)) == paid(grant(2, 2, made=True)) == UNSPENT


def test_lives_in_a_row() -> None:
    """Each stretch without a gap is paid from its first grant to its last end."""
    found = paid(
        grant(0, 2, made=True),
        grant(1, 3, made=False),
        grant(3, 4, made=False),
        grant(6, 7, made=True),
        grant(9, 10, made=True),
    )

    assert (found.rent, found.rent_by_ttl) == (dollars(6), dollars(7))


def test_a_named_project() -> None:
    """A project of any name is paid at the prices of its type."""
    assert paid(grant(0, 1, made=True), want=replace(WANT, provider="eu")) == paid(
        grant(0, 1, made=True)
    )


def test_no_price() -> None:
    """What an unknown model costs is unknown."""
    found = paid(grant(0, 1, made=True), want=replace(WANT, model="unheard-of"))

    assert (found.first, found.rent) == (NO_PRICE, NO_PRICE)
