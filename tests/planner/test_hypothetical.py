"""States and entries as they would be: applied, renamed, or kept as recorded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model.attributes import Settings, Until
from provisioner.model.changes import (
    Adopt,
    Cause,
    Change,
    Create,
    Delete,
    Keep,
    Move,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.facts import State
from provisioner.model.plan import Edit, Plan
from provisioner.model.records import Desired, LiveCache, Recorded
from provisioner.planner import decision_table as table
from provisioner.planner import edits, moved, plan
from provisioner.planner.hypothetical import as_if_applied, recorded_as_desired
from tests.builders import (
    HOUR,
    NOW,
    STACK,
    annotation,
    desired,
    live,
    noted,
    recorded,
    retiring,
    state,
)

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


FIRST, SECOND = recorded(desired("a")), recorded(desired("b"), "cachedContents/2")

_PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=4)


@pytest.mark.parametrize(
    ("names", "pairs", "after"),
    [
        ("a", [("a", "new")], ["new"]),
        ("ab", [("a", "new")], ["new", "b"]),
        ("ab", [("a", "new"), ("b", "more")], ["new", "more"]),
        ("ab", [("a", "b")], ["a", "b"]),
        ("ab", [("a", "new"), ("b", "new")], ["new", "b"]),
        ("b", [("a", "new")], ["b"]),
        ("", [("a", "new")], []),
        ("a", [("a", "new"), ("a", "more")], ["new"]),
        ("a", [], ["a"]),
    ],
)
def test_names(names: str, pairs: list[tuple[str, str]], after: list[str]) -> None:
    """What is on record moves if its new name is free; nothing else does, and none is lost."""
    before = state(*(record for record in (FIRST, SECOND) if record.name in names))

    renamed = moved(before, pairs)

    assert list(renamed.caches) == after
    assert [record.name for record in renamed.caches.values()] == after


def test_the_rest_stays() -> None:
    """Only the name of a record changes, and of what retires under it."""
    old = retiring(desired("a"))
    renamed = moved(state(FIRST, noted(annotation("n")), retiring=[old]), [("a", "b"), ("n", "m")])

    assert renamed == state(
        recorded(desired("a"), name="b"),
        noted(annotation("n"), name="m"),
        retiring=[retiring(desired("a"), name="b")],
    )


@given(pairs=_PAIRS)
def test_nothing_is_lost(pairs: list[tuple[str, str]]) -> None:
    """Moving loses no record, for any pairs."""
    before = state(FIRST, SECOND)
    after = moved(before, pairs)

    assert [replace(r, name="") for r in after.caches.values()] == [
        replace(r, name="") for r in before.caches.values()
    ]
    assert all(name == record.name for name, record in after.caches.items())


OLD, NEW, EDITED = desired("old"), desired("new"), desired("new", "y")
REC, OWN = recorded(OLD), live(OLD)
TO_NEW = (("old", "new"),)


def planned(want: Desired, remembered: State, *listed: LiveCache, prune: bool = False) -> Plan:
    return plan([want], remembered, listed, stack=STACK, now=NOW, prune=prune, renames=TO_NEW)


@pytest.mark.parametrize(
    ("want", "record", "listed", "changes"),
    [
        (
            NEW,
            REC,
            [OWN],
            (
                Move("new", REC, Reason.MOVED, table.MOVED),
                Keep(NEW, OWN, replace(REC, name="new"), Reason.CURRENT, table.UNCHANGED),
            ),
        ),
        (
            EDITED,
            REC,
            [OWN],
            (
                Move("new", REC, Reason.MOVED, table.MOVED),
                Replace(EDITED, OWN, replace(REC, name="new"), Reason.CONTENT, table.OUTDATED),
            ),
        ),
        (
            NEW,
            REC,
            [],
            (
                Move("new", REC, Reason.MOVED, table.MOVED),
                Create(NEW, replace(REC, name="new"), Reason.MISSING, table.NOTHING_ALIVE),
            ),
        ),
        (NEW, None, [OWN], (Adopt(NEW, OWN, None, None, Reason.FOUND, table.TWIN),)),
        (NEW, None, [], (Create(NEW, None, Reason.NEW, table.NOTHING_ALIVE),)),
        (
            NEW,
            replace(REC, name="new"),
            [OWN],
            (Keep(NEW, OWN, replace(REC, name="new"), Reason.CURRENT, table.UNCHANGED),),
        ),
    ],
)
def test_plan(
    want: Desired, record: Recorded | None, listed: list[LiveCache], changes: tuple[Change, ...]
) -> None:
    """A moved record is the new name's; without one, what has the old label is alive."""
    assert planned(want, state(*([record] if record else [])), *listed).changes == changes


