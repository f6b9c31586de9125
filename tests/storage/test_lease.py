"""A lock that a dead run cannot keep, against a clock that a test moves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from provisioner.errors import BackendUnreachable, StateLocked, StateTaken
from provisioner.storage import Files, Lock
from provisioner.storage.lease import LeaseBackend, lock_name
from provisioner.storage.lock_owner import LockOwner, lock_owner_bytes
from tests.builders import NOW
from tests.storage.clock import Clock
from tests.storage.memory import MemoryFiles

pytestmark = pytest.mark.anyio

NAME = "demo.json"
ANN = LockOwner(
    id="aaa",
    who="ann@build",
    pid=1,
    operation="apply",
    since=NOW,
    job="https://ci.example/1",
    commit="0123456789abcdef",
)
BOB = replace(ANN, id="bbb", who="bob@laptop", job=None)


class Run:
    """One machine: its own clock, and the files that all share."""

    def __init__(self, files: Files) -> None:
        self.clock = Clock()
        self.backend = LeaseBackend(files, runtime=self.clock.runtime)

    @asynccontextmanager
    async def holds(self, who: LockOwner, *, timeout: float = 0) -> AsyncIterator[Lock]:
        limit = timedelta(seconds=timeout)
        async with self.backend.lock(NAME, who, timeout=limit, on_wait=lambda *_: None) as hold:
            yield hold

    async def waits(self, who: LockOwner, *, timeout: float) -> bool:
        """Wait for the lock and let it go; whether it was taken over."""
        async with self.holds(who, timeout=timeout) as hold:
            return hold.took_over

    async def watches(self, who: LockOwner, seconds: float) -> bool:
        """Ask for the lock without patience, and let so much time pass meanwhile."""
        waiting = asyncio.create_task(self.waits(who, timeout=0))
        await self.clock.settle(waiting)
        await self.clock.move(seconds)
        await self.clock.settle(waiting)
        if not waiting.done():
            waiting.cancel()
            raise TimeoutError
        return await waiting

    @asynccontextmanager
    async def takes_over(self, who: LockOwner) -> AsyncIterator[Lock]:
        """Hold the lock of a run that is dead, after a term of watching it."""
        entering = asyncio.create_task((holding := self.holds(who, timeout=600)).__aenter__())
        await self.clock.settle(entering)
        await self.clock.move(62)
        hold = await entering
        try:
            yield hold
        finally:
            await holding.__aexit__(None, None, None)


@asynccontextmanager
async def dead(files: Files) -> AsyncIterator[Run]:
    """A run that took the lock and stands still: its clock never moves."""
    run = Run(files)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(run.holds(ANN))
        yield run


async def test_held_and_let_go() -> None:
    """The lock names its owner while it is held, and none afterwards."""
    run = Run(MemoryFiles())

    async with run.holds(ANN) as hold:
        owner = run.backend.lock_owner(NAME)
        assert owner == replace(ANN, until=NOW + timedelta(seconds=60))
        assert not hold.is_lost
        assert not hold.took_over
    assert run.backend.lock_owner(NAME) is None
    async with run.holds(BOB) as hold:
        assert not hold.took_over


async def test_a_second_run_is_refused() -> None:
    """The second run's error names the owner, since when, where its log is, and what to do."""
    files = MemoryFiles()
    async with dead(files):
        with pytest.raises(StateLocked) as refused:
            await Run(files).waits(BOB, timeout=0)

    sentence = str(refused.value)
    assert sentence.startswith("memory:demo.json is locked: ann@build (apply of 0123456789ab, ")
    assert "https://ci.example/1" in sentence
    assert "since 2026-" in sentence
    assert "--lock-timeout" in sentence
    assert "ctxprov unlock aaa" in sentence


async def test_a_living_run_keeps_it() -> None:
    """A run that renews its lock keeps it from every waiting run, for as long as it lives."""
    run = Run(MemoryFiles())
    async with run.holds(ANN) as hold:
        waiting = asyncio.create_task(run.waits(BOB, timeout=600))
        await run.clock.settle(waiting)
        await run.clock.move(590)
        assert not waiting.done()
        assert not hold.is_lost
        await run.clock.move(20)
        with pytest.raises(StateLocked):
            await waiting


