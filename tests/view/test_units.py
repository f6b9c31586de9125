"""Numbers and money read well: two digits that matter, one unit, and no price is never nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model.money import (
    FREE,
    NANO,
    NO_PRICE,
    NOTHING,
    Cost,
    Figures,
    Money,
    Step,
    Totals,
    Use,
)
from provisioner.model.records import made_of
from provisioner.view.units import (
    bytes_text,
    cost_sentences,
    cost_text,
    moment_short,
    number,
    rent_text,
    signed,
    span_text,
    tokens_text,
    totals_text,
    unpriced_text,
    usd,
    when,
)

NEW_YEAR = date(2027, 1, 1)


def dollars(amount: str, *, estimated: bool = False) -> Money:
    return Money.of(int(Decimal(amount) * NANO), estimated=estimated)


USE = Use(
    creation=dollars("4.1"),
    pays_from_calls_per_hour=0.7407,
    pays_from_calls_per_hour_implicit=1.4815,
    implicit_hits=0.5,
    net_per_hour=None,
    worst_rent=1,
)
NOTE = Use(write=dollars("0.25"), pays_after_calls=1.2778, net_per_hour=None)
CREATE = Figures.of(dollars("4.1"), NOTHING, dollars("0.14"))
DOUBLE = Figures.of(dollars("8.2"), NOTHING, dollars("0.28"))
_Priced = TypeVar("_Priced", Cost, Totals)


def priced(line: _Priced, figures: Figures, **fields: object) -> _Priced:
    """The same *line* with other *figures*."""
    return made_of(type(line), line, made_of(Figures, figures), **fields)


COST = made_of(
    Cost,
    CREATE,
    overlap=NOTHING,
    rent_30_days=NOTHING,
    ends_on=None,
    old_ends_on=None,
    steps=(),
    use=USE,
)
TOTALS = made_of(
    Totals,
    CREATE,
    lines=3,
    unpriced=0,
    overlap=NOTHING,
    rent_30_days=dollars("100.8"),
    net_per_hour=None,
    steps=(),
)
UNKNOWN = priced(COST, Figures.of(NO_PRICE, NOTHING, NO_PRICE), rent_30_days=NO_PRICE)


def column(cost: Cost) -> str:
    return cost_text(cost)


def sentences(cost: Cost) -> Iterator[str]:
    return cost_sentences(cost)


def headline(totals: Totals) -> str:
    return totals_text(totals)


def lacking(totals: Totals) -> str:
    return unpriced_text(totals)


def rents(totals: Totals) -> str:
    return rent_text(totals)


def figured(once: Money, before: Money, after: Money) -> str:
    return column(priced(COST, Figures.of(once, before, after)))


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0"),
        ("4.1", "$4.10"),
        ("0.14", "$0.14"),
        ("0.1", "$0.10"),
        ("0.0996", "$0.10"),
        ("0.0954", "$0.095"),
        ("0.045", "$0.045"),
        ("0.0034", "$0.0034"),
        ("0.00012", "$0.00012"),
        ("0.00009", "<$0.0001"),
        ("0.000000001", "<$0.0001"),
        ("0.999", "$1.00"),
        ("1234567.891", "$1,234,567.89"),
        ("-0.45", "-$0.45"),
    ],
)
def test_dollars(amount: str, text: str) -> None:
    """Cents at least, and below ten cents two digits that matter."""
    assert usd(dollars(amount)) == text


@pytest.mark.parametrize(
    ("money", "plain", "difference"),
    [
        (dollars("0.14"), "$0.14/h", "+$0.14/h"),
        (dollars("-0.45"), "-$0.45/h", "-$0.45/h"),
        (NOTHING, "$0/h", "$0/h"),
        (dollars("0.14", estimated=True), "~$0.14/h", "+~$0.14/h"),
        (Money.of(0, estimated=True), "$0/h", "$0/h"),
        (NO_PRICE, "no price", "no price"),
        (Money.of(0, estimated=True, partial=True), "no price", "no price"),
        (dollars("0.14") + NO_PRICE, "$0.14/h + ?", "+$0.14/h + ?"),
    ],
)
def test_marks(money: Money, plain: str, difference: str) -> None:
    """An estimate has its mark, a sum that lacks something another, and no price is words."""
    assert usd(money, "/h") == plain
    assert signed(money, "/h") == difference


@given(st.integers(-(10**18), 10**18).filter(bool), st.booleans())
def test_something_never_reads_as_nothing(nano: int, estimated: bool) -> None:  # noqa: FBT001  # hypothesis passes it
    """No amount that is not zero reads as zero."""
    assert any(digit in usd(Money.of(nano, estimated=estimated)) for digit in "123456789")


@given(st.integers(0, 10**15), st.integers(0, 10**15))
def test_more_never_reads_as_less(one: int, other: int) -> None:
    """Of two amounts the larger reads as the larger, or they read the same."""
    less, more = (
        Decimal(usd(Money.of(nano)).lstrip("<$").replace(",", "")) for nano in sorted((one, other))
    )

    assert less <= more


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0.7407", "0.74"),
        ("1.2778", "1.28"),
        ("1.5", "1.5"),
        ("2", "2"),
        ("10", "10"),
        ("0.0123", "0.012"),
        ("1480.123", "1,480.12"),
        ("0", "0"),
    ],
)
def test_numbers(amount: str, text: str) -> None:
    """Calls have two decimals at most, unless they are few, and none for nothing."""
    assert number(float(amount)) == text


@pytest.mark.parametrize(
    ("once", "before", "after", "text"),
    [
        ("4.1", "0", "0.14", "$4.10 once, +$0.14/h"),
        ("4.1", "0.14", "0.14", "$4.10 once, $0.14/h"),
        ("4.1", "0.14", "0.1", "$4.10 once, -$0.040/h"),
        ("0", "0.14", "0.14", "$0.14/h"),
        ("0", "0.45", "0", "stops $0.45/h"),
        ("0", "0", "0", ""),
    ],
)
def test_a_column(once: str, before: str, after: str, text: str) -> None:
    """A line says what is paid once, and what rent it adds, stops or goes on with."""
    assert figured(dollars(once), dollars(before), dollars(after)) == text


def test_a_column_without_price() -> None:
    """No price is said once where nothing is known, and in its place where something is."""
    assert figured(NO_PRICE, NOTHING, NO_PRICE) == "no price"
    assert figured(NOTHING, NO_PRICE, NOTHING) == "no price"
    assert figured(dollars("4.1"), NOTHING, NO_PRICE) == "$4.10 once, no price"


def test_a_column_of_an_annotation() -> None:
    """An annotation says what a write costs, unless it stops the rent of a cache."""
    note = priced(COST, FREE, use=NOTE)
    stop = priced(note, Figures.of(NOTHING, dollars("0.45"), NOTHING))

    assert column(note) == "$0.25 per write"
    assert column(stop) == "stops $0.45/h"
    assert column(replace(note, use=replace(NOTE, write=NO_PRICE))) == "no price"


def test_a_headline() -> None:
    """A plan says what it costs once and what rent it adds; a price that changes, twice."""
    step = made_of(Step, DOUBLE, on=NEW_YEAR, use=None)
    rise = made_of(Step, CREATE, on=NEW_YEAR, rent_per_hour_change=dollars("0.28"), use=None)

    assert headline(TOTALS) == "$4.10 once · +$0.14/h"
    assert headline(replace(TOTALS, steps=(rise,))) == (
        "$4.10 once · +$0.14/h · +$0.28/h from 2027-01-01"
    )
    assert headline(replace(TOTALS, steps=(step,))) == headline(replace(TOTALS, steps=(rise,)))


def test_a_headline_without_money() -> None:
    """A plan that moves no money does not speak of it; one that lacks a price does."""
    unknown = priced(TOTALS, CREATE + UNKNOWN, unpriced=2)

    assert headline(priced(TOTALS, FREE)) == ""
    assert headline(priced(TOTALS, UNKNOWN)) == "no price"
    assert headline(unknown) == "$4.10 + ? once · +$0.14/h + ?"


@pytest.mark.parametrize(
    ("unpriced", "text"), [(0, ""), (1, "1 line has no price"), (1200, "1,200 lines have no price")]
)
def test_lines_without_price(unpriced: int, text: str) -> None:
    """The number of lines without a price is shown if there are any."""
    assert lacking(replace(TOTALS, unpriced=unpriced)) == text


def test_rent() -> None:
    """The rent is that of an hour, of a month, and of an hour from the day it changes."""
    step = made_of(Step, DOUBLE, on=NEW_YEAR, use=None)

    assert rents(TOTALS) == "$0.14/h, $100.80 in 30 days"
    assert rents(replace(TOTALS, steps=(step,))).endswith(", $0.28/h from 2027-01-01")


def test_sentences_of_a_cache() -> None:
    """A cache says at how many calls it breaks even, what they save, and what it costs at worst."""
    use = replace(USE, net_per_hour=dollars("-0.3"), worst_rent=1.5)
    step = made_of(Step, DOUBLE, on=NEW_YEAR, use=replace(USE, creation=dollars("8.2")))
    cost = replace(
        COST, use=use, overlap=dollars("0.45"), rent_30_days=dollars("100.8"), steps=(step,)
    )

    assert list(sentences(cost)) == [
        "Rent of the next 30 days: $100.80.",
        "Until the old cache is gone: $0.45.",
        "Breaks even at 0.74 calls/h (1.48 if implicit caching would serve 50%).",
        "At the declared calls per hour it loses $0.30/h.",
        "If every granted life is billed whole, the rent is up to 1.5 times as high.",
        "From 2027-01-01: $8.20 per creation, $0.28/h.",
    ]


def test_sentences_of_an_annotation() -> None:
    """An annotation says after how many calls a write breaks even, and what they save."""
    note = priced(COST, FREE, use=replace(NOTE, net_per_hour=dollars("1.2")))
    never = replace(note, use=replace(NOTE, pays_after_calls=None))

    assert list(sentences(note)) == [
        "A write breaks even after 1.28 calls per lifetime.",
        "At the declared calls per hour it saves $1.20/h.",
    ]
    assert list(sentences(never)) == ["A write never breaks even."]
    free = replace(note, use=replace(NOTE, pays_after_calls=1.0))
    assert next(sentences(free)) == "A write breaks even after 1 call per lifetime."


def test_sentences_where_nothing_is_known() -> None:
    """What has no price says so, and promises nothing."""
    gone = made_of(Step, UNKNOWN, on=NEW_YEAR, use=replace(USE, creation=NO_PRICE))
    cache = replace(COST, use=replace(USE, creation=NO_PRICE, net_per_hour=NO_PRICE))
    note = replace(COST, use=replace(NOTE, write=NO_PRICE, net_per_hour=NO_PRICE))
    never = replace(
        COST,
        use=replace(USE, pays_from_calls_per_hour=None, pays_from_calls_per_hour_implicit=None),
    )

    assert list(sentences(cache)) == ["This model has no price."]
    assert list(sentences(note)) == ["This model has no price."]
    assert list(sentences(replace(COST, use=None, steps=(gone,)))) == ["From 2027-01-01: no price."]
    assert list(sentences(never)) == [
        "No number of calls per hour breaks even, as far as prices are known."
    ]


def test_what_is_gone_has_nothing_to_say() -> None:
    """A line that costs nothing has no sentence."""
    assert list(sentences(priced(COST, FREE, use=None))) == []


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
