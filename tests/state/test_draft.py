"""Facts make the state, one step each."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.model.facts import (
    Disappearance,
    Dropped,
    Exists,
    Fact,
    Gone,
    Noted,
    Renamed,
    Retired,
    Revision,
    Scope,
    State,
    Surplus,
)
from provisioner.model.records import Recorded, RecordedCache, RetiringCache
from provisioner.state.draft import Draft
from tests.builders import HOUR, NOW, annotation, desired, noted, recorded, retiring, state

NAMES = st.sampled_from("abcd")
IDS = st.sampled_from([f"cachedContents/{i}" for i in range(6)])
REVISION = Revision(commit="c0ffee" * 7, committed_at=NOW)
SCOPE = Scope(endpoint="https://example.test", keys=("ab" * 8,))


def after(before: State, *facts: Fact) -> State:
    draft = Draft(before)
    for fact in facts:
        draft.fold(fact)
    return draft.state()


def test_replace_is_one_fact() -> None:
    """The new cache comes on record in the step in which the old one begins to retire."""
    new, old = recorded(id="new"), retiring(id="old")
    assert after(state(recorded(id="old")), Exists(new, old)) == state(new, retiring=[old])


def test_the_same_record_and_an_old_cache() -> None:
    """A record that is there already is news where an old cache begins to retire with it."""
    record, old = recorded(id="new"), retiring(id="old")
    draft = Draft(state(record))

    assert not draft.fold(Exists(record))
    assert draft.fold(Exists(record, old))
    assert draft.state() == state(record, retiring=[old])


def test_what_is_news() -> None:
    """What is noted beside facts is news where it differs from what was remembered."""
    draft = Draft(state(rested={"a": "0" * 64}))

    assert not draft.note(rested={"a": "0" * 64})
    assert draft.note(rested={"a": "0" * 64}, approved=None, last_edit=REVISION)
    assert draft.state().last_edit == REVISION
    assert draft.note_scope("gemini", SCOPE)
    assert not draft.note_scope("gemini", SCOPE)
    assert draft.note(disappeared={"gemini": Disappearance(since=NOW)})
    assert not draft.note(disappeared={"gemini": Disappearance(since=NOW)})
    assert draft.state().disappeared == {"gemini": Disappearance(since=NOW)}


def test_adopting_a_retiring_cache() -> None:
    """A cache that is adopted while it retires retires no more."""
    back = recorded(id="back")
    before = state(recorded(id="now"), retiring=[retiring(id="back")])
    leaves = retiring(id="now")
    assert after(before, Exists(back, leaves)) == state(back, retiring=[leaves])


def test_one_name_for_an_id() -> None:
    """A cache that is taken over under another name leaves the name it had."""
    taken = recorded(desired("b"), "1")
    assert after(state(recorded(desired("a"), "1")), Exists(taken)) == state(taken)


def test_switch_to_annotation() -> None:
    """A cache that becomes an annotation retires."""
    note, old = noted(annotation("a")), retiring(id="1")
    assert after(state(recorded(id="1")), Noted(note, old)) == state(note, retiring=[old])


def test_retired_from_the_record() -> None:
    """A recorded cache that the applier retired moves over, with the server's expiry."""
    end = NOW + timedelta(minutes=59)
    record = recorded(id="1")
    gone = after(state(record), Retired("1", end))
    assert gone.caches == {}
    assert gone.retiring["1"] == RetiringCache(
        name="a",
        provider="gemini",
        model=record.model,
        id="1",
        retire_after=record.settings.retire_after,
        until=end,
        expires_at=end,
    )


def test_retired_again() -> None:
    """A retiring cache takes the server's newest word."""
    known = retiring(id="1", expires_at=None)
    end = NOW + timedelta(minutes=30)
    told = replace(known, until=end, expires_at=end)
    assert after(state(retiring=[known]), Retired("1", end)) == state(retiring=[told])


def test_gone() -> None:
    """A cache that is there no more is forgotten, recorded or retiring."""
    before = state(recorded(id="1"), retiring=[retiring(id="2")])
    assert after(before, Gone("1"), Gone("2")) == state()


def test_dropped() -> None:
    """An annotation that is not wanted leaves the record."""
    before = state(noted(annotation("a")), noted(annotation("b")))
    assert after(before, Dropped("a")) == state(noted(annotation("b")))


def test_scope_is_remembered() -> None:
    """Where a provider's caches live is part of the state."""
    draft = Draft(state())
    draft.note_scope("gemini", SCOPE)
    assert draft.state() == state(providers={"gemini": SCOPE})


def test_views_do_not_change() -> None:
    """A state that was handed out is untouched by later facts."""
    draft = Draft(state(recorded()))
    before = draft.state()
    draft.fold(Gone(recorded().id))
    assert before == state(recorded())


def records(name: str, id_: str) -> st.SearchStrategy[Recorded]:
    made: list[Recorded] = [recorded(desired(name), id_), noted(annotation(name))]
    return st.sampled_from(made)


