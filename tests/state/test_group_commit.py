"""Saving in groups: what is on disk, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Lock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from provisioner.errors import BackendUnreachable, StateError, StateTaken, Unsaved
from provisioner.model.facts import (
    ApprovedEdits,
    Disappearance,
    Exists,
    Gone,
    Revision,
    Scope,
    State,
)
from provisioner.model.stack_settings import Limits, StackSettings
from provisioner.runtime import SYSTEM
from provisioner.state import read_state
from provisioner.state.draft import StateNotes
from provisioner.state.group_commit import LINGER, SHARE, Ledger, next_save, open_ledger
from provisioner.state.state_file import parse_state, state_bytes
from provisioner.storage import Backend, StoredFile
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.local import LocalBackend
from provisioner.storage.lock_owner import LockOwner
from tests.builders import NOW, STACK, desired, recorded, state
from tests.storage.clock import AT_NOW, Clock
from tests.storage.memory import MemoryFiles

WHO = LockOwner(id="1f", who="me@here", pid=1, operation="apply", since=NOW)


@dataclass
class Disk:
    """A store whose writes take as long as they are large, on a clock of its own."""

    cost_of_a_byte: float = 0.0
    cost_of_a_write: float = 0.0
    now: float = 0.0
    spent: float = 0.0
    before_the_end: float = 0.0
    is_full: bool = False
    is_lost: bool = False
    is_taken: bool = False
    asked: int = 0
    """How often something was to be written or renewed."""
    writes: list[bytes] = field(default_factory=list)
    _moving: Lock = field(default_factory=Lock, repr=False)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, for the loop and for the thread that saves alike."""
        with self._moving:
            self.now += seconds

    def renew(self) -> bool:
        self.asked += 1
        return not self.is_lost

    def write(self, content: bytes) -> None:
        self.asked += 1
        cost = self.cost_of_a_write + self.cost_of_a_byte * len(content)
        self.pass_time(cost)
        self.spent += cost
        if self.is_taken:
            raise StateTaken("another run wrote there")
        if self.is_full:
            raise StateError("the disk is full")
        self.writes.append(content)

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pass_time(max(0.0, seconds))
        await asyncio.sleep(0)

    def last(self) -> State:
        return parse_state(self.writes[-1], where="state", stack=STACK)


def fact(number: int) -> Exists:
    return Exists(recorded(desired(f"n{number}"), f"cachedContents/{number}"))


def run(work: Callable[[Ledger], Awaitable[None]], disk: Disk) -> None:
    async def once() -> None:
        runtime = replace(SYSTEM, monotonic=disk.monotonic, sleep=disk.sleep)
        ledger = Ledger(State(stack=STACK), disk, run="r1", runtime=runtime)
        async with ledger:
            await work(ledger)

    asyncio.run(once())


def test_saves_at_the_end() -> None:
    """Every recorded fact is on disk when the run is over, with the next serial."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        ledger.record(fact(2))

    run(work, disk)

    assert set(disk.last().caches) == {"n1", "n2"}
    assert disk.last().serial == 1
    assert len(disk.writes) == 1


def test_writes_nothing_without_news() -> None:
    """A run that learns nothing new leaves the file alone."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.record(Gone("cachedContents/unknown"))
        await ledger.save()

    run(work, disk)

    assert disk.writes == []


def test_claimed() -> None:
    """What is claimed is written again under the serial it has, by another run."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        await ledger.claim()
        assert (disk.last().serial, disk.last().run) == (0, "r1")
        ledger.record(fact(1))

    run(work, disk)

    assert disk.last().serial == 1
    assert len(disk.writes) == 2


def test_scopes_are_news() -> None:
    """A scope that was not known is saved; one that was is not."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.note_scope("gemini", Scope(endpoint="https://here/v1beta", keys=("0" * 16,)))
        await ledger.save()
        ledger.note_scope("gemini", Scope(endpoint="https://here/v1beta", keys=("0" * 16,)))

    run(work, disk)

    assert len(disk.writes) == 1
    assert disk.last().providers["gemini"].keys == ("0" * 16,)