async def test_waiting_ends_with_the_holder() -> None:
    """A waiting run gets the lock soon after its release, and has taken nothing over."""
    run = Run(MemoryFiles())
    async with run.holds(ANN):
        waiting = asyncio.create_task(run.waits(BOB, timeout=600))
        await run.clock.settle(waiting)
    await run.clock.move(3)

    assert await waiting is False


AHEAD = [timedelta(minutes=5), timedelta(hours=3), timedelta(days=1)]


@pytest.mark.parametrize("skew", AHEAD)
async def test_a_lock_that_ran_out(skew: timedelta) -> None:
    """A lock that looks dead is watched for a term, without patience too, and then taken."""
    files = MemoryFiles()
    async with dead(files):
        late = Run(files)
        late.clock.skew = skew
        with pytest.raises(TimeoutError):
            await late.watches(BOB, 59)
        assert await late.watches(BOB, 61) is True


async def test_what_a_watch_reports() -> None:
    """Who watches a lock that looks dead says whose it is and for how long."""
    files, waits = MemoryFiles(), list[tuple[str, timedelta]]()
    async with dead(files):
        late = Run(files)
        late.clock.skew = timedelta(hours=1)

        async def lock() -> None:
            async with late.backend.lock(
                NAME, BOB, timeout=timedelta(), on_wait=lambda w, t: waits.append((str(w), t))
            ):
                pass

        waiting = asyncio.create_task(lock())
        await late.clock.settle(waiting)
        await late.clock.move(61)
        await waiting
    assert waits[0][0].startswith("ann@build")
    assert (waits[0][1], len(waits)) == (timedelta(seconds=60), 30)


@pytest.mark.parametrize("skew", [*AHEAD, timedelta(hours=-1)])
async def test_a_living_run_with_another_clock(skew: timedelta) -> None:
    """No run takes a live lock, under any clock: its renewal shows that it lives."""
    files = MemoryFiles()
    run, other = Run(files), Run(files)
    other.clock.skew = skew
    async with run.holds(ANN) as hold:
        waiting = asyncio.create_task(other.waits(BOB, timeout=0))
        await other.clock.settle(waiting)
        await run.clock.move(21)
        await other.clock.move(21)
        with pytest.raises(StateLocked, match="ann@build"):
            await waiting
        assert not hold.is_lost


async def test_a_holder_whose_clock_is_behind() -> None:
    """A owner an hour behind writes a past `until`, and keeps its lock all the same."""
    files = MemoryFiles()
    run, other = Run(files), Run(files)
    run.clock.skew = timedelta(hours=-1)
    async with run.holds(ANN) as hold:
        waiting = asyncio.create_task(other.waits(BOB, timeout=600))
        await other.clock.settle(waiting)
        for _ in range(20):
            await run.clock.move(20)
            await other.clock.move(20)
        assert not waiting.done()
        assert not hold.is_lost
    await other.clock.move(3)
    assert await waiting is False


async def test_a_suspended_run() -> None:
    """A run that was suspended for longer than a term finds its lock lost before it deletes."""
    files = MemoryFiles()
    sleeper, other = Run(files), Run(files)
    async with sleeper.holds(ANN) as lost:
        version = lost.write(NAME, b"one", expected=None)
        assert lost.renew()
        async with other.takes_over(BOB) as hold:
            hold.write(NAME, b"two", expected=version)
        sleeper.clock.passed += 3600  # its renewals slept as well
        assert lost.is_lost
        assert not lost.renew()


async def test_a_suspended_run_without_a_successor() -> None:
    """A run that was suspended without a rival has its lock again as soon as it asks."""
    run = Run(MemoryFiles())
    async with run.holds(ANN) as hold:
        run.clock.passed += 3600
        assert hold.is_lost
        assert hold.renew()
        assert not hold.is_lost


async def test_renewed_before_what_cannot_be_undone() -> None:
    """A lock that a person ended is found lost at once; a fresh renewal is not repeated."""
    files = MemoryFiles()
    run = Run(files)
    async with run.holds(ANN) as hold:
        first = files.files[lock_name(NAME)]
        run.clock.passed += 9
        assert hold.renew()
        assert files.files[lock_name(NAME)] == first
        run.clock.passed += 2
        assert hold.renew()
        assert files.files[lock_name(NAME)] != first
        run.backend.unlock(NAME, "aaa")
        run.clock.passed += 11
        assert not hold.renew()