def leaving(name: str, id_: str) -> st.SearchStrategy[RetiringCache | None]:
    return st.sampled_from([None, retiring(desired(name), id_)])


@st.composite
def facts(draw: st.DrawFn) -> Fact:
    name, id_ = draw(NAMES), draw(IDS)
    end: datetime = NOW + draw(st.integers(1, 3)) * HOUR
    match draw(st.sampled_from([Exists, Noted, Retired, Gone, Surplus, Renamed, Dropped])):
        case kind if kind is Exists:
            old = draw(leaving(name, draw(IDS.filter(lambda other: other != id_))))
            return Exists(recorded(desired(name), id_), old)
        case kind if kind is Noted:
            old = draw(leaving(name, draw(IDS.filter(lambda other: other != id_))))
            return Noted(draw(records(name, id_)), old)
        case kind if kind is Retired:
            return Retired(id_, end)
        case kind if kind is Gone:
            return Gone(id_)
        case kind if kind is Surplus:
            return Surplus(retiring(desired(name), id_))
        case kind if kind is Renamed:
            return Renamed(name, draw(NAMES.filter(lambda other: other != name)))
        case _:
            return Dropped(name)


def naive(before: State, fact: Fact) -> State:
    """The same by copying everything, as one would say it."""
    match fact:
        case Exists(record, old) | Noted(record, old):
            return _with_record(before, record, old)
        case Retired(id_, end):
            return _with_retired(before, id_, end)
        case Gone(id_):
            return _without_id(before, id_)
        case Surplus(cache):
            known = {r.id for r in before.caches.values() if isinstance(r, RecordedCache)}
            if cache.id in known | set(before.retiring):
                return before
            return replace(before, retiring={**before.retiring, cache.id: cache})
        case Renamed(old, new):
            return _with_name(before, old, new)
        case Dropped(name):
            kept = {key: record for key, record in before.caches.items() if key != name}
            return replace(before, caches=kept)


def _with_record(before: State, record: Recorded, old: RetiringCache | None) -> State:
    if old:
        before = _without_id(before, old.id)
        before = replace(before, retiring={**before.retiring, old.id: old})
    if isinstance(record, RecordedCache):
        before = _without_id(before, record.id)
    return replace(before, caches={**before.caches, record.name: record})


def _with_name(before: State, old: str, new: str) -> State:
    record = before.caches.get(old)
    rest = replace(before, caches={k: v for k, v in before.caches.items() if k != old})
    if record is None or new in before.caches:
        return rest
    leaving = {
        id_: replace(cache, name=new) if cache.name == old else cache
        for id_, cache in before.retiring.items()
    }
    caches = {**rest.caches, new: replace(record, name=new)}
    return replace(rest, caches=caches, retiring=leaving)


def _with_retired(before: State, id_: str, end: datetime) -> State:
    if id_ in before.retiring:
        told = replace(before.retiring[id_], until=end, expires_at=end)
        return replace(before, retiring={**before.retiring, id_: told})
    for record in before.caches.values():
        if isinstance(record, RecordedCache) and record.id == id_:
            told = retiring(desired(record.name), id_, until=end, expires_at=end)
            rest = _without_id(before, id_)
            return replace(rest, retiring={**rest.retiring, id_: told})
    return before


def _without_id(before: State, id_: str) -> State:
    caches = {
        name: record
        for name, record in before.caches.items()
        if not (isinstance(record, RecordedCache) and record.id == id_)
    }
    rest = {key: cache for key, cache in before.retiring.items() if key != id_}
    return replace(before, caches=caches, retiring=rest)


@given(st.lists(facts(), max_size=12))
def test_same_as_copying(history: list[Fact]) -> None:
    """Taking facts in step by step gives what copying the whole state would."""
    expected = state()
    draft = Draft(expected)
    for fact in history:
        before = expected
        expected = naive(before, fact)
        news = draft.fold(fact)
        assert draft.state() == expected
        assert news or expected == before


@given(st.lists(facts(), max_size=12))
def test_an_id_is_in_one_place(history: list[Fact]) -> None:
    """No history records a cache twice, or both as wanted and as retiring."""
    end = after(state(), *history)
    ids = [record.id for record in end.caches.values() if isinstance(record, RecordedCache)]
    ids += end.retiring
    assert len(ids) == len(set(ids))


@given(st.lists(facts(), max_size=8))
def test_telling_again_is_no_news(history: list[Fact]) -> None:
    """The last fact, repeated without anything to retire, changes nothing."""
    draft = Draft(state())
    for fact in history:
        draft.fold(fact)
    for fact in history[-1:]:
        match fact:
            case Exists(record):
                assert not draft.fold(Exists(record))
            case Noted(noted):
                assert not draft.fold(Noted(noted))
            case _:
                assert not draft.fold(fact)
