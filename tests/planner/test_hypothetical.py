"""A revision of the repository, standing in for what is recorded."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.model import Desired, Keep, Reason, Until
from provisioner.planner import as_if_applied, edits, plan
from tests.builders import HOUR, NOW, STACK, annotation, desired, recorded, state

_WANTS = st.lists(
    st.one_of(
        st.builds(desired, name=st.sampled_from("abc"), content=st.sampled_from("xy")),
        st.builds(annotation, name=st.sampled_from("abc"), content=st.sampled_from("xy")),
    ),
    max_size=3,
    unique_by=lambda want: want.name,
)


@given(before=_WANTS, after=_WANTS)
def test_the_fingerprint_is_the_one_that_apply_computes(
    before: list[Desired], after: list[Desired]
) -> None:
    """From git alone the edits are those of a state to which the base was applied."""
    base, live = as_if_applied(before, stack=STACK, now=NOW)

    assert plan(after, base, live, stack=STACK, now=NOW).edits == edits(after, base)


@given(before=_WANTS)
def test_nothing_edited(before: list[Desired]) -> None:
    """A branch that edits nothing has nothing in its plan."""
    base, live = as_if_applied(before, stack=STACK, now=NOW)
    told = plan(before, base, live, stack=STACK, now=NOW)

    assert told.edits == frozenset()
    assert {type(change) for change in told.changes} <= {Keep}
    assert {change.reason for change in told.changes} <= {Reason.CURRENT}


def test_the_same_edits_as_with_a_real_state() -> None:
    """The digest, life and settings count, and what only a provider knows does not."""
    a, edited = desired("a"), desired("a", "y")
    base, _ = as_if_applied([a], stack=STACK, now=NOW)

    assert edits([edited], base) == edits([edited], state(recorded(a, "cachedContents/77")))


def test_a_fixed_end() -> None:
    """A cache with a fixed end stands in with that end."""
    want = desired("a", life=Until(NOW + HOUR))
    base, (live,) = as_if_applied([want], stack=STACK, now=NOW)

    assert live.expires_at == NOW + HOUR
    assert base.caches["a"].after == want.after


@given(before=_WANTS, one=_WANTS, other=_WANTS)
def test_a_fingerprint_stands_for_its_edits(
    before: list[Desired], one: list[Desired], other: list[Desired]
) -> None:
    """Two plans have one fingerprint if, and only if, they hold the same edits."""
    base, live = as_if_applied(before, stack=STACK, now=NOW)
    here = plan(one, base, live, stack=STACK, now=NOW)
    there = plan(other, base, (), stack=STACK, now=NOW + 9 * HOUR)

    assert (here.fingerprint == there.fingerprint) == (here.edits == there.edits)


def test_an_annotation_makes_nothing() -> None:
    """An annotation that is as if applied is on record, and nothing lives for it."""
    memory, alive = as_if_applied([annotation("n")], stack=STACK, now=NOW)

    assert list(memory.caches) == ["n"]
    assert alive == ()