async def test_renewed_from_both_sides() -> None:
    """Renewals of the schedule and those before a deletion do not take the lock from each other."""
    run = Run(MemoryFiles())
    async with run.holds(ANN) as hold:
        for _ in range(40):
            run.clock.passed += 11
            moving = asyncio.create_task(run.clock.move(10))
            asked = [asyncio.create_task(asyncio.to_thread(hold.renew)) for _ in range(4)]
            assert all(await asyncio.gather(*asked))
            await moving
        assert not hold.is_lost


@pytest.mark.parametrize("skew", [timedelta(days=-3), timedelta(days=0)])
async def test_a_lock_that_never_changes(skew: timedelta) -> None:
    """A waiting run takes over a lock that did not change for a term, under any clock."""
    files = MemoryFiles()
    async with dead(files):
        run = Run(files)
        run.clock.skew = skew
        waiting = asyncio.create_task(run.waits(BOB, timeout=600))
        await run.clock.settle(waiting)
        await run.clock.move(59)
        assert not waiting.done()
        await run.clock.move(3)
        assert await waiting is True


async def test_a_late_write_by_the_loser() -> None:
    """A run that lost the lock writes nothing, not even once it could."""
    files = MemoryFiles()
    sleeper, other = Run(files), Run(files)
    async with sleeper.holds(ANN) as lost:
        version = lost.write(NAME, b"one", expected=None)
        async with other.takes_over(BOB) as hold:
            assert hold.took_over
            hold.write(NAME, b"two", expected=version)
            with pytest.raises(StateTaken):
                lost.write(NAME, b"three", expected=version)
            await sleeper.clock.move(21)
            assert lost.is_lost
            current = sleeper.backend.read(NAME)
            assert current
            with pytest.raises(StateTaken, match="was lost"):
                lost.write(NAME, b"three", expected=current.version)
    assert files.files[NAME] == b"two"


async def test_the_loser_lets_go_of_nothing() -> None:
    """A run that ends after its lock was taken leaves the other's lock alone."""
    files = MemoryFiles()
    other = Run(files)
    async with AsyncExitStack() as stack:
        async with Run(files).holds(ANN):
            await stack.enter_async_context(other.takes_over(BOB))
        owner = other.backend.lock_owner(NAME)
        assert owner
        assert owner.id == "bbb"


async def test_unreachable_for_less_than_a_term() -> None:
    """A backend that is away for a while costs nothing; a renewal whose answer was lost is ours."""
    files = MemoryFiles()
    run = Run(files)
    async with run.holds(ANN) as hold:
        files.loses_answers = True
        await run.clock.move(21)
        files.loses_answers = False
        files.is_down = True
        await run.clock.move(20)
        files.is_down = False
        await run.clock.move(600)
        assert not hold.is_lost
    assert run.backend.lock_owner(NAME) is None


async def test_unreachable_for_a_term() -> None:
    """After a term without renewal the lease is in doubt, until a renewal proves it."""
    files = MemoryFiles()
    run = Run(files)
    async with run.holds(ANN) as hold:
        files.is_down = True
        await run.clock.move(61)
        assert hold.is_lost
        files.is_down = False
        await run.clock.move(6)
        assert not hold.is_lost


async def test_a_write_under_a_lease_in_doubt() -> None:
    """The error for a lease in doubt says why it is, and does not call the lock taken."""
    files = MemoryFiles()
    run = Run(files)
    async with run.holds(ANN) as hold:
        run.clock.passed = 60
        with pytest.raises(BackendUnreachable, match="stood still"):
            hold.write(NAME, b"one", expected=None)
        files.is_down = True
        await run.clock.move(61)
        with pytest.raises(BackendUnreachable, match=r"renewed for 1m.*there is no answer"):
            hold.write(NAME, b"one", expected=None)
        files.is_down = False
        files.files[lock_name(NAME)] = b"another's"
        await run.clock.move(6)
        with pytest.raises(StateTaken, match="was lost"):
            hold.write(NAME, b"one", expected=None)
    assert NAME not in files.files