def test_a_fact_waits_two_seconds() -> None:
    """Facts are saved by themselves, together, after two seconds."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        ledger.record(fact(2))
        while not disk.writes:  # noqa: ASYNC110  # the saver is the one who moves the clock
            await asyncio.sleep(0)
        assert disk.now == LINGER
        assert set(disk.last().caches) == {"n1", "n2"}

    run(work, disk)


@pytest.mark.parametrize("count", [200, 2_000])
def test_saving_takes_a_twentieth_at_most(count: int) -> None:
    """However large the state grows, no more goes into saving, so N facts cost O(N)."""
    disk = Disk(cost_of_a_byte=1e-6)

    async def work(ledger: Ledger) -> None:
        for number in range(count):
            ledger.record(fact(number))
            disk.pass_time(0.001)
            if number % 50 == 0:
                await asyncio.sleep(0)
        disk.before_the_end = disk.spent

    run(work, disk)

    assert disk.before_the_end <= disk.now * SHARE
    assert len(disk.last().caches) == count


def test_a_save_that_failed_is_tried_again() -> None:
    """What could not be saved is saved as soon as that is possible, without another fact."""
    disk = Disk(is_full=True)

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        with pytest.raises(StateError):
            await ledger.save()
        disk.is_full = False
        async with asyncio.timeout(5):
            while not disk.writes:  # noqa: ASYNC110  # the saver is the one who moves the clock
                await asyncio.sleep(0.001)

    run(work, disk)

    assert len(disk.writes) == 1


def test_nothing_to_save() -> None:
    """After a save the ledger waits for the next fact, however long that takes."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        await ledger.save()
        at = disk.now
        for _ in range(20):
            await asyncio.sleep(0)
        assert disk.now == at

    run(work, disk)


def test_the_cost_of_the_next_save_counts() -> None:
    """A save waits until the ones before it and itself are a twentieth of the run at most."""
    disk = Disk(cost_of_a_write=1.0)
    ends: list[float] = []

    async def work(ledger: Ledger) -> None:
        for number in (1, 2, 3):
            ledger.record(fact(number))
            async with asyncio.timeout(5):
                while len(disk.writes) < number:  # noqa: ASYNC110  # likewise
                    await asyncio.sleep(0.001)
            ends.append(disk.now)

    run(work, disk)

    assert ends == [LINGER + 1, 41.0, 61.0]


def test_news() -> None:
    """A ledger has news from the first fact that changes what is remembered."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        assert not ledger.has_news
        ledger.record(Gone("cachedContents/unknown"))
        assert not ledger.has_news
        ledger.record(fact(1))
        assert ledger.has_news
        await ledger.save()
        assert ledger.has_news
        assert (ledger.state.serial, set(ledger.state.caches)) == (1, {"n1"})

    run(work, disk)


SETTINGS = StackSettings(limits=Limits(), key_envs={}, publish="handles.json", state="0" * 64)


@pytest.mark.parametrize(
    "notes",
    [
        {"stack_settings": SETTINGS},
        {"rested": {"a": "0" * 64}},
        {"approved": ApprovedEdits(fingerprint="0" * 64, digests=())},
        {"last_edit": Revision(commit="c0ffee" * 7, committed_at=NOW)},
        {"disappeared": {"gemini": Disappearance(since=NOW)}},
    ],
    ids=str,
)
def test_what_no_fact_is_about(notes: StateNotes) -> None:
    """What a run notes beside facts is saved once."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.note(**notes)
        assert ledger.has_news
        await ledger.save()
        ledger.note(**notes)

    run(work, disk)

    assert len(disk.writes) == 1
    assert disk.last() == replace(disk.last(), **notes)


