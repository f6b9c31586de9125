"""
What every backend promises, as tests that a backend's own module inherits.

`FilesConformance` is for all, `LeaseConformance` for those whose locks are leases.  A class
that inherits says how to open the backend of one test, as often as it has machines.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import datetime, timedelta
from threading import Barrier, Thread
from typing import TypeAlias

import pytest
from msgspec.structs import replace

from provisioner.errors import StateLocked, StateTaken
from provisioner.storage import Backend, Lock
from provisioner.storage.lease import LeaseBackend
from provisioner.storage.lock_owner import LockOwner
from tests.builders import NOW
from tests.storage.clock import Clock

Open: TypeAlias = Callable[[Callable[[], datetime]], Backend]
"""Open the one place of a test from another machine, which has a clock of its own."""

NAME = "demo.json"
WRITERS = 8
ANN = LockOwner(id="aaa", who="ann@build", pid=1, operation="apply", since=NOW, job="https://ci/1")
BOB = replace(ANN, id="bbb", who="bob@laptop")


def fresh(text: str) -> bytes:
    """A document, and something that no other document has."""
    return f"{text} {secrets.token_hex(8)}".encode()


class FilesConformance:
    """Conditional writes."""

    rounds = 5
    """How often each of the writers counts on; fewer where a write takes long."""

    @pytest.fixture
    def open_place(self) -> Open:
        raise NotImplementedError

    @pytest.fixture
    def backend(self, open_place: Open) -> Backend:
        return open_place(lambda: NOW)

    def test_absent(self, backend: Backend) -> None:
        """A file that is not there is absent, and its place says so."""
        assert backend.read("never.json") is None
        backend.confirm("never.json")
        backend.delete("never.json", expected="0")

    def test_reads_what_was_written(self, backend: Backend, open_place: Open) -> None:
        """What is written is read at once, here and elsewhere, under the version it got."""
        content = fresh("one")
        version = backend.write(NAME, content, expected=None)
        for reader in (backend, open_place(lambda: NOW)):
            found = reader.read(NAME)
            assert found
            assert (found.content, found.version) == (content, version)

    def test_made_once(self, backend: Backend) -> None:
        """What is there cannot be made, and is as it was."""
        content = fresh("one")
        backend.write(NAME, content, expected=None)
        with pytest.raises(StateTaken, match=r"demo\.json"):
            backend.write(NAME, fresh("two"), expected=None)
        found = backend.read(NAME)
        assert found
        assert found.content == content

    def test_replaced_if_unchanged(self, backend: Backend) -> None:
        """Only the version that is there can be replaced."""
        first = backend.write(NAME, fresh("one"), expected=None)
        content = fresh("two")
        second = backend.write(NAME, content, expected=first)
        assert second != first
        with pytest.raises(StateTaken):
            backend.write(NAME, fresh("three"), expected=first)
        with pytest.raises(StateTaken):
            backend.write("never.json", fresh("four"), expected=second)
        found = backend.read(NAME)
        assert found
        assert found.content == content
        assert backend.read("never.json") is None

    def test_deleted_if_unchanged(self, backend: Backend) -> None:
        first = backend.write(NAME, fresh("one"), expected=None)
        second = backend.write(NAME, fresh("two"), expected=first)
        with pytest.raises(StateTaken):
            backend.delete(NAME, expected=first)
        backend.delete(NAME, expected=second)
        assert backend.read(NAME) is None

    @pytest.mark.parametrize("name", ["a/b.json", "a/b/c-d_e.1.json"])
    def test_folders(self, backend: Backend, name: str) -> None:
        """A name may have folders, and is not the name without them."""
        backend.write(name, fresh("one"), expected=None)
        assert backend.read(name)
        assert backend.read(name.rpartition("/")[2]) is None
        assert backend.where(name).endswith(name)

    @pytest.mark.parametrize("content", [b"\0\xff{torn", b"x" * 8_000_000], ids=["torn", "huge"])
    def test_any_bytes(self, backend: Backend, content: bytes) -> None:
        """A backend does not mind what bytes mean, nor that they are many."""
        backend.write(NAME, content, expected=None)
        found = backend.read(NAME)
        assert found
        assert found.content == content

    def test_made_by_one_of_many(self, open_place: Open) -> None:
        """Of eight that make one file at once, with equal bytes, exactly one has made it."""
        won: list[int] = []

        def make(number: int, backend: Backend) -> None:
            try:
                backend.write("new.json", b"the same", expected=None)
            except StateTaken:
                return
            won.append(number)

        _at_once(make, open_place)
        assert len(won) == 1

    @pytest.mark.heavy
    @pytest.mark.parametrize("alike", [True, False], ids=["alike", "unlike"])
    def test_no_increment_is_lost(self, open_place: Open, alike: bool) -> None:  # noqa: FBT001
        """Eight that count at once lose no increment, whether they write alike or not."""

        def count(number: int, backend: Backend) -> None:
            writer = "" if alike else f"writer {number}"
            for _ in range(self.rounds):
                _increment(backend, writer)

        open_place(lambda: NOW).write(NAME, fresh("0"), expected=None)
        _at_once(count, open_place)
        found = open_place(lambda: NOW).read(NAME)
        assert found
        assert int(found.content.split()[0]) == WRITERS * self.rounds


class LeaseConformance(FilesConformance):
    """Locks that run out."""

    pytestmark = pytest.mark.anyio

    async def test_one_holds_it(self, open_place: Open) -> None:
        """The error of the second names the lock owner; the third gets the lock once it is free."""
        first, second = open_place(lambda: NOW), open_place(lambda: NOW)
        async with _lock(first, ANN):
            owner = second.lock_owner(NAME)
            assert owner
            assert replace(owner, until=None) == ANN
            with pytest.raises(StateLocked, match="ann@build"):
                await _lock(second, BOB).__aenter__()
        assert second.lock_owner(NAME) is None
        async with _lock(second, BOB) as hold:
            assert not hold.took_over

    @pytest.mark.heavy
    async def test_waits(self, open_place: Open) -> None:
        """A waiting run gets the lock after its release."""
        first, second = open_place(lambda: NOW), open_place(lambda: NOW)
        waits: list[LockOwner | None] = []
        is_waiting = asyncio.Event()

        def on_wait(owner: LockOwner | None, left: timedelta) -> None:
            assert left <= timedelta(seconds=60)
            waits.append(owner)
            is_waiting.set()

        async def wait() -> None:
            limit = timedelta(seconds=60)
            async with second.lock(NAME, BOB, timeout=limit, on_wait=on_wait):
                pass

        async with _lock(first, ANN):
            waiting = asyncio.create_task(wait())
            await is_waiting.wait()
        await waiting
        assert waits[0]
        assert waits[0].id == "aaa"

    async def test_taken_over(self, open_place: Open) -> None:
        """A suspended run loses its lock, knows it, writes nothing more and frees nothing."""
        clock, suspended = Clock(), Clock()
        slow, other = (
            LeaseBackend(open_place(c.now), runtime=c.runtime) for c in (suspended, clock)
        )
        async with AsyncExitStack() as stack:
            async with _lock(slow, ANN) as lost:
                version = lost.write(NAME, fresh("one"), expected=None)
                taking = asyncio.create_task(
                    stack.enter_async_context(_lock(other, BOB, patience=timedelta(minutes=10)))
                )
                await clock.settle(taking)
                await clock.move(62)
                hold = await taking
                suspended.passed += 62
                assert hold.took_over
                assert not lost.renew()
                content = fresh("two")
                hold.write(NAME, content, expected=version)
                with pytest.raises(StateTaken):
                    lost.write(NAME, fresh("three"), expected=version)
            owner = other.lock_owner(NAME)
            assert owner
            assert owner.id == "bbb"
            found = other.read(NAME)
            assert found
            assert found.content == content

    async def test_unlocked(self, open_place: Open) -> None:
        """A lock is ended by its id and by no other; as its run may live, it is taken over."""
        first, second = open_place(lambda: NOW), open_place(lambda: NOW)
        async with _lock(first, ANN):
            with pytest.raises(StateTaken):
                second.unlock(NAME, "ccc")
            second.unlock(NAME, "aaa")
            assert first.lock_owner(NAME) is None
            async with _lock(second, BOB) as hold:
                assert hold.took_over


def _lock(
    backend: Backend, who: LockOwner, *, patience: timedelta = timedelta()
) -> AbstractAsyncContextManager[Lock]:
    return backend.lock(NAME, who, timeout=patience, on_wait=lambda *_: None)


def _increment(backend: Backend, writer: str) -> None:
    while True:
        found = backend.read(NAME)
        assert found
        number = int(found.content.split()[0])
        try:
            backend.write(NAME, fresh(f"{number + 1} {writer}"), expected=found.version)
        except StateTaken:
            continue
        return


def _at_once(work: Callable[[int, Backend], None], open_place: Open) -> None:
    """Let eight machines start at the same moment."""
    barrier = Barrier(WRITERS)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        backend = open_place(lambda: NOW)
        barrier.wait()
        try:
            work(number, backend)
        except BaseException as error:  # noqa: BLE001  # told below, by the test's own thread
            failures.append(error)

    threads = [Thread(target=run, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