def test_it_is_an_edit() -> None:
    """A rename is reviewed like any edit, and is none any more once it is done."""
    assert planned(NEW, state(REC), OWN).edits == {Edit("new", NEW.after)}
    assert planned(NEW, moved(state(REC), TO_NEW), OWN).edits == frozenset()


def test_an_old_label_on_other_content() -> None:
    """Only the very content that is wanted is alive by its old label; the rest is a stray."""
    create, stray = planned(EDITED, state(), OWN, prune=True).changes

    assert create == Create(EDITED, None, Reason.NEW, table.NOTHING_ALIVE)
    assert stray == Delete(OWN, None, Reason.STRAY, table.STRAY)


_RECORDS = st.one_of(
    st.builds(recorded, st.builds(desired, st.just("old"), st.sampled_from("xy"))),
    st.builds(noted, st.builds(annotation, st.just("old"), st.sampled_from("xy"))),
)
_WISHES = st.one_of(
    st.builds(desired, st.just("new"), st.sampled_from("xy")),
    st.builds(annotation, st.just("new"), st.sampled_from("xy")),
)


@given(want=_WISHES, record=_RECORDS, alive=st.booleans())
def test_as_if_it_had_always_been_called_so(
    want: Desired, record: Recorded, *, alive: bool
) -> None:
    """But for telling it, a plan with a rename is the plan of who had that name from the start."""
    old, new = ([live(of)] if alive else [] for of in (OLD, NEW))
    always = plan([want], state(replace(record, name="new")), new, stack=STACK, now=NOW)
    renamed = planned(want, state(record), *old)

    assert renamed.changes[0] == Move("new", record, Reason.MOVED, table.MOVED)
    assert [(type(change), change.reason) for change in renamed.changes[1:]] == [
        (type(change), change.reason) for change in always.changes
    ]
    assert renamed.edits == {Edit("new", want.after)}


A, B = desired("a"), desired("b", "y")


def test_all_is_well() -> None:
    """What lives as recorded is kept, annotations included."""
    known = state(recorded(A), noted(annotation("n")))
    told = plan(recorded_as_desired(known), known, [live(A)], stack=STACK, now=NOW)

    assert [type(change) for change in told.changes] == [Keep, Keep]
    assert told.edits == frozenset()


def test_refreshes_with_the_recorded_settings() -> None:
    """The window that opens is the recorded one."""
    known = state(recorded(A, settings=Settings(refresh_before=3 * HOUR)))
    told = plan(recorded_as_desired(known), known, [live(A)], stack=STACK, now=NOW + 3 * HOUR)

    assert [type(change) for change in told.changes] == [Refresh]


def test_finishes_retirements() -> None:
    """A retirement that was begun is carried to its end."""
    leaving = retiring(A, expires_at=None)
    known = state(retiring=[leaving])
    told = plan(
        recorded_as_desired(known),
        known,
        [live(A, leaving.id, expires_at=NOW + 5 * HOUR)],
        stack=STACK,
        now=NOW,
    )

    assert [type(change) for change in told.pending] == [Retire]


@given(
    hours=st.integers(0, 48),
    alive=st.sets(st.sampled_from("ab")),
)
def test_never_an_edit(hours: int, alive: set[str]) -> None:
    """A schedule never performs an edit, in any condition of the live side."""
    known = state(recorded(A, "cachedContents/a"), recorded(B, "cachedContents/b"))
    seen = [live(want, f"cachedContents/{want.name}") for want in (A, B) if want.name in alive]
    told = plan(recorded_as_desired(known), known, seen, stack=STACK, now=NOW + hours * HOUR)

    assert Cause.EDIT not in {change.reason.cause for change in told.changes}
