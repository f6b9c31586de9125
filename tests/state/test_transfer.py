"""What is remembered goes from one stack to another whole, whenever a run was cut off."""

from __future__ import annotations

from datetime import timedelta
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.errors import Refused, StackMoved, StateError
from provisioner.model.facts import ApprovedEdits, Scope, State
from provisioner.model.records import RecordedCache
from provisioner.state.transfer import given_cache, renamed_stack
from tests.builders import NOW, annotation, desired, noted, recorded, retiring, state
from tests.state.strategies import states

OLD = state(recorded(desired("a")), noted(annotation("n")), retiring=[retiring(desired("r"))])
APPROVED = ApprovedEdits(fingerprint="0" * 64, digests=())
HERE = Scope(endpoint="https://here", keys=("ab" * 8,))


def ids(*several: State) -> set[str]:
    """Every id that one of the states remembers as its own."""
    records = (record for one in several for record in one.caches.values())
    own = {record.id for record in records if isinstance(record, RecordedCache)}
    return own.union(*(one.retiring for one in several))


def test_renamed() -> None:
    """All of it has the new name, and what stays behind says so."""
    move = renamed_stack(OLD, State(stack="new", serial=3))

    assert move
    assert (move.receiving.caches, move.receiving.retiring) == (OLD.caches, OLD.retiring)
    assert (move.receiving.stack, move.receiving.moved_from) == ("new", "demo")
    assert move.giving == State(stack="demo", serial=OLD.serial, moved_to="new")
    assert renamed_stack(move.giving, move.receiving) is None


def test_renamed_to_a_stack_with_records() -> None:
    """Two stacks do not become one, and nothing becomes something."""
    with pytest.raises(Refused, match="records of its own"):
        renamed_stack(OLD, replace(state(recorded(desired("b"))), stack="new"))
    with pytest.raises(StateError, match="nothing is on record"):
        renamed_stack(State(stack="old"), State(stack="new"))
    with pytest.raises(StackMoved, match="it is elsewhere now"):
        renamed_stack(State(stack="old", moved_to="elsewhere"), State(stack="new"))


def test_edits_go_by_the_name_of_their_stack() -> None:
    """What rests or was approved under the old name is neither under the new one."""
    move = renamed_stack(replace(OLD, rested={"a": "0" * 64}), State(stack="new"))
    assert move
    assert (move.receiving.rested, move.receiving.approved) == ({}, None)
    gift = given_cache(replace(OLD, rested={"a": "0" * 64}), move.giving, "a", "a", accept=False)
    assert gift
    assert gift.giving.rested == {}


@pytest.mark.parametrize(
    "old",
    [
        state(recorded(desired("a"))),
        state(retiring=[retiring(desired("r"))]),
        state(given={"cachedContents/9": "elsewhere"}),
    ],
)
def test_a_little_is_enough_to_rename(old: State) -> None:
    """A stack that remembers anything at all has something to give."""
    move = renamed_stack(replace(old, approved=APPROVED), State(stack="new"))

    assert move
    assert move.receiving == replace(old, stack="new", moved_from="demo")


def test_there_and_back() -> None:
    """A stack takes its old name back."""
    there = renamed_stack(OLD, State(stack="new"))
    assert there
    back = renamed_stack(there.receiving, there.giving)
    assert back
    assert back.receiving.caches == OLD.caches
    assert back.receiving.moved_to is None
    assert back.giving.moved_to == "demo"


@pytest.mark.heavy
@given(states(), st.data())
def test_renamed_after_a_kill_and_more_runs(before: State, data: st.DataObject) -> None:
    """After runs under both names between the two halves each id is in one place; none is lost."""
    old = replace(before, moved_to=None)
    if not (old.caches or old.retiring or old.given):
        return
    first = renamed_stack(old, State(stack="new"))
    assert first
    later = data.draw(
        st.sets(st.sampled_from(sorted(old.caches))) if old.caches else st.just(set())
    )
    fresh = {
        name: replace(record, id=f"{record.id}x", updated_at=record.updated_at + timedelta(1))
        if isinstance(record, RecordedCache) and name in later
        else record
        for name, record in old.caches.items()
    }
    new = replace(first.receiving, caches=MappingProxyType(fresh))

    again = renamed_stack(old, new)

    assert again
    assert ids(again.receiving) == ids(old, new)
    records = [r for r in again.receiving.caches.values() if isinstance(r, RecordedCache)]
    assert not {record.id for record in records} & set(again.receiving.retiring)
    assert not ids(again.receiving) & set(again.receiving.given)


def test_given() -> None:
    """The record goes, and the id that went is remembered."""
    source = replace(OLD, providers={"gemini": HERE})
    target = State(stack="new")
    move = given_cache(source, target, "a", "b", accept=False)
    record = OLD.caches["a"]
    assert move
    assert isinstance(record, RecordedCache)

    assert move.receiving.caches == {"b": replace(record, name="b")}
    assert move.receiving.providers == {"gemini": HERE}
    assert "a" not in move.giving.caches
    assert move.giving.given == {record.id: "new"}
    assert given_cache(move.giving, move.receiving, "a", "b", accept=False) is None
    assert given_cache(source, move.receiving, "a", "b", accept=False) == move


def test_given_back() -> None:
    """What comes back is no longer given away."""
    there = given_cache(OLD, State(stack="new"), "a", "a", accept=False)
    assert there
    back = given_cache(there.receiving, there.giving, "a", "a", accept=False)
    assert back
    assert back.receiving.given == {}
    assert back.receiving.caches == OLD.caches


