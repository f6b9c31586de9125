"""Real programs of asyncio and threads, in virtual time, with each fault at each moment."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.simulate.fate import USUAL, Fate, Moment, Verb, WorldCall
from tests.simulate.process import Answered, Clock, Dead, Lost, Machine, Process
from tests.simulate.scheduler import Deadlock, Livelock, Scheduler

MOMENTS = (Moment.BEFORE_EFFECT, Moment.AFTER_EFFECT)


class World:
    """A scheduler whose world is a list of what had an effect, and when."""

    def __init__(self, seed: int = 1, **fates: Fate) -> None:
        """*fates*: of the call with that target."""
        self.effects: list[str] = []
        self.times: list[float] = []
        self.ended: list[tuple[int, float]] = []
        self._fates = fates
        self.scheduler = Scheduler(Random(seed), self)  # noqa: S311  # a world's chance
        self._machines: dict[str, Machine] = {}

    def of(self, call: WorldCall) -> Fate:
        return self._fates.get(call.target, USUAL)

    def machine(self, name: str = "ann") -> Machine:
        return self._machines.setdefault(name, Machine(name, started=5000.0, booted=90000.0))

    def start(self, main: Callable[[Process], Awaitable[object]], name: str = "ann") -> Process:
        number = len(self.scheduler.processes) + 1
        return self.scheduler.start(self.machine(name), number, main, self._end)

    def _end(self, process: Process) -> None:
        self.ended.append((process.run, self.scheduler.now))

    def play(self, *mains: Callable[[Process], Awaitable[object]]) -> list[Process]:
        """Run each on a machine of its own until all have ended."""
        processes = [self.start(main, f"machine {number}") for number, main in enumerate(mains)]
        self.scheduler.run()
        self.scheduler.close()
        return processes

    def write(self, target: str) -> str:
        self.effects.append(target)
        self.times.append(self.scheduler.now)
        return f"answer to {target}"

    async def awrites(self, process: Process, *targets: str) -> list[str]:
        """One after the other."""
        return [
            await process.acall(Verb.WRITE, "world", target, partial(self.write, target))
            for target in targets
        ]

    def writes(self, process: Process, target: str) -> str:
        return process.call(Verb.WRITE, "world", target, partial(self.write, target))


@pytest.fixture(autouse=True)
def silence(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing is warned of, logged or printed by the collector, in any of these tests."""
    reports: list[object] = []
    hook, sys.unraisablehook = sys.unraisablehook, reports.append
    with warnings.catch_warnings(), caplog.at_level(logging.DEBUG):
        warnings.simplefilter("error")
        yield
    sys.unraisablehook = hook
    assert (reports, caplog.records) == ([], [])


# --- order and time ------------------------------------------------------------------------------


def six_writers(seed: int) -> World:
    world = World(seed)

    async def main(process: Process) -> None:
        lock, start = asyncio.Lock(), asyncio.Event()

        async def writer(name: str) -> None:
            await start.wait()
            async with lock:
                await world.awrites(process, name)
            await world.awrites(process, name + "'")

        async with asyncio.TaskGroup() as group:
            for name in "abcdef":
                group.create_task(writer(name))
            start.set()

    (process,) = world.play(main)
    assert process.error is None
    return world


def test_order() -> None:
    """One seed gives one order, and the seeds give many."""
    orders = [tuple(six_writers(seed).effects) for seed in range(20)]

    assert orders == [tuple(six_writers(seed).effects) for seed in range(20)]
    assert len(set(orders)) > 10
    assert six_writers(3).times == six_writers(3).times


def test_ready_order() -> None:
    """Of callbacks that are ready at once, the seed picks the next."""

    def order(seed: int) -> str:
        world, names = World(seed), list[str]()

        async def main(_: Process) -> None:
            for name in "abc":
                asyncio.get_running_loop().call_soon(names.append, name)
            await asyncio.sleep(1)

        world.play(main)
        return "".join(names)

    assert {order(seed) for seed in range(60)} == {"abc", "acb", "bac", "bca", "cab", "cba"}


ABORT = """
import asyncio
from random import Random
from tests.simulate.test_scheduler import World

names = []

async def child(name):
    try:
        await asyncio.sleep(100)
    finally:
        names.append(name)

async def failing():
    await asyncio.sleep(1)
    raise ValueError

async def main(process):
    async with asyncio.TaskGroup() as group:
        for name in "abcdefghijklmnop":
            group.create_task(child(name))
        group.create_task(failing())

for seed in range(10):
    World(seed).play(main)
print("".join(names))
"""


