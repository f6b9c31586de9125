"""
The event loop of a process in virtual time, and the greenlets that processes consist of.

Decides which of the callbacks that are ready is next: the one that the seed picks.  It waits for
timers and for the world by parking in the scheduler, and knows neither.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio import Task, TimerHandle
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextvars import Context
from threading import get_ident
from typing import TYPE_CHECKING, Any, Never, TypeVar, TypeVarTuple, cast
from weakref import ref

from greenlet import greenlet

if TYPE_CHECKING:
    from tests.simulate.process import Process

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TICK = 1e-6
"""Seconds.  The shortest wait: time goes on, however often a program looks at the clock."""

_swap_current_task = getattr(asyncio.tasks, "_swap_current_task", None)  # since Python 3.12


class Fiber:
    """A greenlet of a process: its event loop, or one of its threads."""

    __slots__ = ("due", "greenlet", "loop", "process", "task")

    def __init__(
        self, process: Process, body: Callable[[], None], context: Context, loop: EventLoop | None
    ) -> None:
        self.process = process
        self.greenlet = greenlet(body, process.scheduler.hub)
        self.greenlet.gr_context = context
        self.loop = loop
        self.task: Task[Any] | None = None
        """The current one of the loop, while the fiber rests."""
        self.due = 0.0
        """When its pause ends, by the machine's monotonic clock."""

    def enter(self) -> None:
        """Make its loop the running one."""
        if loop := self.loop:
            asyncio._set_running_loop(loop)  # noqa: SLF001  # for loops, says asyncio
            sys.set_asyncgen_hooks(loop.begin_generator, loop.end_generator)
            if _swap_current_task:
                _swap_current_task(loop, self.task)

    def leave(self) -> None:
        if loop := self.loop:
            if _swap_current_task:
                self.task = _swap_current_task(loop, None)
            asyncio._set_running_loop(None)  # noqa: SLF001  # likewise
            sys.set_asyncgen_hooks(None, None)


class _Task(Task[T]):
    """A task whose place in a set is the same in each Python."""

    def __init__(self, coro: Coroutine[Any, Any, T], *, number: int, **options: Any) -> None:  # noqa: ANN401  # as Task takes them
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number


class EventLoop(asyncio.BaseEventLoop):
    """The event loop of one process: the seed picks among what is ready."""

    _ready: list[asyncio.Handle]  # typeshed knows no private names
    _thread_id: int | None

    def __init__(self, process: Process) -> None:
        super().__init__()
        self.set_debug(False)
        self.set_task_factory(cast("Any", self._new_task))
        self._ready = []
        self._thread_id = get_ident()
        self._process = process
        self._scheduler = process.scheduler
        self._is_idle = False
        self.machine = process.machine
        self.tasks: list[Task[Any]] = []
        """All that may not be done, in their order."""
        self._enough = 64
        """When to look which tasks are done."""
        self._generators: list[ref[AsyncGenerator[Any, Any]]] = []

    def time(self) -> float:
        return self.machine.monotonic(self._scheduler.now)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> TimerHandle:
        now = self.time()
        timer = TimerHandle(max(when, now + TICK), callback, args, self, context)
        self._scheduler.push(timer.when() - now, timer)
        return timer

    def add(self, timer: TimerHandle) -> None:
        self._ready.append(timer)
        self.wake()

    def close(self) -> None:
        self._thread_id = None
        super().close()
        self.tasks.clear()

    def run_in_executor(self, *_: object) -> Never:
        raise RuntimeError("threads of a simulated process come from Process.in_thread")

    def drive(self, is_over: Callable[[], object]) -> None:
        """Go on until then."""
        scheduler, ready, process = self._scheduler, self._ready, self._process
        while not is_over():
            if ready:
                handle = scheduler.pick(ready)
                if not handle.cancelled():
                    handle._run()  # noqa: SLF001  # a loop's to call
                process.check()
                scheduler.give_way()
            else:
                self._is_idle = True
                scheduler.park()

    def wind_down(self) -> None:
        """As `asyncio.run` does: end the other tasks, the generators and the threads."""
        tasks = [task for task in self.tasks if not task.done()]
        for task in tasks:
            task.cancel()
        self._drive_all(tasks)
        generators = [generator for each in self._generators if (generator := each())]
        self._drive_all([generator.aclose() for generator in generators])
        self.drive(lambda: not self._process.threads)
        self.tasks.clear()

    def _drive_all(self, awaitables: list[Any]) -> None:
        if awaitables:
            self.drive(asyncio.gather(*awaitables, return_exceptions=True).done)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if not self._process.is_over:
            self._process.unhandled.append(context)

    def begin_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators.append(ref(generator))

    def end_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self._process.is_over:
            self.call_soon_threadsafe(self.create_task, generator.aclose())

    def _new_task(
        self,
        _: asyncio.AbstractEventLoop,
        coro: Coroutine[Any, Any, T],
        **options: Any,  # noqa: ANN401  # of newer Pythons
    ) -> _Task[T]:
        number = self._scheduler.next_number()
        task = _Task(coro, number=number, loop=self, **{"name": f"Task-{number}", **options})
        self.tasks.append(task)
        if len(self.tasks) > self._enough and not self._process.is_over:
            self.tasks = [task for task in self.tasks if not task.done()]
            self._enough = 2 * len(self.tasks) + 64
        return task

    def wake(self) -> None:
        """Look again at what is ready."""
        if self._is_idle:
            self._is_idle = False
            self._scheduler.wake(self._process.fiber)

    _write_to_self = wake  # as `call_soon_threadsafe` calls it
