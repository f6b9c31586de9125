"""What each change does to the world, call by call and fact by fact, and what a dry run shows."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from provisioner.applier.steps import dry_run
from provisioner.model.attributes import Label, Settings, Ttl, Until
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
    Note,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.facts import Call, Done, State
from provisioner.model.records import RecordedCache
from provisioner.planner import decision_table as table
from tests.builders import HOUR, NOW, STACK, annotation, desired, live, recorded, retiring
from tests.world import lived, outcomes

A, B, C = desired("a"), desired("b"), desired("c")
EDITED = desired("a", "y")


def test_creates() -> None:
    """A new cache is made, recorded with the server's own times, and then published."""
    world = lived([A])

    record = world.saved.caches["a"]
    assert isinstance(record, RecordedCache)
    assert record.expires_at == world.remote.caches[record.id].expires_at
    assert record.measure.tokens == world.remote.caches[record.id].token_count
    assert record.measure.counted
    assert world.events == ["Exists", "published"]


def test_letters() -> None:
    """Each create sends the desired label with four letters of its own."""
    world = lived([A, B], [EDITED])

    labels = [Label.parse(seen.display_name) for seen in world.remote.caches.values()]

    assert labels == [A.label, B.label, EDITED.label]
    assert [label.letters for label in labels if label] == ["aaaa", "aaab", "aaac"]


def test_replaces() -> None:
    """The new cache is recorded and published before the old one is touched."""
    world = lived([A])
    (old,) = world.remote.alive()
    world.events.clear()

    world.run([EDITED])

    assert world.events == ["Exists", "published", "Retired"]
    assert world.remote.caches[old].expires_at == world.now + HOUR
    assert world.saved.retiring[old].expires_at == world.now + HOUR
    assert world.saved.caches["a"].digest == EDITED.digest


def test_reverts() -> None:
    """A revert within the hour takes the old cache back and creates nothing."""
    world = lived([A], [EDITED])

    world.run([A])

    assert len(world.remote.created) == 2
    record = world.saved.caches["a"]
    assert isinstance(record, RecordedCache)
    assert record.id == world.remote.created[0]
    assert set(world.saved.retiring) == {world.remote.created[1]}


@pytest.mark.parametrize("lost", ["record", "nothing"])
def test_makes_what_a_list_showed_dead(lost: str) -> None:
    """A cache that is listed and gone when it is refreshed or adopted is made by that change."""
    world = lived([A], hours=7)
    if lost == "record":
        world.saved = State(stack=STACK)
    world.lists_the_dead = True

    world.run([A])

    record = world.saved.caches["a"]
    assert isinstance(record, RecordedCache)
    assert [record.id] == [*world.remote.alive()]
    assert outcomes(world) == [("Adopt" if lost == "record" else "Refresh", Done)]


def test_retires_at_once() -> None:
    """With `retire_after: 0s` the old cache is deleted, after publishing."""
    at_once = Settings(retire_after=timedelta())
    world = lived([desired("a", settings=at_once)])
    (old,) = world.remote.alive()

    world.run([desired("a", "y", settings=at_once)])

    assert old not in world.remote.caches
    assert world.saved.retiring == {}


def test_retires_without_a_call() -> None:
    """A cache that dies within its retirement anyway is not asked to."""
    world = lived([A])
    (old,) = world.remote.alive()
    world.now += 5.5 * HOUR
    before = world.remote.caches[old]

    world.run([])

    assert world.remote.caches[old] == before
    assert world.saved.retiring[old].expires_at == before.expires_at


def test_forgets() -> None:
    """What has died by itself is dropped from the record."""
    world = lived([A, annotation("b")], [desired("a", "y"), annotation("b")])
    world.now += 24 * HOUR

    world.run([])

    assert world.saved.caches == {}
    assert world.saved.retiring == {}


