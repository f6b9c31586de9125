"""
The promise of the whole program, as properties.

For every history of the manifest, of time, of lost answers and states, and of runs that were cut
short: one clean run brings everything into line and a second finds nothing to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.errors import StateError
from provisioner.escape import json_text
from provisioner.model.attributes import Settings, Ttl
from provisioner.model.changes import Adopt, Cause, Create, Reason
from provisioner.model.facts import State
from provisioner.model.plan import Edit
from provisioner.model.records import Desired, RecordedCache
from provisioner.planner import edits
from provisioner.planner.brake import SECOND_LOOK
from provisioner.view.plan_reader import read_plans
from tests.builders import HOUR, STACK, annotation, desired
from tests.render.fixtures import view
from tests.world import Cut, Killed, MemoryCaches, World, lost_answer

MANY = settings(max_examples=2 * settings().max_examples)
"""Histories are the heart of it: twice as many as of other properties."""

_SETTINGS = st.sampled_from(
    [
        Settings(),
        Settings(refresh_before=HOUR, retire_after=timedelta()),
        Settings(refresh_before=HOUR, retire_after=2 * HOUR),
    ]
)
_CACHES = st.builds(
    desired,
    name=st.sampled_from("abc"),
    content=st.sampled_from("xy"),
    model=st.sampled_from(["gemini-3.8-flash", "gemini-2.5-pro"]),
    life=st.sampled_from([Ttl(2 * HOUR), Ttl(6 * HOUR)]),
    settings=_SETTINGS,
)
_ANNOTATIONS = st.builds(annotation, name=st.sampled_from("abc"), content=st.sampled_from("xy"))
_MANIFESTS = st.lists(
    st.one_of(_CACHES, _CACHES, _CACHES, _ANNOTATIONS), max_size=3, unique_by=lambda w: w.name
)


@dataclass(frozen=True)
class Run:
    """A run applies a manifest, and something may go wrong."""

    manifest: Sequence[Desired]
    calls: int = 99
    dies: bool = False
    save_fails: bool = False
    saved_facts: int | None = None
    replace: frozenset[str] = frozenset()

    def __call__(self, world: World) -> None:
        def wrap(remote: MemoryCaches) -> Cut:
            return Cut(remote, self.calls, Killed if self.dies else lost_answer)

        try:
            world.run(
                self.manifest,
                wrap=wrap,
                save_fails=self.save_fails,
                saved_facts=self.saved_facts,
                replace=self.replace,
            )
        except* (Killed, StateError):
            pass


@dataclass(frozen=True)
class Wait:
    """Time passes."""

    span: timedelta

    def __call__(self, world: World) -> None:
        world.now += self.span


@dataclass(frozen=True)
class Lose:
    """The state is lost."""

    def __call__(self, world: World) -> None:
        world.saved = State(stack=STACK)


@dataclass(frozen=True)
class Interfere:
    """Another client deletes the nth live cache."""

    nth: int

    def __call__(self, world: World) -> None:
        alive = sorted(world.remote.alive())
        if alive:
            del world.remote.caches[alive[self.nth % len(alive)]]


Event: TypeAlias = Callable[[World], None]

_RUNS = st.builds(
    Run,
    manifest=_MANIFESTS,
    calls=st.integers(1, 8),
    dies=st.booleans(),
    save_fails=st.sampled_from([False, False, True]),
    saved_facts=st.none() | st.integers(0, 4),
    replace=st.sampled_from([frozenset(), frozenset(), frozenset("a")]),
)
_WAITS = st.builds(Wait, st.sampled_from([HOUR / 2, HOUR, 3 * HOUR, 7 * HOUR]))
_EVENTS = st.one_of(_RUNS, _RUNS, _WAITS, st.builds(Lose), st.builds(Interfere, st.integers(0, 5)))


def lived(history: Sequence[Event]) -> World:
    world = World()
    for event in history:
        event(world)
    return world


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_converges(history: Sequence[Event], manifest: Sequence[Desired]) -> None:
    """After any history one clean run is enough, and a second finds nothing to do."""
    world = lived(history)

    world.run(manifest)

    assert world.plan(manifest).pending == ()
    assert world.plan(manifest).edits == frozenset()
    assert set(world.saved.caches) == {want.name for want in manifest}
    assert {want.name: want.after for want in manifest} == {
        name: record.after for name, record in world.saved.caches.items()
    }
    assert world.owned() - set(world.saved.retiring) <= set(world.remote.alive())


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_converges_with_a_second_look(
    history: Sequence[Event], manifest: Sequence[Desired]
) -> None:
    """Where much is missing at once, the run after ten more minutes is enough."""
    world = lived(history)

    first = world.run(manifest, braked=True)
    world.now += SECOND_LOOK
    second = world.run(manifest, braked=True)

    assert all(blocked.reason is Reason.MISSING for blocked in first.blocked)
    assert second.blocked == ()
    assert world.plan(manifest).pending == ()
    assert world.owned() - set(world.saved.retiring) <= set(world.remote.alive())


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_prune_leaves_no_orphan(history: Sequence[Event], manifest: Sequence[Desired]) -> None:
    """With pruning, what lives is exactly what is on record, and what retires is dying."""
    world = lived(history)

    world.run(manifest, prune=True)

    assert set(world.remote.alive()) <= world.owned()
    for retiring in world.saved.retiring.values():
        assert retiring.expires_at is not None
        assert retiring.expires_at <= world.now + retiring.retire_after


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_harms_only_what_was_recorded(
    history: Sequence[Event], manifest: Sequence[Desired]
) -> None:
    """Without prune a run deletes or shortens nothing but what it found on record or adopted."""
    world = lived(history)
    before, adoptable = world.owned(), _adopted_lives(world, manifest)
    world.remote.harmed.clear()

    world.run(manifest)

    assert world.remote.harmed <= before | adoptable


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_every_plan_reads_back(history: Sequence[Event], manifest: Sequence[Desired]) -> None:
    """After any history a plan in JSON shows each of its edits, and is read as it was."""
    told = view(lived(history).plan(manifest))

    assert told.unshown == ()
    assert read_plans(json_text(told).encode(), where="plan.json") == (told,)


def _adopted_lives(world: World, manifest: Sequence[Desired]) -> set[str]:
    """Twins, whose life becomes the desired one, be it shorter."""
    return {c.live.id for c in world.plan(manifest).changes if isinstance(c, Adopt)}


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_an_empty_state_harms_nothing(
    history: Sequence[Event], manifest: Sequence[Desired]
) -> None:
    """Another stack's first run, without a state, ends nothing of ours."""
    world = lived(history)
    ours = set(world.remote.alive())

    world.saved = State(stack=STACK)
    world.run(manifest)

    assert ours <= set(world.remote.alive())


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_a_lost_state_creates_nothing(
    history: Sequence[Event], manifest: Sequence[Desired]
) -> None:
    """Losing the state costs refreshes, never a cache whose content is unchanged and live."""
    world = lived(history)
    world.run(manifest)
    count = len(world.remote.created)

    world.saved = State(stack=STACK)
    world.run(manifest)

    assert len(world.remote.created) == count
    assert world.plan(manifest).pending == ()


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_nothing_is_created_needlessly(
    history: Sequence[Event], manifest: Sequence[Desired]
) -> None:
    """A run creates no cache of which a live one has the label already."""
    world = lived(history)
    alive = {cache.label for cache in world.live()}

    told = world.plan(manifest)

    for change in told.changes:
        if isinstance(change, Create):
            assert change.want.label not in alive


