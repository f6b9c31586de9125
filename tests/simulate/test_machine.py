"""The real operations, clients and stores on simulated ports, and what faults look like to them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import TypeVar

import httpx
import pytest

from provisioner.errors import BackendUnreachable, StateTaken, StateUnreadable
from provisioner.operations.apply import Applied, apply_stack
from provisioner.operations.apply_manifest import RunRequest, apply_request
from provisioner.operations.clients import Clients
from provisioner.operations.session import Session, StackOptions
from provisioner.storage import Backend
from tests.simulate.fate import USUAL, Fate, Moment, Verb, WorldCall
from tests.simulate.log import (
    EPOCH,
    CacheCreated,
    CachePatched,
    FileWritten,
    LockChanged,
    Log,
    RequestAnswered,
    WorldEvent,
)
from tests.simulate.machine import ProviderTransport, World, console_of, ports_of
from tests.simulate.process import Clock, Machine, Process
from tests.simulate.provider import Provider
from tests.simulate.scheduler import Scheduler
from tests.simulate.stores import FileStore, StateServer

_Event = TypeVar("_Event", bound=WorldEvent)

MANIFEST = """\
version: 1
stack: demo
state: s3://bucket/states
publish: s3://bucket/handles.json
caches:
  faq: {provider: gemini, model: gemini-3.8-flash, ttl: 12h, content: faq.md}