def test_hash_seed() -> None:
    """Where asyncio walks over a set of tasks, the order is that of the seed in each Python."""
    outputs = {
        subprocess.run(
            [sys.executable, "-W", "error", "-c", ("x = [object()];" * number) + ABORT],
            env={**os.environ, "PYTHONHASHSEED": str(number)},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for number in (1, 77)
    }

    assert len(outputs) == 1
    assert len(outputs.pop().strip()) == 160


def test_ten_hours() -> None:
    """A wait costs nothing, and all clocks go on meanwhile."""
    world = World()

    async def main(process: Process) -> tuple[float, ...]:
        before = process.wall(), process.monotonic(), process.boot()
        await process.sleep(18_000)
        process.pause(18_000)
        after = process.wall(), process.monotonic(), process.boot()
        return tuple(end - start for start, end in zip(before, after, strict=True))

    (process,) = world.play(main)

    assert process.result == pytest.approx((36_000,) * 3)
    assert world.scheduler.now == pytest.approx(36_000)


def test_timers() -> None:
    """Timers fire by time, not by order, and never early."""
    world = World()

    async def main(process: Process) -> list[float]:
        ends: list[float] = []

        async def wait(seconds: float) -> None:
            begin = process.monotonic()
            await asyncio.sleep(seconds)
            assert process.monotonic() - begin >= seconds * (1 - 1e-9)
            ends.append(seconds)

        await asyncio.gather(*map(wait, (3.0, 0.1, 2.0, 1e-12, 7200.0)))
        return ends

    (process,) = world.play(main)

    assert process.result == [1e-12, 0.1, 2.0, 3.0, 7200.0]


def test_deadline_loop() -> None:
    """A loop that waits for the rest of a deadline ends, however small the rest is."""
    world = World()

    async def main(process: Process) -> None:
        deadline = process.monotonic() + 1 / 3
        while (left := deadline - process.monotonic()) > 0:
            await process.sleep(left / 2 if left > 1e-3 else left)

    (process,) = world.play(main)

    assert process.error is None


@pytest.mark.parametrize(
    ("clock", "now", "shown"),
    [
        (Clock(), 100.0, 100.0),
        (Clock(offset=-30.0), 100.0, 70.0),
        (Clock(drift=0.01), 100.0, 101.0),
        (Clock(jumps=((50.0, 3600.0),)), 49.0, 49.0),
        (Clock(jumps=((50.0, 3600.0), (80.0, -10.0))), 50.0, 3650.0),
        (Clock(jumps=((50.0, 3600.0), (80.0, -10.0)), offset=1.0), 100.0, 3691.0),
    ],
)
def test_clock(clock: Clock, now: float, shown: float) -> None:
    """A wall clock is ahead, drifts and jumps, against the world's time."""
    assert clock.at(now) == pytest.approx(shown)


# --- asyncio as ever -----------------------------------------------------------------------------


def test_asyncio() -> None:
    """Timeouts, shields, gathers, generators and the current task are those of asyncio."""
    world = World(slow=Fate(back=100.0))

    async def numbers(process: Process) -> AsyncGenerator[str, None]:
        try:
            while True:
                (answer,) = await world.awrites(process, "number")
                yield answer
        finally:
            await world.awrites(process, "closed")

    async def main(process: Process) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(10):
                await world.awrites(process, "slow")
        shielded = asyncio.create_task(world.awrites(process, "slow"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(shielded), 10)
        assert await shielded == ["answer to slow"]
        async with aclosing(numbers(process)) as answers:
            assert await anext(answers) == "answer to number"
        both = tuple(await asyncio.gather(*(world.awrites(process, name) for name in "ab")))
        assert both == (["answer to a"], ["answer to b"])
        done, late = await asyncio.wait([asyncio.create_task(asyncio.sleep(5))], timeout=1)
        assert (len(done), len(late)) == (0, 1)
        await late.pop()
        task = asyncio.current_task()
        assert world.writes(process, "blocked") == "answer to blocked"
        assert asyncio.current_task() is task

    (process,) = world.play(main)

    assert process.error is None
    assert world.effects[:4] == ["slow", "slow", "number", "closed"]


def test_end() -> None:
    """A process ends as asyncio.run does: with its other tasks, its generators and its threads."""
    world = World()

    async def forever(process: Process, name: str) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await world.awrites(process, name)

    async def waits(process: Process) -> None:
        try:
            await asyncio.sleep(inf)
        finally:
            await world.awrites(process, "task")

    def thread(process: Process) -> None:
        process.pause(50)
        world.writes(process, "thread")

    inf = float("inf")
    kept: list[object] = []

    async def main(process: Process) -> str:
        generator = forever(process, "generator")
        await anext(generator)
        kept.append(generator)
        kept.append(asyncio.create_task(waits(process)))
        kept.append(asyncio.create_task(process.in_thread(lambda: thread(process))))
        await process.sleep(1)
        return "done"

    (process,) = world.play(main)

    assert process.result == "done"
    assert world.effects == ["task", "generator", "thread"]
    assert world.ended == [(1, world.scheduler.now)]


def test_dropped_generator() -> None:
    """A generator that the program drops half-way is closed by its loop."""
    world = World()

    async def answers(process: Process) -> AsyncIterator[str]:
        try:
            yield "first"
        finally:
            await world.awrites(process, "closed")

    async def main(process: Process) -> None:
        async for _ in answers(process):
            break
        await process.sleep(10)
        await world.awrites(process, "after")

    world.play(main)

    assert world.effects == ["closed", "after"]


def test_error() -> None:
    """What a program raises is its error, and that of no other process."""
    world = World()

    async def fails(process: Process) -> None:
        await process.sleep(1)
        raise ValueError("it fails")

    async def exits(process: Process) -> None:
        await process.sleep(1)
        raise SystemExit(3)

    async def works(process: Process) -> str:
        await process.sleep(2)
        return "done"

    failed, exited, worked = world.play(fails, exits, works)

    assert isinstance(failed.error, ValueError)
    assert isinstance(exited.error, SystemExit)
    assert failed.unhandled == exited.unhandled == []
    assert (worked.result, worked.error) == ("done", None)


def test_unhandled() -> None:
    """An exception that no task awaits is on record, not on the terminal."""
    world = World()

    async def main(process: Process) -> None:
        async def fails() -> None:
            raise ValueError("it fails")

        task = asyncio.create_task(fails())
        await process.sleep(1)
        del task

    (process,) = world.play(main)

    assert [str(context["exception"]) for context in process.unhandled] == ["it fails"]


def test_executor() -> None:
    """The loop starts no real thread."""

    async def main(_: Process) -> None:
        await asyncio.to_thread(int)

    (process,) = World().play(main)

    assert "in_thread" in str(process.error)


# --- threads -------------------------------------------------------------------------------------


def test_threads() -> None:
    """Threads block one at a time, under locks, while the tasks and the other threads go on."""
    orders = set()
    for seed in range(20):
        world = World(seed)
        orders.add(lock_users(world))
        assert max(world.times) < 1
    assert len(orders) > 10


def lock_users(world: World) -> str:
    inside: list[str] = []

    async def main(process: Process) -> None:
        lock = process.lock()

        def work(name: str) -> None:
            with lock:
                assert not lock_is_taken
                lock_is_taken.append(name)
                world.writes(process, name)
                lock_is_taken.clear()
            inside.append(name)

        lock_is_taken: list[str] = []
        threads = [process.in_thread(partial(work, name)) for name in "abcd"]
        await asyncio.gather(world.awrites(process, "task"), *threads)

    (process,) = world.play(main)
    assert process.error is None
    assert sorted(world.effects) == ["a", "b", "c", "d", "task"]
    return "".join(inside)


def test_thread_result() -> None:
    """What a thread returns or raises reaches its awaiter, with the context of its caller."""
    place: ContextVar[str] = ContextVar("place", default="nowhere")

    def fails() -> None:
        raise KeyError(place.get())

    def has_no_loop() -> bool:
        with pytest.raises(RuntimeError):
            asyncio.get_running_loop()
        return True

    async def main(process: Process) -> str:
        place.set("here")
        with pytest.raises(KeyError, match="here"):
            await process.in_thread(fails)
        assert await process.in_thread(has_no_loop)
        assert await process.in_thread(process.monotonic) == process.monotonic()
        return place.get()

    (process,) = World().play(main)

    assert (process.result, process.error) == ("here", None)


def test_thread_cancelled() -> None:
    """A thread whose awaiter is cancelled goes on; one that had not begun may never begin."""
    begun = set()
    for seed in range(20):
        world = World(seed)

        async def main(process: Process, world: World = world) -> None:
            def thread() -> None:
                world.writes(process, "first")
                world.writes(process, "second")

            with suppress(TimeoutError):
                await asyncio.wait_for(process.in_thread(thread), 1e-3)
            task = asyncio.create_task(process.in_thread(lambda: world.writes(process, "race")))
            await asyncio.sleep(0)
            task.cancel()

        world.play(main)
        assert [name for name in world.effects if name != "race"] == ["first", "second"]
        begun.add("race" in world.effects)
    assert begun == {True, False}


def test_threadsafe() -> None:
    """A thread wakes its loop by call_soon_threadsafe."""

    async def main(process: Process) -> None:
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def thread() -> None:
            process.pause(5)
            loop.call_soon_threadsafe(event.set)

        work = asyncio.create_task(process.in_thread(thread))
        await event.wait()
        await work

    (process,) = World().play(main)

    assert process.error is None


def test_blocked_loop() -> None:
    """A call that blocks the loop stops its process, and no other."""
    world = World(slow=Fate(back=100.0))

    async def blocks(process: Process) -> None:
        task = asyncio.create_task(world.awrites(process, "own task"))
        world.writes(process, "slow")
        await task

    async def other(process: Process) -> None:
        for number in range(3):
            await world.awrites(process, f"other {number}")

    world.play(blocks, other)

    assert world.effects[-1] == "own task"
    assert [name for name in world.effects if "other" in name] == ["other 0", "other 1", "other 2"]


# --- world calls ---------------------------------------------------------------------------------


def outcome_of(fate: Fate) -> tuple[str, list[str]]:
    """How a call of that fate ends for its caller, both ways alike, and its effects."""
    outcomes = []
    for is_blocking in (False, True):
        world = World(call=fate)
        outcomes.append((ends(world, is_blocking=is_blocking), world.effects))
    assert outcomes[0] == outcomes[1]
    return outcomes[0]


def ends(world: World, *, is_blocking: bool) -> str:
    async def main(process: Process) -> str:
        try:
            if is_blocking:
                return await process.in_thread(lambda: world.writes(process, "call"))
            return (await world.awrites(process, "call"))[0]
        except (Lost, Answered) as error:
            return str(error)

    (process,) = world.play(main)
    assert process.error is None
    return str(process.result)


@pytest.mark.parametrize(
    ("fate", "answer", "effects"),
    [
        (Fate(), "answer to call", 1),
        (Fate(out=9, back=9), "answer to call", 1),
        (Fate(is_lost=True), "connection lost after the effect", 1),
        (Fate(is_dropped=True), "connection lost before the effect", 0),
        (Fate(status=503), "answered 503", 0),
        (Fate(is_doubled=True), "answer to call", 2),
        (Fate(is_lost=True, overrun=9), "connection lost after the effect", 1),
        (Fate(is_doubled=True, is_lost=True), "connection lost after the effect", 2),
        (Fate(status=503, is_lost=True), "connection lost before the effect", 0),
    ],
)
def test_fates(fate: Fate, answer: str, effects: int) -> None:
    """Each fate decides over the effect and over the answer."""
    assert outcome_of(fate) == (answer, ["call"] * effects)


def test_an_overrun() -> None:
    """What a server finishes after the connection broke has its effect once the caller knows."""
    world = World(call=Fate(is_lost=True, overrun=9))
    effects: list[str] = []

    async def main(process: Process) -> None:
        with pytest.raises(Lost):
            await world.awrites(process, "call")
        effects.extend(world.effects)

    world.play(main)
    assert (effects, world.effects) == ([], ["call"])


def test_latency() -> None:
    """A way takes milliseconds, and sometimes seconds."""
    scheduler = World().scheduler
    ways = [scheduler.latency() for _ in range(5000)]

    assert min(ways) >= 0.005
    assert 5 < sum(way > 0.08 for way in ways) < 100
    assert max(ways) < 6


def test_effect_raises() -> None:
    """What the world raises is the answer."""
    world = World()

    def conflict() -> str:
        world.write("tried")
        raise FileExistsError("taken")

    async def main(process: Process) -> None:
        with pytest.raises(FileExistsError):
            await process.acall(Verb.WRITE, "world", "file", conflict)
        with pytest.raises(FileExistsError):
            await process.in_thread(lambda: process.call(Verb.WRITE, "world", "file", conflict))

    (process,) = world.play(main)

    assert (process.error, world.effects) == (None, ["tried", "tried"])


def test_doubled_conflict() -> None:
    """Where the second of two equal writes fails, the seed picks which answer arrives."""
    answers = set()
    for seed in range(20):
        world = World(seed, call=Fate(is_doubled=True))

        def once(world: World = world) -> str:
            if world.effects:
                raise FileExistsError
            return world.write("call")

        async def main(process: Process, once: Callable[[], str] = once) -> str:
            try:
                return await process.acall(Verb.WRITE, "world", "call", once)
            except FileExistsError:
                return "conflict"

        (process,) = world.play(main)
        answers.add(process.result)
    assert answers == {"answer to call", "conflict"}


def test_cancel() -> None:
    """A call that is cancelled has its effect if it was sent, and else has none."""
    world = World(sent=Fate(out=50.0))

    async def main(process: Process) -> None:
        sent = asyncio.create_task(world.awrites(process, "sent"))
        await asyncio.sleep(1)
        unsent = asyncio.create_task(world.awrites(process, "unsent"))
        sent.cancel()
        unsent.cancel()
        results = await asyncio.gather(sent, unsent, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        await asyncio.sleep(100)

    (process,) = world.play(main)

    assert (process.error, world.effects) == (None, ["sent"])


# --- kill ----------------------------------------------------------------------------------------


@contextmanager
def writing(world: World, process: Process) -> Iterator[None]:
    """A program that writes at its end, by each way there is."""
    try:
        yield
    finally:
        for port in (
            lambda: world.writes(process, "finally"),
            lambda: process.pause(1),
            process.wall,
            process.monotonic,
            process.boot,
            process.lock,
            process.check,
            lambda: process.listen(lambda: None).__enter__(),
        ):
            with pytest.raises(Dead):
                port()


async def awriting(world: World, process: Process, waits: Callable[[], Awaitable[object]]) -> None:
    try:
        with writing(world, process):
            await waits()
    finally:
        with suppress(Dead):
            await asyncio.sleep(1)
        for port in (
            partial(world.awrites, process, "finally"),
            partial(process.sleep, 1),
            partial(process.in_thread, int),
        ):
            with pytest.raises(Dead):
                await port()
        world.effects.append("reached the end")  # of the test's own list: no port


def blocked_by(world: World, process: Process) -> dict[str, Callable[[], Awaitable[object]]]:
    """Each way to wait."""
    lock = process.lock()

    def in_lock() -> None:
        with writing(world, process), lock:
            world.writes(process, "call")

    def in_thread() -> None:
        with writing(world, process):
            world.writes(process, "call")

    async def blocking() -> None:
        in_thread()

    return {
        "acall": lambda: world.awrites(process, "call"),
        "blocked loop": blocking,
        "thread": lambda: process.in_thread(in_thread),
        "lock": lambda: asyncio.gather(process.in_thread(in_lock), process.in_thread(in_lock)),
    }


WAYS = ("acall", "blocked loop", "thread", "lock")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("moment", MOMENTS)
def test_kill(moment: Moment, way: str) -> None:
    """A killed process runs its `finally` and reaches nothing by it."""
    world = World(call=Fate(kill=moment))

    async def main(process: Process) -> None:
        waits = blocked_by(world, process)[way]

        async def bystander() -> None:
            await asyncio.sleep(1000)

        async with asyncio.TaskGroup() as group:
            group.create_task(awriting(world, process, bystander))
            await asyncio.sleep(0.5)
            await awriting(world, process, waits)

    async def survivor(process: Process) -> None:
        await process.sleep(50)

    process, other = world.play(main, survivor)

    assert process.is_dead
    assert not other.is_dead
    assert (process.result, process.error) == (None, None)
    assert [name for name in world.effects if name == "call"] == ["call"] * (
        moment is Moment.AFTER_EFFECT
    )
    assert "finally" not in world.effects
    assert world.effects.count("reached the end") == 2
    assert world.ended[0][1] < 10 < world.ended[1][1]


def test_kill_in_flight() -> None:
    """What a killed process had sent has its effect; what it would have sent next has none."""
    world = World(late=Fate(out=20.0))

    async def main(process: Process) -> None:
        await asyncio.gather(world.awrites(process, "late", "next"), process.sleep(100))

    process = world.start(main)
    world.scheduler.at(5, process.kill)
    world.scheduler.run()
    world.scheduler.close()

    assert world.effects == ["late"]
    assert world.ended == [(1, 5.0)]


@pytest.mark.parametrize("is_thread", [False, True])
def test_kill_self(is_thread: bool) -> None:  # noqa: FBT001  # a parameter of the test
    """A process that kills itself goes no further."""
    world = World()

    async def main(process: Process) -> None:
        def ends() -> None:
            process.kill()
            world.effects.append("went on")

        task = asyncio.create_task(world.awrites(process, "sent"))
        await asyncio.sleep(0.001)
        await process.in_thread(ends) if is_thread else ends()
        await task

    process = world.start(main)
    world.scheduler.run()
    world.scheduler.close()

    assert process.is_dead
    assert world.effects == ["sent"]


def test_kill_before_start() -> None:
    """A process that was killed before it began never begins."""
    world = World()

    async def main(process: Process) -> None:
        await world.awrites(process, "began")

    process = world.start(main)
    process.kill()
    world.scheduler.run()

    assert (world.effects, process.is_dead, len(world.ended)) == ([], True, 1)


def test_kill_noise() -> None:
    """What a dead program had not begun, not awaited or not closed, is not complained of."""
    world = World()
    kept: list[object] = []

    async def generator() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(1)

    def writing_generator(process: Process) -> Iterator[int]:
        try:
            yield 1
        finally:
            world.writes(process, "finally")

    async def main(process: Process) -> None:
        plain = writing_generator(process)
        next(plain)
        unawaited = world.awrites(process, "unawaited")
        failed = asyncio.get_running_loop().create_future()
        failed.set_exception(ValueError())
        async for _ in generator():
            unclosed = generator()
            await anext(unclosed)
            asyncio.create_task(asyncio.sleep(1)).add_done_callback(lambda _: kept.clear())
            in_cycle = writing_generator(process)
            next(in_cycle)
            cycle: list[object] = [unawaited, failed, unclosed, in_cycle]
            cycle.append(cycle)
            process.kill()

    process = world.start(main)
    world.scheduler.run()
    world.scheduler.close()

    assert (process.is_dead, process.unhandled, world.effects) == (True, [], [])


# --- suspend -------------------------------------------------------------------------------------


def test_suspend() -> None:
    """In a suspension the monotonic clock rests; boot time and the wall clock go on."""
    world = World()

    async def main(process: Process) -> tuple[float, ...]:
        assert process.monotonic() == 5000.0
        assert process.boot() == 90000.0
        await process.sleep(100)
        return process.monotonic(), process.boot(), process.wall()

    process = world.start(main)
    world.scheduler.at(30, lambda: process.suspend(1000))
    world.scheduler.at(500, lambda: process.suspend(2000))
    world.scheduler.run()

    assert process.result == pytest.approx((5100, 92570, 2570))
    assert process.machine.suspensions == [(30, 1000), (500, 2000)]


def test_suspend_all() -> None:
    """All processes of a suspended machine stand still, and none of another."""
    world = World()

    async def main(process: Process) -> float:
        process.pause(100)
        return world.scheduler.now

    first, second = world.start(main), world.start(main)
    other = world.start(main, "bob")
    world.scheduler.at(50, lambda: first.suspend(1000))
    late = list[Process]()
    world.scheduler.at(60, lambda: late.append(world.start(main)))
    world.scheduler.run()

    times = [process.result for process in (first, second, other, *late)]
    assert times == pytest.approx([1100, 1100, 100, 1150])


def test_suspend_self() -> None:
    """A process that suspends its machine goes on afterwards."""

    async def main(process: Process) -> float:
        process.suspend(100)
        return process.boot()

    (process,) = World().play(main)

    assert process.result == 90100


def test_suspend_answer() -> None:
    """What arrives in a suspension is delivered after it."""
    world = World(call=Fate(suspend=(Moment.AFTER_EFFECT, 300.0)))

    async def main(process: Process) -> float:
        await world.awrites(process, "call")
        return process.boot()

    (process,) = world.play(main)

    assert world.times[0] < 1
    assert process.result == pytest.approx(90300 + world.times[0], abs=1e-3)


def test_suspend_request() -> None:
    """A request that a suspension holds back has its effect after it, unless a kill comes first."""
    fate = Fate(suspend=(Moment.BEFORE_EFFECT, 300.0))
    world = World(call=fate)

    async def main(process: Process) -> None:
        await world.awrites(process, "call")

    world.play(main)
    assert world.times[0] > 300

    world = World(call=fate)
    process = world.start(main)
    world.scheduler.at(200, partial(process.suspend, 300))
    world.scheduler.at(400, process.kill)
    world.scheduler.run()
    assert world.effects == []


# --- signals -------------------------------------------------------------------------------------


def test_signal() -> None:
    """The first signal goes to who listens, the second cancels the task that does."""
    world = World()

    async def main(process: Process) -> list[object]:
        first = asyncio.Event()
        with process.listen(first.set) as is_stopping:
            before = is_stopping()
            await first.wait()
            try:
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                return [before, is_stopping(), process.monotonic()]
        return []

    process = world.start(main)
    world.scheduler.at(10, process.signal)
    world.scheduler.at(20, process.signal)
    world.scheduler.at(30, process.signal)
    world.scheduler.run()

    assert process.result == [False, True, 5020]


def test_signal_default() -> None:
    """A signal kills where no listener is, as before and after the block that listens."""
    world = World()

    async def main(process: Process) -> None:
        try:
            with process.listen(lambda: None):
                await process.sleep(10)
            await process.sleep(10)
        finally:
            with pytest.raises(Dead):
                await world.awrites(process, "finally")

    process = world.start(main)
    world.scheduler.at(5, process.signal)
    world.scheduler.at(15, process.signal)
    world.scheduler.run()
    process.signal()

    assert process.is_dead
    assert world.effects == []
    assert world.ended == [(1, 15.0)]


@pytest.mark.parametrize("moment", MOMENTS)
def test_signal_moment(moment: Moment) -> None:
    """A signal falls before or after an effect, which it does not prevent."""
    world = World(call=Fate(signal=moment))

    async def main(process: Process) -> list[int]:
        seen: list[int] = []
        with process.listen(lambda: seen.append(len(world.effects))):
            await world.awrites(process, "call")
        return seen

    (process,) = world.play(main)

    assert process.result == [1] if moment is Moment.AFTER_EFFECT else [0]
    assert world.effects == ["call"]


# --- the world's end -----------------------------------------------------------------------------


def test_until() -> None:
    """The world stops at a second and goes on from there."""
    world = World()

    async def main(process: Process) -> float:
        await process.sleep(100)
        return process.monotonic()

    process = world.start(main)
    world.scheduler.run(until=40)
    assert (world.scheduler.now, process.result) == (40, None)
    world.scheduler.run(until=140)
    assert (world.scheduler.now, process.result) == (140, 5100)


def test_deadlock() -> None:
    """What waits for ever is an error that names who waits, and where."""
    world = World()

    async def main(process: Process) -> None:
        lock, event = process.lock(), asyncio.Event()

        def twice() -> None:
            with lock, lock:
                pass

        async def waits_for_event() -> None:
            async with asyncio.timeout(3600) as timeout:
                timeout.reschedule(None)
                await event.wait()

        await asyncio.gather(process.in_thread(twice), waits_for_event())

    process = world.start(main)
    with pytest.raises(Deadlock) as caught:
        world.scheduler.run()

    assert "ann, run 1: " in str(caught.value)
    assert "twice" in str(caught.value)
    assert "Event.wait" in str(caught.value)
    assert process.is_dead


async def spins(_: Process) -> None:
    while True:  # noqa: ASYNC110  # that is its fault
        await asyncio.sleep(0)


async def looks(process: Process) -> None:
    while process.monotonic() < 1e9:
        pass


@pytest.mark.parametrize("main", [spins, looks])
def test_livelock(main: Callable[[Process], Awaitable[None]]) -> None:
    """A program that never lets time go on is an error."""
    world = World()
    world.start(main)

    with pytest.raises(Livelock):
        world.scheduler.run()


def test_event_raises() -> None:
    """What the world itself raises ends it, and the processes in it."""
    world = World()
    process = world.start(spins)

    def fails() -> None:
        raise AssertionError("the world is broken")

    process_2 = world.start(lambda process: process.acall(Verb.GET, "", "", lambda: 1))
    world.scheduler.at(0, fails)
    with pytest.raises(AssertionError, match="broken"):
        world.scheduler.run()

    assert process.is_dead
    assert process_2.is_dead


# --- at random -----------------------------------------------------------------------------------


class RandomProgram:
    """Tasks and threads that call, wait, lock, cancel and fail, and always write at their end."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.random = random

    async def main(self, process: Process) -> None:
        lock, mutex = asyncio.Lock(), process.lock()
        with process.listen(lambda: None) as is_stopping, suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self.task(process, lock, mutex, is_stopping))
                    for _ in range(self.random.randint(1, 5))
                ]
                await process.sleep(self.random.random())
                self.random.choice(tasks).cancel()

    async def task(
        self,
        process: Process,
        lock: asyncio.Lock,
        mutex: object,
        is_stopping: Callable[[], bool],
    ) -> None:
        try:
            for _ in range(self.random.randint(1, 6)):
                if is_stopping():
                    return
                with suppress(Lost, Answered, TimeoutError):
                    await self.step(process, lock, mutex)
        finally:
            await self.write(process)

    async def step(self, process: Process, lock: asyncio.Lock, mutex: object) -> None:
        def locked() -> None:
            with mutex:  # type: ignore[attr-defined]
                process.call(Verb.WRITE, "world", "", partial(self.world.write, ""))
                process.pause(self.random.random())

        match self.random.randint(0, 5):
            case 0:
                await process.sleep(self.random.random())
            case 1:
                async with lock:
                    await self.write(process)
            case 2:
                await process.in_thread(locked)
            case 3:
                async with asyncio.timeout(self.random.random() / 10):
                    await self.write(process)
            case 4:
                await asyncio.shield(asyncio.create_task(process.in_thread(locked)))
            case _:
                await asyncio.gather(self.write(process), self.write(process))

    async def write(self, process: Process) -> None:
        await process.acall(Verb.WRITE, "world", "", partial(self.world.write, ""))


class RandomWorld(World):
    doubled = 0

    def of(self, call: WorldCall) -> Fate:
        random = Random(f"{call.run} {call.number} {len(self.times)}")  # noqa: S311  # no secret
        if random.random() < 0.8:
            return USUAL
        fate = random.choice(FAULTS)
        self.doubled += fate.is_doubled
        return fate


FAULTS = [
    *(Fate(kill=moment) for moment in MOMENTS),
    *(Fate(signal=moment) for moment in MOMENTS),
    *(Fate(suspend=(moment, 30.0)) for moment in MOMENTS),
    *(Fate(is_lost=True), Fate(is_dropped=True), Fate(is_doubled=True)),
    *(Fate(status=503), Fate(out=20.0), Fate(back=20.0)),
]


def random_world(seed: int) -> tuple[list[float], list[tuple[int, float]], int]:
    world, calls = RandomWorld(seed), list[int]()

    def end(process: Process) -> None:
        world._end(process)  # noqa: SLF001  # its own tests
        calls.append(process.calls)

    processes = [
        world.scheduler.start(
            world.machine(f"machine {number % 2}"),
            number,
            RandomProgram(world, Random(seed)).main,  # noqa: S311  # likewise
            end,
        )
        for number in (1, 2, 3)
    ]
    world.scheduler.run()
    world.scheduler.close()
    for process in processes:
        assert process.error is None or isinstance(process.error, asyncio.CancelledError)
        lost = (context["exception"] for context in process.unhandled)
        assert all(isinstance(error, Lost | Answered) for error in lost)
    assert len(world.times) <= sum(calls) + world.doubled
    assert sum(process.calls for process in processes) == sum(calls)
    dead = sum(process.is_dead for process in processes)
    return world.times, world.ended, dead


def test_random_programs() -> None:
    """A thousand worlds end, quietly, and no dead process has called; equal seeds are equal."""
    worlds = [random_world(seed) for seed in range(1000)]

    assert worlds[::50] == [random_world(seed) for seed in range(0, 1000, 50)]
    assert len({tuple(times) for times, *_ in worlds}) > 900
    assert 300 < sum(dead for *_, dead in worlds) < 2700
    assert all(before[1] <= after[1] for _, ended, _ in worlds for before, after in pairwise(ended))