async def test_a_home_that_is_away_at_the_end() -> None:
    """A lock that cannot be let go fails no run: it runs out."""
    files = MemoryFiles()
    run = Run(files)
    async with run.holds(ANN):
        files.is_down = True
    files.is_down = False
    run.clock.skew = timedelta(seconds=120)
    assert await run.watches(BOB, 61) is True


async def test_unreachable_from_the_start() -> None:
    files = MemoryFiles()
    files.is_down = True
    with pytest.raises(BackendUnreachable):
        await Run(files).waits(ANN, timeout=60)


async def test_unlocked_by_its_id() -> None:
    """A lock is ended by its id and by no other; its owner then has it no longer."""
    files = MemoryFiles()
    run = Run(files)
    async with run.holds(ANN) as hold:
        with pytest.raises(StateTaken, match="no lock bbb: ann@build"):
            run.backend.unlock(NAME, "bbb")
        run.backend.unlock(NAME, "aaa")
        assert run.backend.lock_owner(NAME) is None
        await run.clock.move(21)
        assert hold.is_lost
    with pytest.raises(StateTaken, match="it is not locked"):
        run.backend.unlock(NAME, "aaa")


@pytest.mark.parametrize("rewrites", [True, False])
async def test_taken_over_until_rewritten(rewrites: bool) -> None:  # noqa: FBT001  # a parameter
    """Who takes a lock that was ended and rewrites nothing leaves that to the next."""
    run = Run(MemoryFiles())
    async with run.holds(ANN):
        run.backend.unlock(NAME, "aaa")
        async with run.holds(BOB) as hold:
            assert hold.took_over
            if rewrites:
                hold.write(NAME, b"one", expected=None)
        assert run.backend.lock_owner(NAME) is None
        assert await run.waits(BOB, timeout=0) is not rewrites


async def test_a_lock_that_never_runs_out() -> None:
    """A lock until the end of time is another's until it was watched for a term."""
    files = MemoryFiles()
    run = Run(files)
    never = replace(ANN, until=datetime.max.replace(tzinfo=UTC))
    files.files[lock_name(NAME)] = lock_owner_bytes(never)
    with pytest.raises(StateLocked, match="9999-12-31"):
        await run.waits(BOB, timeout=0)
    waiting = asyncio.create_task(run.waits(BOB, timeout=600))
    await run.clock.settle(waiting)
    await run.clock.move(63)
    assert await waiting is True


async def test_an_unreadable_lock() -> None:
    """An unreadable lock counts as held until it was watched for a term."""
    files = MemoryFiles()
    files.files[lock_name(NAME)] = b"{torn"
    run = Run(files)
    with pytest.raises(StateLocked, match="cannot be read"):
        await run.waits(ANN, timeout=0)
    waiting = asyncio.create_task(run.waits(ANN, timeout=600))
    await run.clock.settle(waiting)
    await run.clock.move(63)
    assert await waiting is True


async def test_one_of_many() -> None:
    """Of eight runs that start at once one gets the lock, and the others name it."""
    files = MemoryFiles()
    inside = 0

    async def run(number: int) -> str:
        nonlocal inside
        try:
            async with Run(files).holds(replace(ANN, id=str(number))):
                inside += 1
                await asyncio.sleep(0.05)
        except StateLocked as locked:
            return str(locked)
        return "held"

    told = await asyncio.gather(*map(run, range(8)))

    assert inside == told.count("held") == 1
    assert sum("ctxprov unlock" in words for words in told) == 7


async def test_stopped_while_it_takes_the_lock() -> None:
    """A run that is stopped while it takes the lock leaves none behind."""
    files = MemoryFiles()
    writing, go_on = threading.Event(), threading.Event()

    def slowly() -> None:
        writing.set()
        go_on.wait()

    files.before_write = slowly
    run = Run(files)
    taking = asyncio.create_task(run.waits(ANN, timeout=0))
    await asyncio.to_thread(writing.wait)
    taking.cancel()
    await asyncio.sleep(0.01)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await taking

    assert lock_name(NAME) in files.files
    assert run.backend.lock_owner(NAME) is None
