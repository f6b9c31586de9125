"""
A process of a simulated world, with all that it reaches: world calls, clocks, waits and threads.

Decides when a world call is sent, has its effect and is answered, and what its fate does at each of
these moments.  Which process goes on is for the scheduler to decide.
"""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import Context, copy_context
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct

from tests.simulate.event_loop import TICK, EventLoop, Fiber
from tests.simulate.fate import Fate, Moment, Verb, WorldCall

if TYPE_CHECKING:
    from tests.simulate.scheduler import Scheduler

T = TypeVar("T")

_OWN_MODULES = (__name__, "tests.simulate.scheduler")


class Lost(Exception):
    """The connection broke before an answer arrived; *has_effect* is not the caller's to see."""

    def __init__(self, *, has_effect: bool) -> None:
        super().__init__(f"connection lost {'after' if has_effect else 'before'} the effect")
        self.has_effect = has_effect


class Answered(Exception):
    """The other side answered with this HTTP status, without an effect."""

    def __init__(self, status: int) -> None:
        super().__init__(f"answered {status}")
        self.status = status


class Dead(BaseException):
    """The process was killed or has ended: its ports reach nothing."""


class Clock(Struct, frozen=True, kw_only=True):
    """A wall clock, against the world's time."""

    offset: float = 0.0
    """Seconds that it is ahead when the world begins."""
    drift: float = 0.0
    """Seconds that it gains in a second."""
    jumps: tuple[tuple[float, float], ...] = ()
    """At which second of the world it jumps, and by how many seconds."""

    def at(self, now: float) -> float:
        jumped = sum(seconds for when, seconds in self.jumps if when <= now)
        return now + self.offset + self.drift * now + jumped


class Machine:
    """Where processes run, one after the other or at a time: its clocks and its suspensions."""

    def __init__(
        self, name: str, clock: Clock | None = None, *, started: float = 0.0, booted: float = 0.0
    ) -> None:
        """*started* and *booted*: what the two clocks show when the world begins, in seconds."""
        self.name = name
        self.clock = clock or Clock()
        self.suspensions: list[tuple[float, float]] = []
        """When each one began, in the world's time, and for how many seconds."""
        self._started = started
        self._booted = booted
        self._rested = 0.0
        """Seconds in suspensions that are over."""
        self._suspended_at: float | None = None
        self.wakes_at: float | None = None
        """When the suspension ends that it is in, if any."""

    def suspend(self, now: float, seconds: float) -> None:
        """Freeze it until then, or until its suspension ends if that is later."""
        self.suspensions.append((now, seconds))
        if self._suspended_at is None:
            self._suspended_at = now
        self.wakes_at = max(self.wakes_at or 0.0, now + seconds)

    def wake(self, now: float) -> None:
        """Go on, if the suspension ends now."""
        if self._suspended_at is not None and self.wakes_at == now:
            self._rested += now - self._suspended_at
            self._suspended_at = self.wakes_at = None

    def monotonic(self, now: float) -> float:
        """Seconds by a clock that rests in a suspension, as on Linux."""
        at = now if self._suspended_at is None else self._suspended_at
        return self._started + at - self._rested

    def boot(self, now: float) -> float:
        """Seconds by a clock that goes on in a suspension."""
        return self._booted + now


