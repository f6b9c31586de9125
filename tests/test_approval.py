"""What an approval lets through, and what is left undone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.approval import (
    Approval,
    Undone,
    approval_of,
    approved_digests,
    undone,
)
from provisioner.model.attributes import Ttl
from provisioner.model.facts import ApprovedEdits, State
from provisioner.model.plan import ApprovalText, Plan
from provisioner.model.records import Desired, LiveCache, Recorded
from provisioner.model.stack_settings import Bound, Limit, SettingEdit, TooMany
from provisioner.planner import edits, plan
from provisioner.planner.hypothetical import as_recorded
from provisioner.planner.selection import select
from provisioner.view.snapshot import after_view
from provisioner.view.wording import broken_limits
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, recorded, state
from tests.render.fixtures import view

A, B, C = desired("a"), desired("b"), desired("c")
A2, A3 = desired("a", "y"), desired("a", "z")
KNOWN = [recorded(A), recorded(B, "cachedContents/2")]
WARM = [live(A), live(B, "cachedContents/2")]


def planned(
    want: Sequence[Desired],
    known: Sequence[Recorded] | None = None,
    seen: Sequence[LiveCache] | None = None,
    now: datetime = NOW,
    replace: Collection[str] = (),
) -> Plan:
    memory = state(*(KNOWN if known is None else known))
    return plan(want, memory, WARM if seen is None else seen, stack=STACK, now=now, replace=replace)


def left(fresh: Plan, approval: Approval, remembered: ApprovedEdits | None = None) -> list[str]:
    approved = approved_digests(approval, [fresh], remembered)
    return sorted(undone(approval, fresh, approved).names)


def refused(fresh: Plan, then: Plan) -> list[str]:
    """What is left undone by the plan of *then*, and alike by what its comment carries."""
    shown = approval_of(view(then))
    by_file = left(fresh, shown)
    by_word = Approval.parse(
        str(ApprovalText(fingerprint=shown.fingerprint, digests=shown.digests))
    )
    if not any(change.reason == "requested" for change in fresh.changes):
        assert left(fresh, by_word) == by_file
    return by_file


THEN = planned([A2, B])
LATER = NOW + 24 * HOUR


def test_the_same_goes_through() -> None:
    """Of the plan that was approved nothing is left undone."""
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


def test_what_is_found_goes_through() -> None:
    """A live cache that carries the label of its entry was applied before: no approval is due."""
    found = planned([A], known=[], seen=[live(A)])

    assert [change.reason for change in found.changes] == ["found"]
    assert refused(found, planned([])) == []


@pytest.mark.parametrize(
    ("want", "names"),
    [
        ([A3, B], ["a"]),
        ([A2, B, C], ["c"]),
        ([A2], ["b"]),
        ([A2, desired("b", life=Ttl(HOUR))], ["b"]),
        ([A2, annotation("b")], ["b"]),
        ([A3, C], ["a", "b", "c"]),
    ],
)
def test_more_is_left_undone(want: list[Desired], names: list[str]) -> None:
    """Another edit, a new entry, a removal or another life is named; what is approved is not."""
    assert refused(planned(want), THEN) == names


def test_requests() -> None:
    """A replacement on request goes through only if it was requested then."""
    now = planned([A, B], replace={"a"})

    assert refused(now, planned([A, B])) == ["a"]
    assert refused(now, now) == []


def test_kept_entries_are_not_approved() -> None:
    """A plan approves the edits that it shows, and none of an entry that it shows as it stays."""
    undone_since = planned([A, B], [recorded(A3), KNOWN[1]], [live(A3), WARM[1]])

    assert refused(undone_since, planned([A, B])) == ["a"]


def test_a_fingerprint_alone() -> None:
    """It approves exactly its edits, however late; and of another set of edits none."""
    alone = Approval(fingerprint=THEN.fingerprint)

    assert left(planned([A2, B], seen=[], now=LATER), alone) == []
    assert left(planned([A, B]), alone) == []
    assert left(planned([A3, B]), alone) == ["a"]
    assert left(planned([A2, B, C]), alone) == ["a", "c"]


def test_a_fingerprint_after_half_of_the_work() -> None:
    """What the state remembers of an approval lets its fingerprint through for what is left."""
    both = planned([A2, desired("b", "y")])
    alone = Approval(fingerprint=both.fingerprint)
    remembered = ApprovedEdits(fingerprint=both.fingerprint, digests=tuple(both.digests))
    half = planned([A2, desired("b", "y"), C], [recorded(A2), KNOWN[1]], [live(A2), WARM[1]])

    assert left(half, alone) == ["b", "c"]
    assert left(half, alone, remembered) == ["c"]
    assert left(half, Approval(fingerprint="0" * 64), remembered) == ["b", "c"]


def test_a_part_of_a_plan() -> None:
    """A part of a plan approves what it shows."""
    both = planned([A2, desired("b", "y")])

    assert refused(both, select(both, targets=["a"], excludes=[])) == ["b"]


def test_edits_of_another_stack() -> None:
    """Digests that are not those of the fingerprint in this stack approve nothing."""
    other = Approval(fingerprint="0" * 64, digests=THEN.digests)

    assert left(THEN, other) == ["a"]


@pytest.mark.parametrize(
    "text", ["", "a" * 63, "A" * 64, "a" * 64 + ",", "a" * 64 + ",replace", "a" * 64 + ",b"]
)
def test_no_approval(text: str) -> None:
    """Approval refuses all but a whole fingerprint with whole digests and limits."""
    with pytest.raises(ValueError, match="not a fingerprint"):
        Approval.parse(text)


def test_an_approval_in_one_word() -> None:
    """It carries the fingerprint, the broken limits that were shown, and the edits."""
    text = ApprovalText(
        fingerprint="f" * 64,
        limits=frozenset({"replace.percent", "rent_per_hour"}),
        digests=frozenset({"a" * 64}),
    )
    found = Approval.parse(str(text))

    assert found.fingerprint == "f" * 64
    assert found.digests == frozenset({"a" * 64})
    assert found.limits == {"replace.percent", "rent_per_hour"}


def test_a_fingerprint_in_one_word() -> None:
    """Without digests only the fingerprint of the edits is known."""
    assert not Approval.parse("f" * 64).digests


def test_settings_are_left_undone_too() -> None:
    """Something is left undone where an entry is, or a setting of the stack."""
    assert Undone(settings=frozenset({"publish"}))
    assert Undone(names=frozenset({"a"}))
    assert not Undone()


def test_a_setting_that_is_not_approved() -> None:
    """An edit of a setting is left undone by its key, unless it is approved."""
    edit, other = (SettingEdit(key=key, before=None, after="x") for key in ("publish", "limits"))
    fresh = replace(THEN, settings=(edit, other))
    nothing = Approval(fingerprint="0" * 64)

    assert undone(nothing, fresh, {edit.digest(STACK)}).settings == {"limits"}


def test_what_a_plan_approves() -> None:
    """Of the limits that a plan shows those that it breaks, and what its entries were to be."""
    shown = view(THEN)
    kept, broken = broken_limits(
        TooMany(limit=limit, key="count", bound=Bound(Decimal(0), ""), names=("a",), of=1)
        for limit in (Limit.DELETE, Limit.REPLACE)
    )
    limits = (replace(kept, refused=False), broken)
    approval = approval_of(replace(shown, limits=limits))

    assert approval.limits == {"replace.count"}
    assert approval.desired == {"a": after_view(A2.after), "b": after_view(B.after)}
    assert approval.digests == THEN.digests
    assert approval.requested == frozenset()
    assert approval_of(view(planned([A, B], replace={"a"}))).requested == frozenset("a")


_WANTS = st.lists(
    st.builds(desired, name=st.sampled_from("abc"), content=st.sampled_from("xyz")),
    max_size=3,
    unique_by=lambda want: want.name,
)


@given(want=_WANTS, hours=st.integers(0, 30), warm=st.booleans())
def test_an_approval_survives_the_night(want: list[Desired], hours: int, *, warm: bool) -> None:
    """Time and drift never make the same repository need a second approval."""
    then = planned(want)
    now = planned(want, seen=WARM if warm else [], now=NOW + hours * HOUR)

    assert refused(now, then) == []
    assert left(now, Approval(fingerprint=then.fingerprint)) == []


@given(want=_WANTS, names=st.sets(st.sampled_from("abc")), move=st.booleans())
def test_what_is_left_undone_stays_as_recorded(
    want: list[Desired], names: set[str], *, move: bool
) -> None:
    """Without some edits, exactly the others are there, and all go together that a move joins."""
    renames = [("a", "c")] if move else []
    memory: State = state(*KNOWN)
    whole = plan(want, memory, WARM, stack=STACK, now=NOW, renames=renames)

    wishes, kept = as_recorded(want, memory, names, renames)
    part = plan(wishes, memory, WARM, stack=STACK, now=NOW, renames=kept)

    moves = {"a", "c"} if any(change.reason == "moved" for change in whole.changes) else set()
    together = names | (moves if names & moves else set())
    assert part.edits == {edit for edit in whole.edits if edit.name not in together}
    assert edits(as_recorded(want, memory, set("abc"), renames)[0], memory) == frozenset()
