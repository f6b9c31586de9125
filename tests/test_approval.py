"""What an approved plan lets through, and what not."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.approval import Approval, approval_of, is_expected, objections
from provisioner.errors import Refused
from provisioner.model import Desired, LiveCache, Plan, Recorded, Ttl
from provisioner.planner import plan, select
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, recorded, state
from tests.render.scene import view

A, B, C = desired("a"), desired("b"), desired("c")
A2, A3 = desired("a", "y"), desired("a", "z")
KNOWN = [recorded(A), recorded(B, "cachedContents/2")]
WARM = [live(A), live(B, "cachedContents/2")]


def planned(
    want: list[Desired],
    known: list[Recorded] | None = None,
    seen: list[LiveCache] | None = None,
    now: datetime = NOW,
    replace: Collection[str] = (),
) -> Plan:
    memory = state(*(KNOWN if known is None else known))
    return plan(want, memory, WARM if seen is None else seen, stack=STACK, now=now, replace=replace)


def approved(told: Plan) -> Approval:
    return approval_of(view(told))


def refused(told: Plan, then: Plan) -> list[str]:
    return [objection.name for objection in objections(told, approved(then))]


THEN = planned([A2, B])
LATER = NOW + 24 * HOUR


def test_the_same_goes_through() -> None:
    """The plan that was approved has nothing to object to."""
    assert refused(THEN, THEN) == []


def test_done_and_less_go_through() -> None:
    """What has been applied meanwhile, or reverted, needs no approval."""
    done = planned([A2, B], [recorded(A2), KNOWN[1]], [live(A2), WARM[1]])

    assert refused(done, THEN) == []
    assert refused(planned([A, B]), planned([A2, desired("b", "y")])) == []


def test_time_and_drift_go_through() -> None:
    """Refreshes that became due and caches that died do not undo an approval."""
    cold = planned([A2, B], seen=[], now=LATER)

    assert len(cold.pending) == 2
    assert refused(cold, THEN) == []


@pytest.mark.parametrize(
    ("want", "names"),
    [
        ([A3, B], ["a"]),
        ([A2, B, C], ["c"]),
        ([A2], ["b"]),
        ([A2, desired("b", life=Ttl(HOUR))], ["b"]),
        ([A2, annotation("b")], ["b"]),
    ],
)
def test_more_is_refused(want: list[Desired], names: list[str]) -> None:
    """Another edit, a new entry, a removal or another life is named and refused."""
    assert refused(planned(want), THEN) == names


def test_removals() -> None:
    """A removal goes through if it was approved as one."""
    assert refused(planned([A]), planned([A])) == []


def test_requests() -> None:
    """A replacement on request goes through only if it was requested then."""
    now = planned([A, B], replace={"a"})

    assert refused(now, planned([A, B])) == ["a"]
    assert refused(now, now) == []


def test_kept_entries_are_approved() -> None:
    """What was in order then may be restored now, if somebody else undid it meanwhile."""
    undone = planned([A, B], [recorded(A3), KNOWN[1]], [live(A3), WARM[1]])

    assert refused(undone, planned([A, B])) == []


def test_expected() -> None:
    """A fingerprint lets exactly its edits through, or a plan without any."""
    assert is_expected(planned([A2, B], seen=[], now=LATER), THEN.fingerprint)
    assert is_expected(planned([A, B]), THEN.fingerprint)
    assert not is_expected(planned([A3, B]), THEN.fingerprint)


def test_a_part_of_a_plan() -> None:
    """A part of a plan, selected by name, approves nothing and says how to make a whole one."""
    with pytest.raises(Refused, match="ctxprov plan --out"):
        approved(select(THEN, targets=["a"], excludes=[]))


_WANTS = st.lists(
    st.builds(desired, name=st.sampled_from("abc"), content=st.sampled_from("xyz")),
    max_size=3,
    unique_by=lambda want: want.name,
)


@given(want=_WANTS, hours=st.integers(0, 30), warm=st.booleans())
def test_an_approval_survives_the_night(want: list[Desired], hours: int, *, warm: bool) -> None:
    """Whatever time and drift do, the same repository needs no second approval."""
    then = planned(want)
    now = planned(want, seen=WARM if warm else [], now=NOW + hours * HOUR)

    assert refused(now, then) == []
    assert is_expected(now, then.fingerprint)
