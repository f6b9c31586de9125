"""What goes beyond the limits of a stack, and what of it is refused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model.attributes import Measure, Settings, Ttl
from provisioner.model.changes import Cause
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, DesiredCache, LiveCache, Recorded
from provisioner.model.stack_settings import Allowance, Bound, Breach, Limit, Limits, TooDear
from provisioner.operations.check_limits import breaches, breaches_of_any, excused
from provisioner.planner import edits, plan
from provisioner.planner.hypothetical import as_if_applied, recorded_as_desired
from provisioner.planner.selection import select
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, recorded, retiring, state
from tests.pricing.prices import MILLION, dollars, lookup

NONE = Allowance(count=Bound(Decimal(0), "f:1:1"))
ANY = Allowance(percent=Bound(Decimal(100), "f:1:1"))


def cache(name: str, content: str = "x", *, millions: int = 1, model: str = "flat") -> DesiredCache:
    """It costs a dollar per million tokens and hour."""
    measure = Measure(tokens=millions * MILLION, counted=True)
    return desired(name, content, model=model, measure=measure)


def planned(
    want: Iterable[Desired],
    before: Iterable[Desired],
    *,
    cold: bool = False,
    request: Sequence[str] = (),
) -> Plan:
    """What leads to *want* where *before* was applied; *cold* if all of it has died since."""
    memory, seen = as_if_applied(before, stack=STACK, now=NOW)
    now = NOW + 24 * HOUR if cold else NOW
    alive = () if cold else seen
    return plan(want, memory, alive, stack=STACK, now=now, replace=request)


def found(told: Plan, limits: Limits) -> dict[str, bool]:
    """Each breach, and whether it refuses."""
    return {key(one): one.refuses for one in breaches(told, limits, lookup)}


def key(breach: Breach) -> str:
    return breach.limit if isinstance(breach, TooDear) else f"{breach.limit}.{breach.key}"


def bound(amount: str | int) -> Bound:
    return Bound(Decimal(amount), "f:1:1")


FIVE = [cache(name) for name in "abcde"]
EDITED = [cache(name, "y") for name in "abcde"]
ENDED_AT_ONCE = [replace(one, settings=Settings(retire_after=timedelta())) for one in FIVE]
NOTES = [annotation(name) for name in "vwxyz"]


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize(
    ("want", "before", "refused"),
    [
        (FIVE[:3], FIVE, {}),
        (FIVE[:2], FIVE, {"delete.percent"}),
        (FIVE[:1], FIVE[:4], {}),
        ([*EDITED[:2], *FIVE[2:]], FIVE, {}),
        ([*EDITED[:3], *FIVE[3:]], FIVE, {"replace.percent"}),
        (EDITED[:2], FIVE, {"delete.percent"}),
        ([replace(one, life=Ttl(12 * HOUR)) for one in FIVE], FIVE, {}),
        ([replace(one, settings=Settings(protect=True)) for one in FIVE], FIVE, {}),
        ([*FIVE, *(cache(name) for name in "vwxyz")], FIVE, {}),
        ([cache(name, model="tiered") for name in "abcde"], FIVE, {"replace.percent"}),
        ([annotation(name) for name in "abcde"], FIVE, {"delete.percent"}),
        ([annotation(name, "y") for name in "abcde"], [annotation(name) for name in "abcde"], {}),
        ([], [annotation(name) for name in "abcde"], {}),
        ([], ENDED_AT_ONCE, {"delete.percent"}),
        ([*FIVE, *(annotation(name, "y") for name in "vwxyz")], [*FIVE, *NOTES], {}),
    ],
)
def test_half_of_five(
    want: list[Desired], before: list[Desired], refused: Iterable[str], *, cold: bool
) -> None:
    """Unasked, no more than half of five or more caches go at once, dead or alive."""
    told = planned(want, before, cold=cold)

    assert found(told, Limits()) == dict.fromkeys(refused, True)


def test_requests_count() -> None:
    """Replacing on request is replacing."""
    told = planned(FIVE, FIVE, request=["a", "b", "c"])

    assert found(told, Limits()) == {"replace.percent": True}
    assert found(planned(FIVE, FIVE, request=["a"]), Limits(replace=NONE)) == {
        "replace.count": True
    }


def test_a_revert_replaces() -> None:
    """Taking back the old cache changes what the name stands for, as creating it would."""
    old = live(FIVE[0], "cachedContents/2")
    told = plan([FIVE[0]], state(recorded(EDITED[0])), [live(EDITED[0]), old], stack=STACK, now=NOW)

    assert found(told, Limits(replace=NONE)) == {"replace.count": True}


@pytest.mark.parametrize(
    ("allowance", "over"),
    [
        (Allowance(count=bound(1)), {"count"}),
        (Allowance(count=bound(2)), set()),
        (Allowance(percent=bound(39)), {"percent"}),
        (Allowance(percent=bound(40)), set()),
        (Allowance(count=bound(1), percent=bound(39)), {"count", "percent"}),
        (Allowance(count=bound(1), percent=bound(100)), {"count"}),
    ],
)
def test_count_and_percent(allowance: Allowance, over: set[str]) -> None:
    """Two of five may go where both bounds have room for them."""
    told = planned(FIVE[2:], FIVE)

    assert found(told, Limits(delete=allowance)) == {f"delete.{one}": True for one in over}


def test_what_is_said_holds_in_small_stacks() -> None:
    """Only the default leaves fewer than five alone."""
    told = planned([], FIVE[:1])

    assert found(told, Limits()) == {}
    assert found(told, Limits(delete=Allowance(percent=bound(50)))) == {"delete.percent": True}


def test_a_part_is_measured_by_the_whole() -> None:
    """Five selected of thirty are a sixth, not all."""
    many = [cache(f"c{at:02}") for at in range(30)]
    told = planned([replace(one, digest="0" * 64) for one in many], many)
    part = select(told, targets=["c0[0-4]"], excludes=())

    assert found(told, Limits()) == {"replace.percent": True}
    assert len(part.pending) == 5
    assert found(part, Limits()) == {}


def test_a_move_makes_no_stack_larger() -> None:
    """A cache that moves to another name is one of its stack, not two."""
    before = FIVE[:4]
    memory, seen = as_if_applied(before, stack=STACK, now=NOW)
    want = [cache("new", "a")]
    moved = plan(want, memory, seen, stack=STACK, now=NOW, renames=[("a", "new")])

    assert [c.verb for c in moved.changes].count("move") == 1
    assert found(moved, Limits()) == {}


def test_the_lowest_of_several_limits() -> None:
    """Where several limits hold, each is named by its lowest bound, of equal ones by the first."""
    told = planned(FIVE[3:], FIVE)
    low, high = (
        Limits(delete=Allowance(count=Bound(Decimal(most), where)))
        for most, where in ((1, "low"), (2, "high"))
    )
    same = Limits(delete=Allowance(count=Bound(Decimal(1), "same")))

    def named(*several: Limits) -> list[str | None]:
        return [breach.bound.where for breach in breaches_of_any(told, several, lookup)]

    assert named(low, high) == named(high, low) == named(low, same) == ["low"]
    assert named(same, low) == ["same"]
    assert named(Limits(delete=ANY), high) == ["high"]


def test_rent_per_hour() -> None:
    """An edit may bring the rent up to its limit and no further."""
    told = planned([cache("a"), cache("b", millions=2)], [cache("a")])
    (over,) = breaches(told, Limits(rent_per_hour=bound("2.999999999")), lookup)

    assert isinstance(over, TooDear)
    assert over.rent == dollars(3)
    assert over.refuses
    assert found(told, Limits(rent_per_hour=bound(3))) == {}


def test_rent_of_30_days() -> None:
    """What is kept warm lives on all the time, what is kept once does not."""
    warm = planned([cache("a")], [])
    once = planned([replace(cache("a"), settings=Settings(keep="once"))], [])

    assert found(warm, Limits(rent_total_per_30_days=bound(719))) == {
        "rent_total_per_30_days": True
    }
    assert found(warm, Limits(rent_total_per_30_days=bound(720))) == {}
    assert found(once, Limits(rent_total_per_30_days=bound(6))) == {}


def test_keeping_warm_what_was_kept_once() -> None:
    """A setting adds to the rent of a month and to that of no hour."""
    told = planned(
        [cache("a")], [replace(cache("a"), settings=Settings(keep="once", retire_after=HOUR))]
    )

    assert [c.reason.cause for c in told.pending] == [Cause.EDIT]
    assert found(told, Limits(rent_per_hour=bound(0), rent_total_per_30_days=bound(7))) == {
        "rent_per_hour": False,
        "rent_total_per_30_days": True,
    }


@pytest.mark.parametrize("cold", [False, True])
@pytest.mark.parametrize(
    "want",
    [
        FIVE[1:],
        [cache("a", "y"), *FIVE[1:]],
        [replace(one, life=Ttl(12 * HOUR)) for one in FIVE],
        [cache("a", "y", millions=2), *FIVE[2:]],
    ],
)
def test_edits_that_add_nothing(want: list[Desired], *, cold: bool) -> None:
    """Above its limit a stack may still be edited, if that makes it no dearer."""
    told = planned(want, FIVE, cold=cold)

    assert found(told, Limits(rent_per_hour=bound(1))) == {"rent_per_hour": False}


def test_the_dying_cost_nothing() -> None:
    """Neither what is retired now nor what retires already counts."""
    told = plan(
        [cache("a", "y")],
        state(recorded(cache("a")), retiring=[retiring(cache("a", "z"))]),
        [live(cache("a")), live(cache("a", "z"), "cachedContents/old", expires_at=NOW + HOUR)],
        stack=STACK,
        now=NOW,
    )

    assert found(told, Limits(rent_per_hour=bound(1), rent_total_per_30_days=bound(720))) == {}


def test_a_stray_costs_rent() -> None:
    """What lives on without a record counts, and refuses nothing, since no edit made it."""
    told = plan([], state(), [live(cache("a"))], stack=STACK, now=NOW)

    assert found(told, Limits(rent_per_hour=bound("0.5"))) == {"rent_per_hour": False}


@pytest.mark.parametrize("twins", [(), ("cachedContents/2",)])
def test_what_lives_counts_as_its_provider_counts_it(twins: Iterable[str]) -> None:
    """An edit adds nothing that is smaller than what lives, though more than is on record."""
    smaller = cache("a", "y", millions=2)
    seen = [live(cache("a"), tokens=3 * MILLION), *(live(smaller, twin) for twin in twins)]
    told = plan([smaller], state(recorded(cache("a"))), seen, stack=STACK, now=NOW)

    assert [c.verb for c in told.pending] == ["adopt" if twins else "replace"]
    assert found(told, Limits(rent_per_hour=bound(1))) == {"rent_per_hour": False}


def test_a_twin_that_is_larger() -> None:
    """An edit that adopts a larger cache adds to the rent, though both live already."""
    larger = cache("a", "y", millions=2)
    seen = [live(cache("a")), live(larger, "cachedContents/2")]
    planned_edit = plan([larger], state(recorded(cache("a"))), seen, stack=STACK, now=NOW)

    assert [c.verb for c in planned_edit.pending] == ["adopt"]
    assert found(planned_edit, Limits(rent_per_hour=bound(1))) == {"rent_per_hour": True}


def test_what_has_run_out_by_the_clock_of_its_provider() -> None:
    """An edit that brings back what had ended adds its rent, under any local clock."""
    ended = replace(cache("a"), settings=Settings(keep="once"))
    memory, _ = as_if_applied([ended], stack=STACK, now=NOW)
    told = plan([cache("a")], memory, [], stack=STACK, now=NOW, ahead={"gemini": 7 * HOUR})

    assert [c.verb for c in told.pending] == ["create"]
    assert found(told, Limits(rent_per_hour=bound("0.5"))) == {"rent_per_hour": True}


def test_no_price() -> None:
    """A limit of money refuses what has no price, and names what had none before."""
    unknown = cache("u", model="unheard-of")
    money = Limits(rent_per_hour=bound(100))
    (over,) = breaches(planned([*FIVE, unknown], FIVE), money, lookup)

    assert isinstance(over, TooDear)
    assert (over.unpriced, over.refuses) == (("u",), True)
    assert found(planned([*FIVE, unknown], FIVE), Limits()) == {}
    assert found(planned([unknown], [unknown, cache("a")]), money) == {"rent_per_hour": False}
    assert found(planned([unknown, cache("a")], [unknown]), money) == {"rent_per_hour": True}
    assert found(planned([], [unknown]), money) == {}


def test_a_part_pays_for_the_rest() -> None:
    """What a selection leaves as it is goes on costing what it costs."""
    told = planned([*FIVE, cache("x"), cache("y", millions=50)], FIVE)
    part = select(told, targets=["x"], excludes=())

    assert found(part, Limits(rent_per_hour=bound(6), rent_total_per_30_days=bound(6 * 720))) == {}
    assert found(part, Limits(rent_per_hour=bound(5), rent_total_per_30_days=bound(5 * 720))) == {
        "rent_per_hour": True,
        "rent_total_per_30_days": True,
    }


def test_excused() -> None:
    """The result lists an override by name; a limit without one still refuses."""
    told = planned([cache("a", "y"), cache("b", millions=9)], [cache("a")])
    over = breaches(told, Limits(replace=NONE, rent_per_hour=bound(1)), lookup)

    assert [one.refuses for one in over] == [True, True]
    assert [one.refuses for one in excused(over, ["replace"])] == [False, True]
    assert [one.refuses for one in excused(over, frozenset(Limit))] == [False, False]
    lenient = excused(over, ["replace"])
    assert [one.refuses for one in excused(lenient, ["delete"])] == [False, True]


_WANTS = st.lists(
    st.builds(
        cache,
        name=st.sampled_from("abcdefg"),
        content=st.sampled_from("xy"),
        millions=st.integers(1, 3),
        model=st.sampled_from(["flat", "flat", "unheard-of"]),
    ),
    max_size=7,
    unique_by=lambda want: want.name,
)
_BOUNDS = st.none() | st.builds(Bound, st.integers(0, 8).map(Decimal), st.just("f:1:1"))
_ALLOWANCES = st.builds(Allowance, count=_BOUNDS, percent=_BOUNDS)
_LIMITS = st.builds(
    Limits,
    delete=_ALLOWANCES,
    replace=_ALLOWANCES,
    rent_per_hour=_BOUNDS,
    rent_total_per_30_days=_BOUNDS,
)


@given(before=_WANTS, limits=_LIMITS, hours=st.integers(0, 30), kept=st.integers(0, 7))
def test_time_and_drift_are_never_refused(
    before: list[Desired], limits: Limits, hours: int, kept: int
) -> None:
    """Without an edit no limit refuses, though caches died, live on or were never recorded."""
    memory, seen = as_if_applied(before, stack=STACK, now=NOW)
    records: list[Recorded] = [*memory.caches.values()]
    told = plan(before, memory, seen[:kept], stack=STACK, now=NOW + hours * HOUR)
    lost = plan(before, state(*records[:kept]), _labelled(before), stack=STACK, now=NOW)

    assert not edits(before, memory)
    assert not any(found(told, limits).values())
    assert all(c.reason.cause is Cause.DRIFT for c in lost.pending)
    assert not any(found(lost, limits).values())
    assert not any(found(_upkeep(memory, seen[:kept], hours), limits).values())


@given(before=_WANTS, want=_WANTS, limits=_LIMITS, more=_LIMITS)
def test_a_higher_limit_refuses_no_more(
    before: list[Desired], want: list[Desired], limits: Limits, more: Limits
) -> None:
    """Raising bounds, or lifting them, adds no refusal."""
    told = planned(want, before)
    raised = Limits(
        delete=_raised(limits.delete, more.delete),
        replace=_raised(limits.replace, more.replace),
        rent_per_hour=_sum(limits.rent_per_hour, more.rent_per_hour),
        rent_total_per_30_days=_sum(limits.rent_total_per_30_days, more.rent_total_per_30_days),
    )

    assert found(told, raised).items() <= found(told, limits).items()


@given(before=_WANTS, want=_WANTS, limits=_LIMITS)
def test_a_night_refuses_nothing_new(
    before: list[Desired], want: list[Desired], limits: Limits
) -> None:
    """What was within the limits with all caches alive is so when all of them have died."""
    warm, cold = planned(want, before), planned(want, before, cold=True)

    assert found(cold, limits) == found(warm, limits)


def _labelled(before: Iterable[Desired]) -> list[LiveCache]:
    """All of it alive under ids that the record knows, and with our label."""
    return [live(one, f"base/{one.name}") for one in before if isinstance(one, DesiredCache)]


def _upkeep(memory: object, seen: Sequence[LiveCache], hours: int) -> Plan:
    assert isinstance(memory, type(state()))
    now = NOW + timedelta(hours=hours)
    return plan(recorded_as_desired(memory), memory, seen, stack=STACK, now=now)


def _raised(allowance: Allowance, by: Allowance) -> Allowance:
    return Allowance(
        count=_sum(allowance.count, by.count), percent=_sum(allowance.percent, by.percent)
    )


def _sum(one: Bound | None, by: Bound | None) -> Bound | None:
    """Higher by another bound; without one it is lifted."""
    return Bound(one.most + by.most, one.where) if one and by else None
