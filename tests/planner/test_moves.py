"""Records under new names, and plans that know of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model import (
    Adopt,
    Change,
    Create,
    Delete,
    Desired,
    Edit,
    Keep,
    LiveCache,
    Move,
    Plan,
    Reason,
    Recorded,
    Replace,
    State,
)
from provisioner.planner import decision_table as table
from provisioner.planner import moved, plan
from tests.builders import (
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

A, B = recorded(desired("a")), recorded(desired("b"), "cachedContents/2")

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
    before = state(*(record for record in (A, B) if record.name in names))

    found = moved(before, pairs)

    assert list(found.caches) == after
    assert [record.name for record in found.caches.values()] == after


def test_the_rest_stays() -> None:
    """Only the name of a record changes, and of what retires under it."""
    old = retiring(desired("a"))
    found = moved(state(A, noted(annotation("n")), retiring=[old]), [("a", "b"), ("n", "m")])

    assert found == state(
        recorded(desired("a"), name="b"),
        noted(annotation("n"), name="m"),
        retiring=[retiring(desired("a"), name="b")],
    )


@given(pairs=_PAIRS)
def test_nothing_is_lost(pairs: list[tuple[str, str]]) -> None:
    """No record is lost by moving, whatever the pairs."""
    before = state(A, B)
    after = moved(before, pairs)

    assert [replace(r, name="") for r in after.caches.values()] == [
        replace(r, name="") for r in before.caches.values()
    ]
    assert all(name == record.name for name, record in after.caches.items())


OLD, NEW, EDITED = desired("old"), desired("new"), desired("new", "y")
REC, OWN = recorded(OLD), live(OLD)
TO_NEW = (("old", "new"),)


def told(want: Desired, remembered: State, *found: LiveCache, prune: bool = False) -> Plan:
    return plan([want], remembered, found, stack=STACK, now=NOW, prune=prune, renames=TO_NEW)


@pytest.mark.parametrize(
    ("want", "record", "found", "changes"),
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
    want: Desired, record: Recorded | None, found: list[LiveCache], changes: tuple[Change, ...]
) -> None:
    """A moved record is the new name's; without one, what has the old label is found."""
    assert told(want, state(*([record] if record else [])), *found).changes == changes


def test_it_is_an_edit() -> None:
    """A rename is reviewed like any edit, and is none any more once it is done."""
    assert told(NEW, state(REC), OWN).edits == {Edit("new", NEW.after)}
    assert told(NEW, moved(state(REC), TO_NEW), OWN).edits == frozenset()


def test_an_old_label_on_other_content() -> None:
    """Only the very content that is wanted is found by its old label; the rest is a stray."""
    create, stray = told(EDITED, state(), OWN, prune=True).changes

    assert create == Create(EDITED, None, Reason.NEW, table.NOTHING_ALIVE)
    assert stray == Delete(OWN, None, Reason.STRAY, table.STRAY)


_RECORDS = st.one_of(
    st.builds(recorded, st.builds(desired, st.just("old"), st.sampled_from("xy"))),
    st.builds(noted, st.builds(annotation, st.just("old"), st.sampled_from("xy"))),
)
_WANTS = st.one_of(
    st.builds(desired, st.just("new"), st.sampled_from("xy")),
    st.builds(annotation, st.just("new"), st.sampled_from("xy")),
)


@given(want=_WANTS, record=_RECORDS, alive=st.booleans())
def test_as_if_it_had_always_been_called_so(
    want: Desired, record: Recorded, *, alive: bool
) -> None:
    """But for telling it, a plan with a rename is the plan of who had that name from the start."""
    old, new = ([live(of)] if alive else [] for of in (OLD, NEW))
    always = plan([want], state(replace(record, name="new")), new, stack=STACK, now=NOW)
    renamed = told(want, state(record), *old)

    assert renamed.changes[0] == Move("new", record, Reason.MOVED, table.MOVED)
    assert [(type(change), change.reason) for change in renamed.changes[1:]] == [
        (type(change), change.reason) for change in always.changes
    ]
    assert renamed.edits == {Edit("new", want.after)}