"""
TEXT = "word " * 4000
STATES = ("s3://bucket/states", "https://states/base", "https://gitlab/terraform/state")


class QuietView:
    """A run that shows nothing."""

    def show_plan(self, _: object) -> None: ...

    def progress(self, _: object) -> AbstractContextManager[Callable[[object], None]]:
        return nullcontext(lambda _: None)

    def show_results(self, *_: object) -> None: ...


class Bench:
    """A world of one project, one bucket and two servers of states."""

    def __init__(self, folder: Path, address: str | None = None, seed: int = 1) -> None:
        self.log = Log()
        self.folder = folder
        self.address = address
        """Of the state, over what the manifest says."""
        self.lines: list[str] = []
        self.fates: dict[tuple[Verb, str], list[Fate]] = {}
        """By verb and what the target ends with: of the first calls, one after the other."""
        random = Random(seed)  # noqa: S311  # a seed
        self.scheduler = Scheduler(random, self)
        now = self.now
        self.provider = Provider("demo", self.log, now, random)
        self.bucket = FileStore("bucket", self.log, now, random)
        self.server = StateServer("states", self.log, now, random)
        self.gitlab = StateServer("gitlab", self.log, now, random, is_gitlab=True)
        self.world = World(
            log=self.log,
            now=now,
            providers={"demo": self.provider},
            stores={"bucket": self.bucket},
            servers={"states": self.server, "gitlab": self.gitlab},
        )
        self.machine = Machine("ann", started=5000.0, booted=90000.0)
        folder.joinpath("faq.md").write_text(TEXT)
        folder.joinpath("ctxprov.yaml").write_text(MANIFEST)

    def of(self, call: WorldCall) -> Fate:
        for (verb, end), fates in self.fates.items():
            if fates and verb is call.verb and call.target.endswith(end):
                return fates.pop(0)
        return USUAL

    def now(self) -> float:
        return self.scheduler.now

    def run(self, main: Callable[[Process], Awaitable[object]]) -> Process:
        number = len(self.scheduler.processes) + 1
        process = self.scheduler.start(self.machine, number, main, lambda _: None)
        self.scheduler.run()
        assert process.unhandled == []
        return process

    def applied(self) -> Process:
        """A run of apply that is over, however it ended."""
        return self.run(self.apply)

    async def apply(self, process: Process) -> Applied:
        ports = ports_of(
            process,
            self.world,
            environ={"GEMINI_API_KEY": self.provider.key},
            folder=self.folder,
            console=console_of(self.lines),
        )
        transport = ProviderTransport(process, self.world)
        async with Clients(ports, max_wait=timedelta(minutes=15), transport=transport) as clients:
            session = Session(
                options=StackOptions(address=self.address), ports=ports, clients=clients
            )
            asked = RunRequest(
                auto_approve=True,
                prune=False,
                parallelism=4,
                lock_timeout=timedelta(),
                targets=(),
                excludes=(),
            )
            return await apply_stack(
                session, apply_request(session, self.folder, asked), QuietView()
            )

    def events(self, kind: type[_Event]) -> list[_Event]:
        """Those of one kind in the log."""
        return [event for event in self.log.events if isinstance(event, kind)]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.mark.parametrize("address", STATES)
def test_an_apply_makes_records_and_publishes_a_cache(tmp_path: Path, address: str) -> None:
    """The real operation does in a world of bytes what it does elsewhere; a second does nothing."""
    bench = Bench(tmp_path, address)
    first, second = bench.applied(), bench.applied()

    for process in (first, second):
        assert isinstance(process.result, Applied), process.error
        assert not process.result.has_failed
    (created,) = bench.events(CacheCreated)
    assert (created.run, created.project, created.content) == (1, "demo", TEXT)
    assert created.label.startswith("ctxprov:demo/faq@")
    handles = bench.bucket.current("handles.json")
    assert handles
    assert created.cache.encode() in handles.content
    store, file = {
        STATES[0]: (bench.bucket, "states/demo.json"),
        STATES[1]: (bench.server, "base/demo"),
        STATES[2]: (bench.gitlab, "terraform/state/demo"),
    }[address]
    recorded = store.current(file)
    assert recorded
    assert created.cache.encode() in recorded.content
    if isinstance(store, StateServer):
        assert store.lock_of(file) is None
        owners = [event.owner is None for event in bench.events(LockChanged) if event.file == file]
        assert owners == [False, True] * 2
    answered = bench.events(RequestAnswered)
    assert len({event.request for event in answered}) == len(answered)
    assert all(event.is_delivered for event in answered)


def test_equal_seeds_have_equal_logs(tmp_path: Path) -> None:
    """Every byte that reaches the world comes from the seed."""
    digests = []
    for seed in (1, 1, 2):
        bench = Bench(tmp_path, seed=seed)
        bench.applied()
        digests.append(bench.log.digest())

    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("fate", [Fate(is_lost=True), Fate(is_dropped=True), Fate(status=503)])
def test_a_create_whose_answer_is_lost_is_made_once(bench: Bench, fate: Fate) -> None:
    """The client looks whether its cache is there before it sends the create again."""
    bench.fates[Verb.CREATE, ""] = [fate]
    bench.applied()

    assert len(bench.events(CacheCreated)) == 1
    first, *rest = [event for event in bench.events(RequestAnswered) if event.method == "POST"]
    assert first.is_delivered is (fate.status is not None)
    assert first.status == (fate.status or (200 if fate.is_lost else 0))
    assert len(rest) == (0 if fate.is_lost else 1)


def test_a_doubled_create_makes_two_caches_under_one_number(bench: Bench) -> None:
    """A proxy that sends a request twice leaves a second cache, which the log can tell."""
    bench.fates[Verb.CREATE, ""] = [Fate(is_doubled=True)]
    bench.applied()

    first, second = bench.events(CacheCreated)
    assert first.request == second.request
    assert first.cache != second.cache


@pytest.mark.parametrize("moment", Moment)
def test_a_killed_run_writes_nothing_more(bench: Bench, moment: Moment) -> None:
    """Killed at its create it neither saves nor releases its lock, and the next run adopts."""
    bench.fates[Verb.CREATE, ""] = [Fate(kill=moment)]
    killed = bench.applied()
    assert killed.is_dead
    written = [event.file for event in bench.events(FileWritten) if event.run == killed.run]
    assert written == ["states/ctxprov-probe.json"] * 2 + ["states/demo.lock.json"]
    assert all(event.method != "POST" for event in bench.events(RequestAnswered))

    bench.scheduler.now += 61
    next_run = bench.applied()
    assert isinstance(next_run.result, Applied), next_run.error
    assert len(bench.events(CacheCreated)) == 1


def test_a_write_whose_answer_was_lost_has_succeeded(bench: Bench) -> None:
    """The store is read before the write is called a failure."""
    bench.fates[Verb.WRITE, "demo.json"] = [Fate(is_lost=True)]
    process = bench.applied()

    assert isinstance(process.result, Applied)
    assert not process.result.has_failed
    assert (
        len([event for event in bench.events(FileWritten) if event.file == "states/demo.json"]) == 1
    )


def raised_by(bench: Bench, call: Callable[[Backend], object]) -> BaseException | None:
    """What *call* raises, made in a run with the bucket as a run has it."""

    async def main(process: Process) -> object:
        ports = ports_of(process, bench.world, environ={}, folder=bench.folder)
        backend = ports.open_backend("s3://bucket/p", root=bench.folder, environ={}, runtime=ports)
        return await ports.in_thread(lambda: call(backend))

    return bench.run(main).error


@pytest.mark.parametrize(
    ("fates", "kind"),
    [
        ([Fate(is_dropped=True)] * 3, BackendUnreachable),
        ([Fate(status=503)] * 3, BackendUnreachable),
        ([Fate(status=403)], StateUnreadable),
    ],
)
def test_a_store_that_fails_raises_what_a_real_one_does(
    bench: Bench, fates: list[Fate], kind: type[Exception]
) -> None:
    """What may pass is tried three times in all; what no try will change is not tried again."""
    bench.fates[Verb.READ, ""] = fates
    assert isinstance(raised_by(bench, lambda backend: backend.read("a.json")), kind)
    assert fates == []


def test_a_write_on_a_stale_version_is_a_conflict(bench: Bench) -> None:
    """The error names the file by its address."""
    bench.bucket.write(9, "p/a.json", b"one", None)
    error = raised_by(bench, lambda it: it.write("a.json", b"two", expected="stale"))
    assert isinstance(error, StateTaken)
    assert "s3://bucket/p/a.json" in str(error)


def test_a_cancelled_request_is_noted_as_not_answered(bench: Bench) -> None:
    """It was sent, so it has its effect all the same."""

    async def main(process: Process) -> None:
        transport = ProviderTransport(process, bench.world)
        request = httpx.Request(
            "PATCH",
            f"https://host/v1beta/{name}?updateMask=ttl",
            headers={"x-goog-api-key": bench.provider.key},
            json={"ttl": "600s"},
        )
        async with asyncio.timeout(0.001):
            await transport.handle_async_request(request)

    name = bench.provider.create("", "models/gemini-3.8-flash", TEXT, 60)
    assert isinstance(bench.run(main).error, TimeoutError)
    (answered,) = bench.events(RequestAnswered)
    assert (answered.status, answered.is_delivered) == (0, False)
    (patched,) = bench.events(CachePatched)
    assert patched.request == answered.request


def test_the_clocks_of_a_run_are_those_of_its_machine(bench: Bench) -> None:
    """A wall clock that is ahead tells the operation so, and boot time starts elsewhere."""
    bench.machine = Machine("bob", Clock(offset=300.0), booted=90000.0)

    async def main(process: Process) -> tuple[float, float]:
        ports = ports_of(process, bench.world, environ={}, folder=bench.folder)
        await ports.sleep(10)
        return (ports.now() - EPOCH).total_seconds(), ports.boot_seconds()

    assert bench.run(main).result == pytest.approx((310.0, 90010.0))


def test_no_real_place_is_reached(bench: Bench) -> None:
    """An address of a folder is refused: a simulated run leaves no file behind."""
    bench.address = "state"
    process = bench.applied()

    assert "in no simulated world" in str(process.error)
    assert sorted(path.name for path in bench.folder.iterdir()) == ["ctxprov.yaml", "faq.md"]