class ThreadLock:
    """Mutual exclusion between the threads of a process; which one is next, the seed decides."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._is_held = False
        self._waiting: list[Fiber] = []

    def acquire(self, blocking: bool = True) -> bool:  # noqa: FBT001, FBT002  # as threading has it
        scheduler = self._process.scheduler
        self._process.check()
        scheduler.give_way()
        while self._is_held:
            if not blocking:
                return False
            self._waiting.append(scheduler.current_fiber())
            scheduler.park()
        self._is_held = True
        return True

    def release(self) -> None:
        self._is_held = False
        if self._waiting and not self._process.is_over:
            scheduler = self._process.scheduler
            scheduler.wake(scheduler.pick(self._waiting))

    def locked(self) -> bool:
        return self._is_held

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


class _Listener(Struct, kw_only=True, eq=False):
    task: Task[Any]
    on_first: Callable[[], None]
    signals: int = 0

    def note(self) -> None:
        self.signals += 1
        if self.signals > 1:
            self.task.cancel()
        else:
            self.on_first()


class Process:
    """
    One run of a program on a machine.

    Its ports are methods: world calls, waits, threads, locks, clocks and signals.  Once it was
    killed they raise `Dead`.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        machine: Machine,
        run: int,
        main: Callable[[Process], Awaitable[object]],
        done: Callable[[Process], None],
    ) -> None:
        self.scheduler = scheduler
        self.machine = machine
        self.runner = machine.name
        self.run = run
        self.is_dead = False
        """Whether it was killed."""
        self.is_over = False
        """Whether it was killed or has ended."""
        self.result: object = None
        self.error: BaseException | None = None
        self.unhandled: list[dict[str, Any]] = []
        """What asyncio would log: exceptions that no task awaited and callbacks raised."""
        self.calls = 0
        """World calls that it sent."""
        self.threads: list[Fiber] = []
        self.done = done
        self.loop = EventLoop(self)
        self.fiber = Fiber(self, self._live, Context(), self.loop)
        self._main = main
        self.signals = 0
        """Signals that it got."""
        self._listeners: list[_Listener] = []

    def check(self) -> None:
        """Raise `Dead` if the process was killed or has ended."""
        if self.is_over:
            raise Dead

    # --- world calls ----------------------------------------------------------------------------

    async def acall(self, verb: Verb, where: str, target: str, effect: Callable[[], T]) -> T:
        """
        Send a call and await its answer, which *effect* gives, in the world.

        Cancelled after it was sent, it has its effect nevertheless.
        Raises Lost, Answered, and what *effect* raises.
        """
        self.check()
        answer: Future[T] = self.loop.create_future()
        self._send(verb, where, target, effect, answer)
        return await answer

    def call(self, verb: Verb, where: str, target: str, effect: Callable[[], T]) -> T:
        """
        Send a call and block until its answer: a thread, or the loop and all its tasks.

        Raises as `acall` does.
        """
        self.check()
        flight = self._send(verb, where, target, effect, self.scheduler.current_fiber())
        self.scheduler.park()
        return flight.outcome()

    def _send(
        self,
        verb: Verb,
        where: str,
        target: str,
        effect: Callable[[], T],
        waiter: Future[T] | Fiber,
    ) -> _Flight[T]:
        self.calls += 1
        call = WorldCall(
            runner=self.runner,
            run=self.run,
            number=self.calls,
            verb=verb,
            where=where,
            target=target,
        )
        flight = _Flight(self, self.scheduler.fates.of(call), effect, waiter)
        self.scheduler.push(self.scheduler.latency() + flight.fate.out, flight.begin)
        return flight

    # --- waits, threads and locks ---------------------------------------------------------------

    async def sleep(self, seconds: float) -> None:
        """Rest while the tasks go on; by the monotonic clock."""
        self.check()
        await asyncio.sleep(seconds)

    def pause(self, seconds: float) -> None:
        """Block as long: a thread, or the loop and all its tasks."""
        self.check()
        fiber = self.scheduler.current_fiber()
        wait = max(seconds, TICK)
        fiber.due = self.monotonic() + wait
        self.scheduler.push(wait, fiber)
        self.scheduler.park()

    async def in_thread(self, call: Callable[[], T]) -> T:
        """Run it in a thread of its own, and return or raise what it does."""
        self.check()
        answer: Future[T] = self.loop.create_future()
        thread = Fiber(self, partial(self._work, call, answer), copy_context(), None)
        self.threads.append(thread)
        self.scheduler.wake(thread)
        return await answer

    def _work(self, call: Callable[[], T], answer: Future[T]) -> None:
        result = error = None
        if not answer.cancelled():
            try:
                result = call()
            except BaseException as caught:  # noqa: BLE001  # goes to who awaits it
                error = caught
        if not self.is_over:
            self.threads.remove(self.scheduler.current_fiber())
            self.loop.call_soon_threadsafe(_settle, answer, result, error)

    def lock(self) -> ThreadLock:
        self.check()
        return ThreadLock(self)

    # --- clocks ---------------------------------------------------------------------------------

    def wall(self) -> float:
        """Seconds since the world began, by the machine's wall clock."""
        return self.machine.clock.at(self._now())

    def monotonic(self) -> float:
        return self.machine.monotonic(self._now())

    def boot(self) -> float:
        return self.machine.boot(self._now())

    def _now(self) -> float:
        self.check()
        self.scheduler.count_step()
        return self.scheduler.now

    # --- kill, suspend, signal ------------------------------------------------------------------

    def kill(self) -> None:
        """End it where it stands.  From a fiber of its own this never returns."""
        if self.is_over:
            return
        self.is_dead = self.is_over = True
        self.scheduler.bury(self)

    def suspend(self, seconds: float) -> None:
        """Freeze its machine, with all its processes."""
        self.scheduler.suspend(self.machine, seconds)

    def signal(self) -> None:
        """
        Ask it to stop, as SIGTERM does.

        The first one goes to who listens, the second cancels their task; with no listener it kills.
        """
        if self.is_over:
            return
        self.signals += 1
        if self._listeners:
            self.loop.call_soon_threadsafe(self._listeners[-1].note)
        else:
            self.kill()

    @contextmanager
    def listen(self, on_first: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        """Take signals as requests to the current task, while the block lasts."""
        self.check()
        task = asyncio.current_task()
        assert task is not None
        listener = _Listener(task=task, on_first=on_first)
        self._listeners.append(listener)
        try:
            yield lambda: listener.signals > 0
        finally:
            self._listeners.remove(listener)

    # --- its life -------------------------------------------------------------------------------

    def _live(self) -> None:
        """What its loop's fiber does: as `asyncio.run`."""
        for step in (self._finish_main, self.loop.wind_down):
            try:
                step()
            except Dead:
                return
            except BaseException as error:  # noqa: BLE001  # it is the end of this process alone
                self.error = error

    def _finish_main(self) -> None:
        task = self.loop.create_task(self._run_main())
        try:
            self.loop.drive(task.done)
        finally:
            if task.done() and not task.cancelled():
                task.exception()  # it is this process's error: no other need await it
        self.result = task.result()

    async def _run_main(self) -> object:
        return await self._main(self)

    def waits(self) -> Iterator[str]:
        """Where each of its tasks and threads waits."""
        for task in self.loop.tasks:
            if not task.done():
                yield f"{task.get_name()} at {_place(task.get_coro())}"
        for thread in self.threads:
            yield f"a thread at {_frame(thread.greenlet.gr_frame)}"
        if frame := self.fiber.greenlet.gr_frame:
            yield f"its loop at {_frame(frame)}"


class _Flight(Generic[T]):
    """One world call on its way: it begins, has its effect, and its answer arrives."""

    __slots__ = ("_effect", "_error", "_process", "_result", "_waiter", "fate")

    _result: T

    def __init__(
        self,
        process: Process,
        fate: Fate,
        effect: Callable[[], T],
        waiter: Future[T] | Fiber,
    ) -> None:
        self.fate = fate
        self._process = process
        self._effect = effect
        self._error: Exception | None = None
        self._waiter = waiter

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result

    def begin(self) -> None:
        """The moment before the effect.  A suspension puts it off, a kill prevents it."""
        process = self._process
        was_over = process.is_over
        is_frozen = self._meet(Moment.BEFORE_EFFECT)
        if process.is_over and not was_over:
            return
        if is_frozen:
            self._leave()
        else:
            self._arrive()

    def _leave(self) -> None:
        """What a suspension holds back sets out after it, if the process still lives then."""
        process, scheduler = self._process, self._process.scheduler
        if process.is_dead:
            return
        if process.machine.wakes_at is None:
            scheduler.push(scheduler.latency(), self._arrive)
        else:
            scheduler.push(process.machine.wakes_at - scheduler.now, self._leave)

    def _arrive(self) -> None:
        fate = self.fate
        if fate.is_dropped:
            self._error = Lost(has_effect=False)
        elif fate.status is not None:
            self._error = Answered(fate.status)
        elif fate.overrun:
            self._error = Lost(has_effect=True)
            self._process.scheduler.push(fate.overrun, self._finish_alone)
        else:
            self._take_effect()
            if fate.is_doubled:
                scheduler = self._process.scheduler
                scheduler.push(scheduler.latency(), self._repeat)
                return
        self._answer()

    def _take_effect(self) -> None:
        try:
            self._result = self._effect()
            self._error = None
        except Exception as error:  # noqa: BLE001  # it is the answer
            self._error = error

    def _finish_alone(self) -> None:
        """The effect, once the sender has given up; what comes of it is not sent."""
        with suppress(Exception):
            self._effect()

    def _repeat(self) -> None:
        first = self._error, getattr(self, "_result", None)
        self._take_effect()
        if self._error is not None and self._process.scheduler.random() < 1 / 2:
            self._error, self._result = first  # type: ignore[assignment]
        self._answer()

    def _answer(self) -> None:
        """The moment after the effect: the answer sets out."""
        if self.fate.is_lost and not self.fate.is_dropped:
            self._error = Lost(has_effect=self.fate.status is None)
        self._meet(Moment.AFTER_EFFECT)
        scheduler = self._process.scheduler
        scheduler.push(scheduler.latency() + self.fate.back, self._deliver)

    def _deliver(self) -> None:
        if self._process.is_over:
            return
        if isinstance(self._waiter, Fiber):
            self._process.scheduler.wake(self._waiter)
        elif not self._waiter.done():
            _settle(self._waiter, getattr(self, "_result", None), self._error)
            self._process.loop.wake()

    def _meet(self, moment: Moment) -> bool:
        """The faults of that moment; returns whether one of them suspends the machine."""
        fate, process = self.fate, self._process
        if fate.signal is moment and not process.is_over:
            process.signal()
        if fate.kill is moment and not process.is_over:
            process.kill()
        if fate.suspend and fate.suspend[0] is moment and not process.is_over:
            process.suspend(fate.suspend[1])
            return True
        return False


def _settle(answer: Future[Any], result: object, error: BaseException | None) -> None:
    if answer.done():
        return
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)


def _place(coro: Any) -> str:  # noqa: ANN401  # as above
    """The innermost coroutine that it waits in, and its line."""
    while (inner := getattr(coro, "cr_await", None)) is not None and hasattr(inner, "cr_frame"):
        coro = inner
    frame = getattr(coro, "cr_frame", None)
    return f"{coro.__qualname__}:{frame.f_lineno if frame else '?'}"


def _frame(frame: FrameType | None) -> str:
    """The innermost frame outside of the scheduler, and its line."""
    while frame and frame.f_globals["__name__"] in _OWN_MODULES and frame.f_back:
        frame = frame.f_back
    return f"{frame.f_code.co_qualname}:{frame.f_lineno}" if frame else "its beginning"