@pytest.mark.parametrize(("serial", "saved"), [(9, 9), (0, 2), (2, 2)])
def test_another_state_is_put_in_its_place(serial: int, saved: int) -> None:
    """A state that takes the place of another is saved, with a serial no lower than its own."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        await ledger.save()
        ledger.put(state(recorded(desired("b")), serial=serial))

    run(work, disk)

    assert set(disk.last().caches) == {"b"}
    assert disk.last().serial == saved


def test_renewing_the_lock() -> None:
    """The lock is held as long as the store says so."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        assert await ledger.renew_lock()
        disk.is_lost = True
        assert not await ledger.renew_lock()

    run(work, disk)


def test_a_state_that_another_run_took() -> None:
    """Once another run has taken the state, this one asks and writes no more."""
    disk = Disk(is_taken=True)
    after: list[tuple[bool, int]] = []

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        with pytest.raises(StateTaken):
            await ledger.save()
        after.append((ledger.is_lost, disk.asked))
        after.append((not await ledger.renew_lock(), disk.asked))
        with pytest.raises(StateTaken):
            await ledger.save()
        after.append((ledger.is_lost, disk.asked))

    with pytest.raises(StateTaken):
        run(work, disk)

    assert after == [(True, 1)] * 3


def test_saves_when_cancelled() -> None:
    """A run that is cut short saves what it knows."""
    disk = Disk()

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        run(work, disk)

    assert set(disk.last().caches) == {"n1"}


def test_a_full_disk() -> None:
    """A save that fails is an error at once, and at the end again."""
    disk = Disk(is_full=True)

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        with pytest.raises(StateError):
            await ledger.save()

    with pytest.raises(StateError, match="full"):
        run(work, disk)


def test_the_next_save_makes_up_for_it() -> None:
    """What one save could not write the next one does."""
    disk = Disk(is_full=True)

    async def work(ledger: Ledger) -> None:
        ledger.record(fact(1))
        with pytest.raises(StateError):
            await ledger.save()
        disk.is_full = False

    run(work, disk)

    assert set(disk.last().caches) == {"n1"}


@pytest.mark.parametrize(
    ("stirred", "opened", "spent", "cost", "due"),
    [
        (10.0, 0.0, 0.0, 0.0, 12.0),
        (10.0, 0.0, 0.1, 0.1, 12.0),
        (10.0, 0.0, 0.5, 0.5, 20.0),
        (10.0, 5.0, 0.5, 0.5, 25.0),
    ],
)
def test_pacing(*, stirred: float, opened: float, spent: float, cost: float, due: float) -> None:
    """Two seconds after the first fact, or when a twentieth of the run allows it."""
    assert next_save(stirred=stirred, opened=opened, spent=spent, cost=cost) == due


@given(st.floats(0, 1e4), st.floats(0, 1e3), st.floats(0, 1e3))
def test_pacing_keeps_its_share(stirred: float, spent: float, cost: float) -> None:
    """After every save, saving has had a twentieth of the time at most."""
    due = next_save(stirred=stirred, opened=0.0, spent=spent, cost=cost)

    assert due >= stirred + LINGER
    assert (spent + cost) <= due * SHARE + 1e-6


def opened(
    backend: Backend,
    before_save: Callable[[StoredFile | None], None] = lambda _: None,
    who: LockOwner = WHO,
) -> AbstractAsyncContextManager[Ledger]:
    return open_ledger(
        backend,
        stack=STACK,
        runtime=SYSTEM,
        who=who,
        timeout=timedelta(),
        on_wait=lambda *_: None,
        before_save=before_save,
    )


def test_open_ledger(tmp_path: Path) -> None:
    """A ledger on disk is locked, read, saved and let go."""
    backend = LocalBackend(tmp_path / "state", SYSTEM)
    replaced: list[StoredFile | None] = []

    async def once(number: int) -> None:
        async with opened(backend, replaced.append) as ledger:
            ledger.record(fact(number))
            await ledger.save()
            ledger.record(fact(number + 10))

    asyncio.run(once(1))
    first = backend.read("demo.json")
    asyncio.run(once(2))

    state = read_state(backend, stack=STACK)
    assert set(state.caches) == {"n1", "n2", "n11", "n12"}
    assert state.serial == 4
    assert replaced == [None, first]


