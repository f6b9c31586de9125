"""What a plan costs, change by change and together, and what a cache has cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.attributes import Measure, Settings, Ttl, Until
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Forget,
    Keep,
    Leave,
    Move,
    Note,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.money import (
    FREE,
    NO_PRICE,
    NO_RENT,
    NOTHING,
    UNSPENT,
    Cost,
    Figures,
    Money,
    Rent,
    Spent,
    total,
)
from provisioner.model.plan import Plan
from provisioner.model.rates import MONTH, Period, tariffs
from provisioner.model.records import DesiredCache, made_of
from provisioner.planner import decision_table as table
from provisioner.pricing import (
    Effect,
    Grant,
    cost,
    costs,
    effect,
    part,
    price_list,
    rent,
    spent,
    totals,
    totals_of,
    upkeep,
)
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, noted, recorded, retiring
from tests.pricing.prices import DOUBLING, FLAT, MILLION, NOTED, TURN, dollars, lookup

COUNTED = Measure(tokens=MILLION, counted=True)
WANT = desired("a", model="flat", measure=COUNTED)
OTHER = desired("a", "other", model="flat", measure=replace(COUNTED, tokens=3 * MILLION))
UNKNOWN = desired("b", model="unheard-of", measure=COUNTED)
DOUBLED = desired("c", model="doubling", measure=COUNTED)
ONCE = replace(WANT, settings=Settings(keep="once"))
TODAY = NOW.date()
MIDNIGHT = datetime.combine(TURN, time(), UTC)
NOTE = annotation("n", model="noted", measure=COUNTED)


def of(change: Change) -> Cost:
    return cost(change, lookup, at=NOW)


def figures(once: str, before: str, after: str) -> Figures:
    return Figures.of(dollars(once), dollars(before), dollars(after))


def figures_of(struct: Struct) -> Figures:
    return made_of(Figures, struct)


WANTS = st.builds(
    lambda model, tokens, counted: desired(
        model=model, measure=Measure(tokens=tokens, counted=counted)
    ),
    st.sampled_from(["flat", "tiered", "doubling", "ending", "unheard-of"]),
    st.integers(0, 10**8),
    st.booleans(),
)
MEASURES = st.builds(Measure, tokens=st.integers(0, 10**9), counted=st.booleans())
CHANGES = st.builds(
    Create, WANTS, st.none(), st.just(Reason.NEW), st.just(table.NOTHING_ALIVE)
) | st.builds(
    lambda want: Retire(live(want), recorded(want), Reason.UNDECLARED, table.UNDECLARED), WANTS
)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Create(WANT, None, Reason.NEW, table.NOTHING_ALIVE), figures("2", "0", "1")),
        (
            Replace(OTHER, live(WANT), recorded(WANT), Reason.CONTENT, table.OUTDATED),
            figures("6", "1", "3"),
        ),
        (
            Refresh(WANT, live(WANT), recorded(WANT), Reason.EXPIRING, table.DUE),
            figures("0", "1", "1"),
        ),
        (
            Retire(live(WANT), recorded(WANT), Reason.UNDECLARED, table.UNDECLARED),
            figures("0", "1", "0"),
        ),
        (Delete(live(WANT), None, Reason.STRAY, table.STRAY), figures("0", "1", "0")),
        (
            Leave(live(WANT), retiring(WANT), Reason.RETIRING, table.RETIRING),
            figures("0", "1", "1"),
        ),
        (
            Annotate(NOTE, live(WANT), recorded(WANT), Reason.PROVIDER, table.ANNOTATION),
            figures("0", "1", "0"),
        ),
        (Forget(recorded(WANT), Reason.UNDECLARED, table.UNDECLARED_GONE), FREE),
    ],
)
def test_every_change(change: Change, expected: Figures) -> None:
    """A change costs what it makes, and its rent goes from what lived to what lives."""
    assert figures_of(of(change)) == expected


def test_a_replacement() -> None:
    """A replacement pays for the old cache until it is gone, and for the new one all month."""
    told = of(Replace(OTHER, live(WANT), recorded(WANT), Reason.CONTENT, table.OUTDATED))

    assert told.rent_per_hour_change == dollars(2)
    assert told.overlap == dollars(1)
    assert told.rent_30_days == dollars(3 * 720)


def test_a_removal_stops_rent() -> None:
    """A removal says what it stops, and has an hour of rent left."""
    told = of(Retire(live(WANT), recorded(WANT), Reason.UNDECLARED, table.UNDECLARED))

    assert told.rent_per_hour_change == Money.of(-(10**9))
    assert (told.overlap, told.rent_30_days, told.use) == (dollars(1), NOTHING, None)


def test_a_cache_that_is_made_once() -> None:
    """What is not kept warm costs its life, not a month."""
    want = replace(WANT, settings=Settings(keep="once"))

    assert of(Create(want, None, Reason.NEW, table.NOTHING_ALIVE)).rent_30_days == dollars(6)


def test_an_unknown_model() -> None:
    """A model without a price is never free."""
    told = of(Create(UNKNOWN, None, Reason.NEW, table.NOTHING_ALIVE))

    assert told.unpriced
    assert {told.once, told.rent_per_hour_after, told.rent_per_hour_change, told.rent_30_days} == {
        NO_PRICE
    }


def test_an_unknown_model_of_an_annotation() -> None:
    """An annotation without a price has no rent all the same, and says that it lacks a price."""
    told = of(Annotate(replace(NOTE, model="unheard-of"), None, None, Reason.NEW, table.ANNOTATION))

    assert figures_of(told) == FREE
    assert told.unpriced


def test_an_estimate() -> None:
    """What rests on an estimate says so, and what is alive does not."""
    guess = replace(OTHER, measure=replace(OTHER.measure, counted=False))
    told = of(Replace(guess, live(WANT), recorded(WANT), Reason.CONTENT, table.OUTDATED))

    assert (
        told.once.estimated,
        told.rent_per_hour_after.estimated,
        told.rent_per_hour_change.estimated,
    ) == (True, True, True)
    assert not told.rent_per_hour_before.estimated


def test_a_price_that_changes() -> None:
    """A price that changes within the month is shown twice, with the day."""
    told = of(Create(DOUBLED, None, Reason.NEW, table.NOTHING_ALIVE))
    (step,) = told.steps

    assert figures_of(told) == figures("2", "0", "1")
    assert (step.on, figures_of(step)) == (TURN, figures("4", "0", "2"))
    assert told.on(TURN) == figures_of(step)
    assert told.on(TURN - timedelta(days=1)) == figures_of(told)
    assert told.rent_30_days == dollars(228 + 2 * 492)


def test_a_price_that_ends() -> None:
    """From the day on that a price ends there is none."""
    told = of(
        Create(desired("e", model="ending", measure=COUNTED), None, Reason.NEW, table.NOTHING_ALIVE)
    )

    assert not told.unpriced
    assert [step.rent_per_hour_after for step in told.steps] == [NO_PRICE]
    assert told.rent_30_days.partial


def test_a_price_that_changes_too_late() -> None:
    """A cache that is dead by then does not care."""
    want = replace(DOUBLED, settings=Settings(keep="once"))

    assert of(Create(want, None, Reason.NEW, table.NOTHING_ALIVE)).steps == ()
    assert of(Leave(live(DOUBLED), retiring(DOUBLED), Reason.RETIRING, table.RETIRING)).steps == ()


def test_a_price_that_changes_when_a_cache_dies() -> None:
    """A price that begins at the very moment of its end is not shown of a cache."""
    for end, days in ((MIDNIGHT, []), (MIDNIGHT + HOUR, [TURN])):
        told = of(Create(replace(DOUBLED, life=Until(end)), None, Reason.NEW, table.NOTHING_ALIVE))
        assert [step.on for step in told.steps] == days


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (Create(WANT, None, Reason.NEW, table.NOTHING_ALIVE), None),
        (Create(ONCE, None, Reason.NEW, table.NOTHING_ALIVE), TODAY),
        (Create(replace(ONCE, life=Ttl(MONTH)), None, Reason.NEW, table.NOTHING_ALIVE), None),
        (
            Create(replace(WANT, life=Until(MIDNIGHT)), None, Reason.NEW, table.NOTHING_ALIVE),
            TURN - timedelta(days=1),
        ),
        (
            Create(
                replace(WANT, life=Until(MIDNIGHT + HOUR)), None, Reason.NEW, table.NOTHING_ALIVE
            ),
            TURN,
        ),
        (Create(replace(WANT, life=Until(NOW)), None, Reason.NEW, table.NOTHING_ALIVE), TODAY),
        (Keep(ONCE, live(ONCE), recorded(ONCE), Reason.CURRENT, table.UNCHANGED), TODAY),
        (Retire(live(WANT), recorded(WANT), Reason.UNDECLARED, table.UNDECLARED), None),
        (Retire(live(ONCE), recorded(ONCE), Reason.UNDECLARED, table.UNDECLARED), TODAY),
        (Leave(live(WANT), None, Reason.STRAY, table.STRAY), TODAY),
        (Annotate(NOTE, None, None, Reason.NEW, table.ANNOTATION), None),
        (Forget(recorded(WANT), Reason.UNDECLARED, table.UNDECLARED_GONE), None),
    ],
)
def test_the_last_day(change: Change, expected: date | None) -> None:
    """A line knows the last day on which it lives, if it does not go on for a month."""
    assert of(change).ends_on == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            Replace(ONCE, live(WANT), recorded(WANT), Reason.LIFE, table.OUTDATED),
            figures("2", "1", "0"),
        ),
        (
            Replace(WANT, live(ONCE), recorded(ONCE), Reason.LIFE, table.OUTDATED),
            figures("2", "0", "1"),
        ),
        (
            Retire(live(WANT), recorded(WANT), Reason.UNDECLARED, table.UNDECLARED),
            figures("0", "1", "0"),
        ),
        (Retire(live(ONCE), recorded(ONCE), Reason.UNDECLARED, table.UNDECLARED), FREE),
        (Keep(ONCE, live(ONCE), recorded(ONCE), Reason.CURRENT, table.UNCHANGED), FREE),
        (
            Keep(WANT, live(WANT), recorded(WANT), Reason.CURRENT, table.UNCHANGED),
            figures("0", "1", "1"),
        ),
    ],
)
def test_old_and_new_end_by_themselves(change: Change, expected: Figures) -> None:
    """Later the rent of what would have lived is compared with that of what does."""
    assert of(change).on(TODAY + timedelta(days=9)) == expected


@given(st.timedeltas(timedelta(0), 2 * MONTH), st.integers(0, MONTH.days))
def test_the_dead_cost_no_rent(span: timedelta, days: int) -> None:
    """Rent stands on just those days on which a cache lives, and what it costs once of all."""
    day = TODAY + timedelta(days=days)
    begun = max(NOW, datetime.combine(day, time(), UTC))
    told = of(Create(replace(ONCE, life=Ttl(span)), None, Reason.NEW, table.NOTHING_ALIVE))
    lives = begun < NOW + span or not days

    assert told.on(day) == (figures("2", "0", "1") if lives else figures("2", "0", "0"))


@pytest.mark.parametrize(
    ("change", "at", "expected"),
    [
        (Create(WANT, None, Reason.NEW, table.NOTHING_ALIVE), NOW, FLAT.prices[0]),
        (Create(UNKNOWN, None, Reason.NEW, table.NOTHING_ALIVE), NOW, None),
        (Create(DOUBLED, None, Reason.NEW, table.NOTHING_ALIVE), NOW, DOUBLING.prices[0]),
        (Create(DOUBLED, None, Reason.NEW, table.NOTHING_ALIVE), NOW + MONTH, DOUBLING.prices[1]),
        (
            Replace(DOUBLED, live(WANT), recorded(WANT), Reason.MODEL, table.OUTDATED),
            NOW,
            DOUBLING.prices[0],
        ),
        (Annotate(NOTE, None, None, Reason.NEW, table.ANNOTATION), NOW, NOTED.prices[0]),
        (Leave(live(WANT), None, Reason.STRAY, table.STRAY), NOW, FLAT.prices[0]),
        (
            Retire(live(WANT), recorded(WANT), Reason.UNDECLARED, table.UNDECLARED),
            NOW,
            FLAT.prices[0],
        ),
        (Forget(recorded(WANT), Reason.UNDECLARED, table.UNDECLARED_GONE), NOW, None),
    ],
)
def test_price_list(change: Change, at: datetime, expected: Period | None) -> None:
    """A change is priced by the list of the day: of what is declared, else of what lives."""
    assert price_list(change, lookup, at=at) == expected


def test_an_annotation() -> None:
    """An annotation costs nothing itself; what its writes cost stands apart."""
    told = of(Annotate(NOTE, None, None, Reason.NEW, table.ANNOTATION))

    assert figures_of(told) == FREE
    assert told.rent_30_days == NOTHING
    assert told.use
    assert told.use.write == dollars(4)


@given(MEASURES, st.sampled_from(["noted", "unheard-of"]))
def test_no_rent_for_annotations(measure: Measure, model: str) -> None:
    """An annotation of any size has no rent and costs nothing to apply."""
    note = annotation("n", model=model, measure=measure)
    for change in (
        Annotate(note, None, None, Reason.NEW, table.ANNOTATION),
        Keep(note, None, noted(note), Reason.CURRENT, table.ANNOTATED),
    ):
        assert figures_of(of(change)) == FREE
        assert of(change).overlap == of(change).rent_30_days == NOTHING


@given(WANTS)
def test_keeping_adds_nothing(want: DesiredCache) -> None:
    """Keeping what lives costs nothing once and adds nothing to the rent."""
    change = Keep(
        want, live(desired(), tokens=MILLION, model="flat"), None, Reason.CURRENT, table.UNCHANGED
    )
    told = figures_of(of(change))

    assert (told.once, told.rent_per_hour_change) == (NOTHING, NOTHING)
    assert told.rent_per_hour_before == told.rent_per_hour_after


def test_nothing_costs_nothing() -> None:
    """A plan without changes costs nothing, and nothing lacks a price."""
    told = totals([])

    assert (told.lines, told.unpriced, figures_of(told)) == (0, 0, FREE)
    assert (told.overlap, told.rent_30_days, told.net_per_hour, told.steps) == (
        NOTHING,
        NOTHING,
        None,
        (),
    )


def test_costs_of_a_plan() -> None:
    """Each change has its cost, in order, even several of one name."""
    changes: tuple[Change, ...] = (
        Replace(OTHER, live(WANT), recorded(WANT), Reason.CONTENT, table.OUTDATED),
        Leave(live(WANT, id="cachedContents/0"), retiring(WANT), Reason.RETIRING, table.RETIRING),
        Create(UNKNOWN, None, Reason.NEW, table.NOTHING_ALIVE),
    )
    plan = Plan(stack=STACK, at=NOW, changes=changes, edits=frozenset())
    told = costs(plan, lookup, at=NOW)

    assert told == tuple(map(of, changes))


def test_a_blocked_cache_that_is_refreshed_is_paid_for_once() -> None:
    """The rent of a blocked cache stands in its own line, or in that of its refresh."""
    blocked = Blocked(
        None, live(WANT), recorded(WANT), Reason.UNDECLARED, "no", table.UNDECLARED_PROTECTED
    )
    refresh = Refresh(WANT, live(WANT), recorded(WANT), Reason.EXPIRING, table.DUE)
    other = replace(blocked, record=recorded(replace(WANT, name="b")))
    plan = Plan(stack=STACK, at=NOW, changes=(blocked, refresh, other), edits=frozenset())

    rents = [line.rent_per_hour_after for line in costs(plan, lookup, at=NOW)]
    assert rents == [NOTHING, dollars(1), dollars(1)]


def test_totals_with_an_unknown() -> None:
    """A total with an unknown in it is marked, and says how many lines have no price."""
    told = totals(
        map(
            of,
            [
                Create(WANT, None, Reason.NEW, table.NOTHING_ALIVE),
                Create(UNKNOWN, None, Reason.NEW, table.NOTHING_ALIVE),
            ],
        )
    )

    assert (told.lines, told.unpriced) == (2, 1)
    assert told.once == dollars(2) + NO_PRICE
    assert told.rent_per_hour_change == dollars(1) + NO_PRICE


def test_totals_of_prices_that_change() -> None:
    """From a day on that changes one line, the total has the old figures of the others."""
    told = totals(
        map(
            of,
            [
                Create(WANT, None, Reason.NEW, table.NOTHING_ALIVE),
                Create(DOUBLED, None, Reason.NEW, table.NOTHING_ALIVE),
            ],
        )
    )
    (step,) = told.steps

    assert figures_of(told) == figures("4", "0", "2")
    assert (step.on, figures_of(step)) == (TURN, figures("6", "0", "3"))


def test_totals_without_the_dead() -> None:
    """From a day on that changes a price, the total holds nothing of what is dead by then."""
    warm = Keep(DOUBLED, live(DOUBLED), recorded(DOUBLED), Reason.CURRENT, table.UNCHANGED)
    lines = [of(warm), of(Create(ONCE, None, Reason.NEW, table.NOTHING_ALIVE))]
    (step,) = totals(lines).steps

    assert figures_of(totals(lines)) == figures("2", "1", "2")
    assert (step.on, figures_of(step)) == (TURN, figures("2", "2", "2"))


def test_totals_of_calls() -> None:
    """The net is that of the lines that declare their calls."""
    used = replace(WANT, calls_per_hour=10)
    told = totals(
        map(
            of,
            [
                Create(used, None, Reason.NEW, table.NOTHING_ALIVE),
                Create(WANT, None, Reason.NEW, table.NOTHING_ALIVE),
            ],
        )
    )

    assert told.net_per_hour == dollars(17)


@given(st.lists(CHANGES))
def test_totals_are_sums(changes: Sequence[Change]) -> None:
    """Every total is the sum of its lines."""
    lines = [of(change) for change in changes]
    told = totals(lines)

    assert told.lines == len(lines)
    assert told.unpriced == sum(line.unpriced for line in lines)
    assert told.once == total(line.once for line in lines)
    assert told.rent_per_hour_after == total(line.rent_per_hour_after for line in lines)
    assert told.rent_per_hour_change == total(line.rent_per_hour_change for line in lines)
    assert told.rent_30_days == total(line.rent_30_days for line in lines)
    assert told.overlap == total(line.overlap for line in lines)


@given(st.lists(CHANGES), st.lists(CHANGES))
def test_totals_of_totals(some: Sequence[Change], others: Sequence[Change]) -> None:
    """Two groups together cost what all their lines cost."""
    one, other = totals(map(of, some)), totals(map(of, others))
    both = totals(map(of, [*some, *others]))

    assert figures_of(one) + figures_of(other) == figures_of(both)
    assert one.rent_30_days + other.rent_30_days == both.rent_30_days


@given(WANTS)
def test_a_removal_undoes_a_creation(want: DesiredCache) -> None:
    """The rent that a removal stops is the one that a creation adds."""
    counted = replace(want, measure=replace(want.measure, counted=True))
    made = of(Create(counted, None, Reason.NEW, table.NOTHING_ALIVE))
    gone = of(Delete(live(counted), None, Reason.STRAY, table.STRAY))

    assert made.rent_per_hour_after == gone.rent_per_hour_before
    assert made.rent_per_hour_change.partial == gone.rent_per_hour_change.partial
    assert made.rent_per_hour_change.nano == -gone.rent_per_hour_change.nano


@pytest.mark.parametrize(
    ("model", "expected"), [("flat", dollars(1)), ("unheard-of", NO_PRICE), ("implicit", NO_PRICE)]
)
def test_rent_of_a_live_cache(model: str, expected: Money) -> None:
    """Any live cache has a rent, by its model and its tokens."""
    assert rent(live(model=model, tokens=MILLION), lookup, at=NOW) == expected


def test_rent_at_a_moment() -> None:
    """Rent is what it is at the moment that was asked for."""
    turned = NOW + 24 * HOUR * 10
    cache = live(model="doubling", tokens=MILLION, expires_at=turned + HOUR)

    assert rent(cache, lookup, at=turned) == dollars(2)
    assert rent(cache, lookup, at=turned + HOUR) == NOTHING


def test_upkeep_of_what_is_recorded() -> None:
    """What is kept warm costs a month from now on, what is not its own life, the dead nothing."""
    warm = recorded(WANT)
    once = recorded(replace(WANT, settings=Settings(keep="once")))

    assert upkeep(warm, lookup, at=NOW) == Rent(rent_per_hour=dollars(1), rent_30_days=dollars(720))
    assert upkeep(once, lookup, at=NOW) == Rent(rent_per_hour=dollars(1), rent_30_days=dollars(6))
    assert upkeep(warm, lookup, at=warm.expires_at) == NO_RENT
    assert upkeep(live(WANT), lookup, at=NOW).rent_30_days == dollars(720)


def keep(want: DesiredCache, tokens: int) -> Keep:
    record = recorded(want, measure=replace(want.measure, tokens=tokens))
    return Keep(want, live(want, tokens=tokens), record, Reason.CURRENT, table.UNCHANGED)


MODELS = st.builds(
    lambda model, counted, calls, settings: desired(
        model=model,
        measure=Measure(tokens=7, counted=counted),
        calls_per_hour=calls,
        settings=settings,
    ),
    st.sampled_from(["flat", "tiered", "doubling", "ending", "implicit", "uneven", "unheard-of"]),
    st.booleans(),
    st.sampled_from([None, None, 3.0]),
    st.sampled_from([Settings(), Settings(keep="once")]),
)
AT_REST = st.lists(
    st.builds(keep, MODELS, st.integers(0, 10**7))
    | st.builds(Create, MODELS, st.none(), st.just(Reason.NEW), st.just(table.NOTHING_ALIVE))
    | st.just(Keep(annotation(), None, noted(annotation()), Reason.CURRENT, table.ANNOTATED)),
    max_size=12,
)


MIXED: list[Change] = [
    *(keep(desired(model="flat"), tokens) for tokens in (3, 5, 0)),
    *(keep(desired(model="doubling"), 10**7 + tokens) for tokens in (1, 2)),
    *(keep(desired(model="doubling"), 2 * MILLION) for _ in range(3)),
    *(keep(desired(model="unheard-of"), tokens) for tokens in (3, 5)),
    Create(desired(model="flat"), None, Reason.NEW, table.NOTHING_ALIVE),
]


@example(MIXED, NOW)
@example(MIXED, NOW + timedelta.resolution)
@given(AT_REST, st.sampled_from([NOW, NOW - MONTH, NOW + timedelta(hours=1.7)]))
def test_the_totals_are_the_sum_of_the_lines(changes: list[Change], at: datetime) -> None:
    """The totals agree to the nano-dollar, for caches kept, made or without a price."""
    plan = Plan(stack=STACK, at=at, changes=tuple(changes), edits=frozenset())

    assert totals_of(plan, lookup, at=at) == totals(costs(plan, lookup, at=at))


@pytest.mark.parametrize(
    ("model", "together"),
    [
        ("flat", 100),
        ("unheard-of", 100),
        ("tiered", 0),
        ("doubling", 100),
        ("ending", 100),
        ("uneven", 0),
    ],
)
def test_what_is_even_is_added_up(model: str, together: int) -> None:
    """A hundred sizes at one price are one sum; where sizes matter each is itself."""
    changes = [keep(desired(model=model), tokens) for tokens in range(1, 101)]
    kept, others = part(changes, tariffs(lookup), NOW)

    assert sum(map(len, kept.values())) == together
    assert len(kept) <= 1
    assert len(others) == 100 - together


def test_what_ends_is_priced_by_itself() -> None:
    """Only what is kept warm without declared calls lasts for the whole month."""
    once = desired(model="flat", settings=Settings(keep="once"))
    called = desired(model="flat", calls_per_hour=1)
    ending = desired(model="flat", life=Until(NOW + HOUR))
    dated = live(desired(model="flat"), expires_at=NOW + HOUR)
    changes = [
        *(keep(want, 1) for want in (once, called, ending)),
        Keep(annotation(), dated, None, Reason.CURRENT, table.UNCHANGED),
    ]

    assert part(changes, tariffs(lookup), NOW) == ({}, changes)


PAID = desired("a", model="flat", measure=Measure(tokens=MILLION, counted=True))
LATER = NOW + 24 * HOUR


def grant(begin: float, end: float, *, made: bool) -> Grant:
    return Grant(NOW + begin * HOUR, NOW + end * HOUR, made)


def paid(*grants: Grant, want: DesiredCache = PAID) -> Spent:
    return spent(want, grants, lookup, until=LATER)


def test_lives_that_overlap_are_paid_once() -> None:
    """A refresh goes on with one life; billed whole, both are paid."""
    spending = paid(grant(0, 6, made=True), grant(4, 10, made=False))

    assert spending == Spent(
        paid_to_create=dollars(2),
        paid_to_create_again=dollars(0),
        rent=dollars(10),
        rent_billed_by_ttl=dollars(12),
    )


def test_a_gap_costs_no_rent_but_another_creation() -> None:
    """What died is paid for again when it is made again."""
    spending = paid(grant(0, 1, made=True), grant(3, 4, made=True))

    assert (spending.paid_to_create, spending.paid_to_create_again) == (dollars(2), dollars(2))
    assert spending.rent == spending.rent_billed_by_ttl == dollars(2)


def test_what_goes_on_is_paid_up_to_the_end() -> None:
    """Rent ends with what is looked at; a life that was granted is billed beyond it."""
    spending = paid(grant(20, 30, made=True))

    assert (spending.rent, spending.rent_billed_by_ttl) == (dollars(4), dollars(10))


def test_what_never_lived_costs_nothing() -> None:
    """A life that had ended when it began was never made."""
    assert paid(grant(2, 1, made=True)) == paid(grant(2, 2, made=True)) == UNSPENT


def test_lives_in_a_row() -> None:
    """Each stretch without a gap is paid from its first grant to its last end."""
    spending = paid(
        grant(0, 2, made=True),
        grant(1, 3, made=False),
        grant(3, 4, made=False),
        grant(6, 7, made=True),
        grant(9, 10, made=True),
    )

    assert (spending.rent, spending.rent_billed_by_ttl) == (dollars(6), dollars(7))


def test_a_named_project() -> None:
    """A project of any name is paid at the prices of its type."""
    assert paid(grant(0, 1, made=True), want=replace(PAID, provider="eu")) == paid(
        grant(0, 1, made=True)
    )


def test_no_price() -> None:
    """What an unknown model costs is unknown."""
    spending = paid(grant(0, 1, made=True), want=replace(PAID, model="unheard-of"))

    assert (spending.paid_to_create, spending.rent) == (NO_PRICE, NO_PRICE)


OLD = desired("a", "old", model="flat", measure=Measure(tokens=1_000))
NEW = desired("a", "new", model="flat", measure=Measure(tokens=2_000))
LIVE = live(OLD, tokens=1_111)
RECORD = replace(recorded(OLD), measure=Measure(tokens=1_111, counted=True))
TWIN = live(NEW, id="cachedContents/2", tokens=2_222)
ANNOTATION = annotation("a", model="noted", measure=Measure(tokens=500))
KEPT_ONCE = Settings(keep="once")


def effect_of(change: Change) -> Effect:
    return effect(change, tariffs(lookup), NOW)


def counts(change: Change) -> tuple[int | None, list[int], int | None, int | None]:
    """Tokens made, alive before, alive after, fading."""
    done = effect_of(change)
    return (
        done.makes.tokens if done.makes else None,
        [held.tokens for held in done.before],
        done.after.tokens if done.after else None,
        done.before[-1].tokens if done.fades else None,
    )


@pytest.mark.parametrize(
    ("change", "tokens"),
    [
        (Create(NEW, None, Reason.NEW, table.NOTHING_ALIVE), (2000, [], 2000, None)),
        (Replace(NEW, LIVE, RECORD, Reason.CONTENT, table.OUTDATED), (2000, [1111], 2000, 1111)),
        (Adopt(NEW, TWIN, None, None, Reason.FOUND, table.TWIN), (None, [2222], 2222, None)),
        (
            Adopt(NEW, TWIN, LIVE, RECORD, Reason.CONTENT, table.TWIN),
            (None, [2222, 1111], 2222, 1111),
        ),
        (Adopt(NEW, TWIN, None, RECORD, Reason.CONTENT, table.TWIN), (None, [2222], 2222, None)),
        (Refresh(OLD, LIVE, RECORD, Reason.EXPIRING, table.DUE), (None, [1111], 1111, None)),
        (Note(OLD, LIVE, RECORD, Reason.SETTINGS, table.SETTINGS), (None, [1111], 1111, None)),
        (Keep(OLD, LIVE, RECORD, Reason.CURRENT, table.UNCHANGED), (None, [1111], 1111, None)),
        (Keep(OLD, None, RECORD, Reason.ENDED, table.ENDED), (None, [], None, None)),
        (Annotate(ANNOTATION, None, None, Reason.NEW, table.ANNOTATION), (None, [], None, None)),
        (
            Annotate(ANNOTATION, LIVE, RECORD, Reason.PROVIDER, table.ANNOTATION),
            (None, [1111], None, 1111),
        ),
        (
            Keep(ANNOTATION, None, noted(ANNOTATION), Reason.CURRENT, table.ANNOTATED),
            (None, [], None, None),
        ),
        (Retire(LIVE, RECORD, Reason.UNDECLARED, table.UNDECLARED), (None, [1111], None, 1111)),
        (Delete(LIVE, RECORD, Reason.UNDECLARED, table.UNDECLARED), (None, [1111], None, None)),
        (Delete(LIVE, None, Reason.STRAY, table.STRAY), (None, [1111], None, None)),
        (Forget(RECORD, Reason.UNDECLARED, table.UNDECLARED_GONE), (None, [], None, None)),
        (Move("b", RECORD, Reason.MOVED, table.MOVED), (None, [], None, None)),
        (Leave(LIVE, retiring(OLD), Reason.RETIRING, table.RETIRING), (None, [1111], 1111, None)),
        (Leave(LIVE, None, Reason.STRAY, table.STRAY), (None, [1111], 1111, None)),
        (
            Blocked(None, LIVE, RECORD, Reason.UNDECLARED, "no", table.UNDECLARED_PROTECTED),
            (None, [1111], 1111, None),
        ),
        (
            Blocked(NEW, LIVE, None, Reason.IMPORTED, "no", table.NOT_ADOPTABLE),
            (None, [1111], 1111, None),
        ),
    ],
)
def test_what_every_change_makes(
    change: Change, tokens: tuple[int | None, list[int], int | None, int | None]
) -> None:
    """Each change makes, keeps and lets go what it says."""
    assert counts(change) == tokens


@pytest.mark.parametrize(
    ("change", "lasts"),
    [
        (Create(NEW, None, Reason.NEW, table.NOTHING_ALIVE), MONTH),
        (Create(replace(NEW, settings=KEPT_ONCE), None, Reason.NEW, table.NOTHING_ALIVE), 6 * HOUR),
        (Create(replace(NEW, life=Until(NOW + HOUR)), None, Reason.NEW, table.NOTHING_ALIVE), HOUR),
        (
            Create(
                replace(NEW, life=Until(NOW + 2 * MONTH)), None, Reason.NEW, table.NOTHING_ALIVE
            ),
            MONTH,
        ),
        (
            Create(replace(NEW, life=Until(NOW - HOUR)), None, Reason.NEW, table.NOTHING_ALIVE),
            timedelta(),
        ),
        (Refresh(replace(OLD, life=Until(NOW + HOUR)), LIVE, RECORD, Reason.LIFE, table.DUE), HOUR),
        (Keep(OLD, LIVE, RECORD, Reason.CURRENT, table.UNCHANGED), MONTH),
        (
            Keep(replace(OLD, settings=KEPT_ONCE), LIVE, RECORD, Reason.CURRENT, table.UNCHANGED),
            6 * HOUR,
        ),
        (
            Keep(replace(OLD, life=Until(NOW)), LIVE, RECORD, Reason.CURRENT, table.UNCHANGED),
            6 * HOUR,
        ),
        (
            Adopt(replace(NEW, settings=KEPT_ONCE), TWIN, None, None, Reason.FOUND, table.TWIN),
            6 * HOUR,
        ),
        (Delete(LIVE, None, Reason.STRAY, table.STRAY), 6 * HOUR),
        (Leave(LIVE, retiring(OLD), Reason.RETIRING, table.RETIRING), 6 * HOUR),
        (Blocked(None, LIVE, RECORD, Reason.UNDECLARED, "no", table.UNDECLARED_PROTECTED), MONTH),
        (Blocked(NEW, LIVE, None, Reason.IMPORTED, "no", table.NOT_ADOPTABLE), 6 * HOUR),
    ],
)
def test_how_long(change: Change, lasts: timedelta) -> None:
    """What is kept warm lives all month, and the rest to its end."""
    assert effect_of(change).lasts == lasts


@pytest.mark.parametrize(
    ("change", "tokens"),
    [
        (Create(NEW, None, Reason.NEW, table.NOTHING_ALIVE), 2000),
        (Adopt(NEW, TWIN, None, None, Reason.FOUND, table.TWIN), 2222),
        (Refresh(OLD, LIVE, RECORD, Reason.EXPIRING, table.DUE), 1111),
        (Note(OLD, LIVE, RECORD, Reason.SETTINGS, table.SETTINGS), 1111),
        (Keep(OLD, LIVE, RECORD, Reason.CURRENT, table.UNCHANGED), 1111),
        (Annotate(ANNOTATION, LIVE, RECORD, Reason.PROVIDER, table.ANNOTATION), 500),
        (Keep(ANNOTATION, None, noted(ANNOTATION), Reason.CURRENT, table.ANNOTATED), 500),
        (Keep(OLD, None, RECORD, Reason.ENDED, table.ENDED), None),
        (Retire(LIVE, RECORD, Reason.UNDECLARED, table.UNDECLARED), None),
    ],
)
def test_what_is_of_use(change: Change, tokens: int | None) -> None:
    """What is declared, and there after its change, has its content; the rest is of no use."""
    done = effect_of(change)

    assert (done.wanted.tokens if done.wanted else None) == tokens
    assert done.want == (change.want if tokens else None)


@pytest.mark.parametrize(
    ("after", "remaining", "span"),
    [
        (HOUR, 6 * HOUR, HOUR),
        (HOUR, HOUR / 2, HOUR / 2),
        (timedelta(), 6 * HOUR, timedelta()),
        (HOUR, -HOUR, timedelta()),
    ],
)
def test_how_long_the_old_one_fades(
    after: timedelta, remaining: timedelta, span: timedelta
) -> None:
    """An old cache lives on as long as its record says, but no longer than it has."""
    old = replace(LIVE, expires_at=NOW + remaining)
    record = replace(RECORD, settings=Settings(retire_after=after))

    assert effect_of(Replace(NEW, old, record, Reason.CONTENT, table.OUTDATED)).fades == span


def test_content_that_was_counted_once() -> None:
    """A cache that is made again has the tokens that its very content was counted to have."""
    made = effect_of(Create(OLD, RECORD, Reason.EXPIRED, table.NOTHING_ALIVE)).makes
    other = effect_of(Create(NEW, RECORD, Reason.CONTENT, table.NOTHING_ALIVE)).makes

    assert made is not None
    assert other is not None
    assert (made.tokens, made.estimated) == (1111, False)
    assert (other.tokens, other.estimated) == (2000, True)


def test_content_counted_before_it_is_made() -> None:
    """What the provider counted for a plan is no estimate."""
    want = replace(NEW, measure=Measure(tokens=2100, counted=True))
    made = effect_of(Create(want, None, Reason.NEW, table.NOTHING_ALIVE)).makes

    assert made is not None
    assert (made.tokens, made.estimated) == (2100, False)


def test_a_revision_that_stands_for_what_lives() -> None:
    """Where what is alive is only supposed, its tokens are as sure as its record."""
    supposed = replace(RECORD, measure=Measure(tokens=1_000, counted=False))
    (before,) = effect_of(Keep(OLD, LIVE, supposed, Reason.CURRENT, table.UNCHANGED)).before

    assert before.estimated


def test_a_provider_that_tells_no_count() -> None:
    """Without the provider's count the recorded one is the best there is."""
    (before,) = effect_of(
        Keep(OLD, replace(LIVE, tokens=0), RECORD, Reason.CURRENT, table.UNCHANGED)
    ).before

    assert (before.tokens, before.estimated) == (1111, True)


def test_the_count_of_the_provider_is_the_latest() -> None:
    """What the provider counts in a live cache stands before what is on record."""
    (before,) = effect_of(
        Keep(OLD, replace(LIVE, tokens=1_234), RECORD, Reason.CURRENT, table.UNCHANGED)
    ).before

    assert (before.tokens, before.estimated) == (1_234, False)


def test_the_record_of_another_cache() -> None:
    """A record that names another cache says nothing of what a live one holds."""
    supposed = replace(RECORD, id="cachedContents/9", measure=Measure(tokens=7, counted=False))
    (before,) = effect_of(
        Blocked(NEW, LIVE, supposed, Reason.IMPORTED, "no", table.NOT_ADOPTABLE)
    ).before

    assert (before.tokens, before.estimated) == (1_111, False)