def test_switches_to_an_annotation_and_back() -> None:
    """Switching a name to an annotation retires its cache; switching back adopts it."""
    world = lived([A], [annotation("a")])
    assert set(world.saved.retiring) == set(world.remote.alive())

    world.run([A])

    assert world.saved.retiring == {}
    assert len(world.remote.created) == 1


def test_notes_settings() -> None:
    """A change of settings alone is recorded without an API call."""
    world = lived([A])
    before = dict(world.remote.caches)

    world.run([desired("a", settings=Settings(protect=True))])

    assert world.remote.caches == before
    record = world.saved.caches["a"]
    assert isinstance(record, RecordedCache)
    assert record.settings.protect


def test_changes_a_life() -> None:
    """A change of ttl is one PATCH of the same cache."""
    world = lived([A])
    (only,) = world.remote.alive()

    world.run([desired("a", life=Ttl(12 * HOUR))])

    assert set(world.remote.alive()) == {only}
    assert world.remote.caches[only].expires_at == world.now + 12 * HOUR
    assert world.saved.caches["a"].measure.counted


FIXED = desired("a", life=Until(NOW + 9 * HOUR))
AT_ONCE = recorded(A, settings=Settings(retire_after=timedelta()))
OWN = live(A)
DYING = live(A, expires_at=NOW + HOUR / 2)
LAST_HOUR = live(A, expires_at=NOW + HOUR)
TWIN = live(EDITED, "cachedContents/2")
MAKE = Call(method="POST", path="cachedContents", life=Ttl(6 * HOUR))
RETIRE = Call(method="PATCH", path=OWN.id, life=Ttl(HOUR))
END = Call(method="DELETE", path=OWN.id)


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        (Create(A, None, Reason.NEW, table.NOTHING_ALIVE), [MAKE]),
        (
            Create(FIXED, None, Reason.NEW, table.NOTHING_ALIVE),
            [Call(method="POST", path="cachedContents", life=FIXED.life)],
        ),
        (Replace(EDITED, OWN, recorded(A), Reason.CONTENT, table.OUTDATED), [MAKE, RETIRE]),
        (Replace(EDITED, OWN, AT_ONCE, Reason.CONTENT, table.OUTDATED), [MAKE, END]),
        (Replace(EDITED, DYING, recorded(A), Reason.CONTENT, table.OUTDATED), [MAKE]),
        (
            Adopt(EDITED, TWIN, OWN, recorded(A), Reason.CONTENT, table.TWIN),
            [Call(method="PATCH", path=TWIN.id, life=Ttl(6 * HOUR)), RETIRE],
        ),
        (
            Refresh(A, OWN, recorded(A), Reason.EXPIRING, table.DUE),
            [Call(method="PATCH", path=OWN.id, life=Ttl(6 * HOUR))],
        ),
        (Note(A, OWN, recorded(A), Reason.SETTINGS, table.SETTINGS), []),
        (Keep(A, OWN, recorded(A), Reason.CURRENT, table.UNCHANGED), []),
        (Annotate(annotation("a"), OWN, recorded(A), Reason.PROVIDER, table.ANNOTATION), [RETIRE]),
        (Retire(OWN, recorded(A), Reason.UNDECLARED, table.UNDECLARED), [RETIRE]),
        (Retire(LAST_HOUR, recorded(A), Reason.UNDECLARED, table.UNDECLARED), []),
        (Delete(OWN, None, Reason.STRAY, table.STRAY), [END]),
        (Forget(recorded(A), Reason.UNDECLARED, table.UNDECLARED_GONE), []),
        (Blocked(A, OWN, None, Reason.IMPORTED, "no", table.NOT_ADOPTABLE), []),
        (Leave(OWN, retiring(A), Reason.RETIRING, table.RETIRING), []),
    ],
)
def test_calls(change: Change, calls: list[Call]) -> None:
    """Methods, paths and lives, in their order; what needs no call has none."""
    assert asyncio.run(dry_run(change, at=NOW)) == tuple(calls)