@pytest.mark.parametrize("more", [0, 1])
def test_a_lost_answer(more: int) -> None:
    """A save that was done, and whose answer was lost, was done by this run and by no other."""
    files = MemoryFiles()
    backend = LeaseBackend(files, runtime=AT_NOW)

    async def work() -> None:
        async with opened(backend) as ledger:
            ledger.record(fact(0))
            await ledger.save()
            for number in (1, 2):
                ledger.record(fact(number))
                files.loses_answers = number == 1
                files.is_down = number == 2
                with pytest.raises(BackendUnreachable):
                    await ledger.save()
            files.is_down = False
            for number in range(more):
                ledger.record(fact(10 + number))
                await ledger.save()

    asyncio.run(work())

    assert len(read_state(backend, stack=STACK).caches) == 3 + more
    assert read_state(backend, stack=STACK).serial == 2


def test_a_lost_answer_and_nothing_since() -> None:
    """What a save whose answer was lost has written is not written again."""
    files = MemoryFiles()
    backend = LeaseBackend(files, runtime=AT_NOW)
    writes: list[None] = []

    async def work() -> None:
        async with opened(backend) as ledger:
            ledger.record(fact(1))
            files.loses_answers = True
            with pytest.raises(BackendUnreachable):
                await ledger.save()
            files.loses_answers = False
            files.before_write = lambda: writes.append(None)
            await ledger.save()

    asyncio.run(work())

    assert read_state(backend, stack=STACK).serial == 1
    assert len(writes) == 2, "the one that failed its condition, and the lock that was let go"


def test_a_lost_answer_and_another_run() -> None:
    """What another run has written since is not taken for a save whose answer was lost."""
    files = MemoryFiles()
    backend = LeaseBackend(files, runtime=AT_NOW)
    theirs = state_bytes(State(stack=STACK, serial=7))

    async def work() -> None:
        async with opened(backend) as ledger:
            ledger.record(fact(1))
            files.loses_answers = True
            with pytest.raises(BackendUnreachable):
                await ledger.save()
            files.loses_answers = False
            files.files["demo.json"] = theirs

    with pytest.raises(StateTaken, match="another run has taken the state"):
        asyncio.run(work())

    assert files.files["demo.json"] == theirs


@pytest.mark.parametrize("news", [True, False])
def test_an_outage_longer_than_the_lease(news: bool) -> None:  # noqa: FBT001  # a parameter
    """While the lease is in doubt the run saves nothing, and the error carries what it knows."""
    files, clock = MemoryFiles(), Clock()
    backend = LeaseBackend(files, runtime=clock.runtime)

    begun: list[StoredFile | None] = []

    async def work() -> None:
        async with opened(backend, begun.append) as ledger:
            files.is_down = True
            if news:
                ledger.record(fact(1))
            await clock.move(61)
            assert ledger.is_lost
            with pytest.raises(BackendUnreachable, match="there is no answer"):
                await ledger.save()

    if news:
        with pytest.raises(Unsaved, match="there is no answer") as unsaved:
            asyncio.run(work())
        known = parse_state(unsaved.value.content, where="state", stack=STACK)
        assert (set(known.caches), known.serial) == ({"n1"}, 1)
    else:
        asyncio.run(work())
    assert "demo.json" not in files.files
    assert begun == [], "a run that can save nothing begins no history"


def test_a_lock_that_was_ended() -> None:
    """The new owner of an ended lock saves; the run that had the lock and lives does not."""
    files = MemoryFiles()
    backend = LeaseBackend(files, runtime=AT_NOW)

    async def work() -> None:
        async with opened(backend) as alive:
            backend.unlock("demo.json", WHO.id)
            async with opened(backend, who=replace(WHO, id="2e")) as ledger:
                assert await ledger.renew_lock()
                alive.record(fact(1))
                with pytest.raises(StateTaken):
                    await alive.save()
                ledger.record(fact(2))

    with pytest.raises(StateTaken):
        asyncio.run(work())

    assert set(read_state(backend, stack=STACK).caches) == {"n2"}