def test_an_annotation_leaves_nothing_behind() -> None:
    """An annotation has no live cache, so nothing is remembered of it."""
    move = given_cache(OLD, State(stack="new"), "n", "n", accept=False)
    assert move
    assert move.giving.given == {}
    assert move.receiving.caches == {"n": OLD.caches["n"]}


def test_what_is_not_on_record_is_not_given() -> None:
    """A name without a record is refused, unless its cache was given to that stack before."""
    source = replace(OLD, given={"cachedContents/9": "new"})
    there = recorded(desired("b"), id="cachedContents/9")

    assert given_cache(source, state(there, stack="new"), "gone", "b", accept=False) is None
    for target in (
        State(stack="new"),
        state(there, stack="other"),
        state(recorded(desired("b"), id="cachedContents/8"), stack="new"),
        state(noted(annotation("b")), stack="new"),
    ):
        with pytest.raises(StateError, match="'gone' is not on record in demo"):
            given_cache(source, target, "gone", "b", accept=False)


def test_renamed_twice_over() -> None:
    """Where both names had runs, the later record stands, and the cache of the other retires."""
    before, later = NOW, NOW + timedelta(hours=1)
    old = state(
        recorded(desired("a"), "cachedContents/old", updated_at=later),
        recorded(desired("b"), "cachedContents/b"),
        recorded(desired("gone"), "cachedContents/gone"),
        retiring=[
            retiring(desired("a"), "cachedContents/r"),
            retiring(desired("c"), "cachedContents/back"),
        ],
        serial=4,
        run="r4",
        providers={"gemini": HERE, "eu": HERE},
        given={"cachedContents/7": "x", "cachedContents/new": "x"},
    )
    new = state(
        recorded(desired("a"), "cachedContents/new", updated_at=before),
        recorded(desired("c"), "cachedContents/back"),
        noted(annotation("n")),
        retiring=[retiring(desired("gone"), "cachedContents/gone")],
        serial=9,
        run="r9",
        stack="new",
        moved_from="demo",
        providers={"gemini": replace(HERE, keys=("cd" * 8,))},
        given={"cachedContents/8": "y", "cachedContents/b": "y"},
    )
    move = renamed_stack(old, new)

    assert move
    assert move.giving == State(stack="demo", serial=4, run="r4", moved_to="new")
    receiving = move.receiving
    assert set(receiving.caches) == {"a", "b", "c", "n"}
    assert receiving.caches["a"] == old.caches["a"]
    assert set(receiving.retiring) == {"cachedContents/new", "cachedContents/r"} | {
        "cachedContents/gone"
    }
    left = receiving.retiring["cachedContents/new"]
    assert (left.name, left.until, left.expires_at) == ("a", NOW + timedelta(hours=6), None)
    assert left.retire_after == timedelta(hours=1)
    assert (receiving.serial, receiving.run) == (9, "r9")
    assert receiving.providers == {**old.providers, **new.providers}
    assert receiving.given == {
        "cachedContents/7": "x",
        "cachedContents/8": "y",
        "cachedContents/new": "x",
    }


def test_given_where_it_retired() -> None:
    """What comes back under a name neither retires nor is given away there."""
    record = recorded(desired("a"), "cachedContents/1")
    there = state(
        noted(annotation("n")),
        stack="new",
        retiring=[
            retiring(desired("a"), "cachedContents/1"),
            retiring(desired("a"), "cachedContents/2"),
        ],
        given={"cachedContents/1": "demo", "cachedContents/3": "demo"},
        rested={"n": "0" * 64},
    )
    move = given_cache(
        state(record, rested={"a": "0" * 64, "b": "1" * 64}, given={"cachedContents/5": "x"}),
        there,
        "a",
        "b",
        accept=False,
    )

    assert move
    assert set(move.receiving.caches) == {"n", "b"}
    assert set(move.receiving.retiring) == {"cachedContents/2"}
    assert move.receiving.given == {"cachedContents/3": "demo"}
    assert move.receiving.rested == there.rested
    assert move.giving.rested == {"b": "1" * 64}
    assert move.giving.given == {"cachedContents/5": "x", "cachedContents/1": "new"}


@pytest.mark.parametrize(
    ("ours", "theirs", "is_given"),
    [
        (None, HERE, True),
        (HERE, HERE, True),
        (HERE, replace(HERE, keys=("cd" * 8, "ab" * 8)), True),
        (HERE, replace(HERE, keys=("cd" * 8,)), False),
        (HERE, replace(HERE, endpoint="https://there"), False),
    ],
)
def test_projects_that_are_alike(ours: Scope | None, theirs: Scope, *, is_given: bool) -> None:
    """Two stacks are in one project if they share an endpoint and a key, or one knows neither."""
    source = replace(OLD, providers={"gemini": ours} if ours else {})
    target = State(stack="new", providers={"gemini": theirs})

    if is_given:
        move = given_cache(source, target, "a", "a", accept=False)
        assert move
        assert move.receiving.providers == {"gemini": theirs}
    else:
        with pytest.raises(Refused):
            given_cache(source, target, "a", "a", accept=False)


def test_given_to_another_project() -> None:
    """A cache does not leave its project, unless the keys are meant to be those of one."""
    source = replace(OLD, providers={"gemini": HERE})
    target = State(stack="new", providers={"gemini": replace(HERE, keys=("cd" * 8,))})

    with pytest.raises(Refused, match="--accept-scope"):
        given_cache(source, target, "a", "a", accept=False)
    assert given_cache(source, target, "a", "a", accept=True)
    with pytest.raises(Refused, match="on record in new already"):
        given_cache(
            source,
            state(recorded(desired("a"), id="cachedContents/other"), stack="new"),
            "a",
            "a",
            accept=False,
        )