@given(history=st.lists(_EVENTS, max_size=7), manifest=_MANIFESTS)
@MANY
def test_a_list_that_shows_the_dead(history: Sequence[Event], manifest: Sequence[Desired]) -> None:
    """Where a LIST still shows what has expired, one run makes it again, and makes it once."""
    world = lived(history)
    world.lists_the_dead = True
    before = len(world.remote.created)

    world.run(manifest)

    records = [r for r in world.saved.caches.values() if isinstance(r, RecordedCache)]
    assert {record.id for record in records} <= set(world.remote.alive())
    assert len(world.remote.created) - before <= len(manifest)


@given(history=st.lists(_EVENTS, max_size=5), run=_RUNS)
@MANY
def test_partial_application_only_shrinks_the_edits(history: Sequence[Event], run: Run) -> None:
    """However a run is cut, what is left to edit was to be edited before."""
    world = lived(history)
    before = edits(run.manifest, world.saved)

    run(world)

    assert edits(run.manifest, world.saved) <= before


@given(history=st.lists(_EVENTS, max_size=6), manifest=_MANIFESTS, span=st.integers(0, 20))
@MANY
def test_a_night_makes_no_edit(
    history: Sequence[Event], manifest: Sequence[Desired], span: int
) -> None:
    """Time alone neither adds an edit, nor turns one into anything else."""
    world = lived(history)
    before = world.plan(manifest)

    world.now += span * HOUR
    after = world.plan(manifest)

    assert after.fingerprint == before.fingerprint
    assert _edited_by(after.edits) == _edited_by(before.edits)
    causes = {c.want.name: c.reason.cause for c in after.changes if isinstance(c, Create)}
    for name in _edited_by(after.edits) & set(causes):
        assert causes[name] is Cause.EDIT


def _edited_by(made: frozenset[Edit]) -> set[str]:
    return {edit.name for edit in made}


@dataclass
class _Promises:
    """Handles that were published, each with the moment until which it was promised."""

    kept: list[tuple[str, datetime]] = field(default_factory=list)

    def note(self, world: World) -> None:
        for retiring in world.saved.retiring.values():
            self.kept.append((retiring.id, retiring.until))
        for record in world.saved.caches.values():
            if isinstance(record, RecordedCache):
                end = min(record.expires_at, world.now + record.retire_after)
                self.kept.append((record.id, end))

    def hold(self, world: World) -> None:
        alive = world.remote.alive()
        for id_, until in self.kept:
            assert id_ in alive or world.now >= until


_STEADY = st.builds(
    desired,
    name=st.sampled_from("abc"),
    content=st.sampled_from("xy"),
    settings=st.just(Settings()),
)
_STEADY_RUNS = st.builds(
    Run,
    manifest=st.lists(_STEADY, max_size=3, unique_by=lambda want: want.name),
    calls=st.integers(1, 8),
    dies=st.booleans(),
    save_fails=st.booleans(),
)


@given(history=st.lists(st.one_of(_STEADY_RUNS, _STEADY_RUNS, _WAITS), max_size=8))
@MANY
def test_a_published_handle_lives_until_it_was_said_to(history: Sequence[Event]) -> None:
    """Without interference no cache dies before the moment that its handle holds."""
    world, promises = World(), _Promises()
    for event in history:
        world.events.clear()
        event(world)
        promises.hold(world)
        if "published" in world.events:
            promises.note(world)
