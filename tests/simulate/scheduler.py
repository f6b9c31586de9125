"""
Processes in virtual time: which of all that is ready goes on next, decided by a seed.

The hub is the greenlet that called `Scheduler.run`.  It picks a fiber, which goes on until it waits
and gives way to the hub again.  The hub alone fires events: timers, and the moments of world calls,
whose effects run there.

A killed process is never resumed.  What it left is closed at once and in order: each fiber and each
coroutine gets `Dead` where it waits, which runs its `finally`, with every port dead.

It knows neither what a world call does nor what a run is for.
"""

from __future__ import annotations

import gc
import heapq
import sys
import warnings
from asyncio import TimerHandle
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import inf
from random import Random
from typing import Any, TypeVar

from greenlet import getcurrent

from tests.simulate.event_loop import TICK, EventLoop, Fiber
from tests.simulate.fate import Fates
from tests.simulate.process import Dead, Machine, Process

T = TypeVar("T")

STEPS_AT_ONCE = 200_000
"""A program that does more within one moment of virtual time will never end."""
_THROWS = 100
"""A coroutine that waits again so often, though its process is dead, is left as it is."""


class Deadlock(Exception):
    """Something waits for what will never come."""


class Livelock(Exception):
    """A program goes on for ever within one moment of virtual time."""


class Scheduler:
    """The world's time, and who goes on in it."""

    def __init__(self, random: Random, fates: Fates) -> None:
        self.now = 0.0
        """Virtual seconds since the world began."""
        self.random = random.random
        self.fates = fates
        self.hub = getcurrent()
        self._events: list[tuple[float, int, TimerHandle | Fiber | Callable[[], object]]] = []
        self._number = 0
        self._steps = 0
        self._current: Fiber | None = None
        self._runnable: list[Fiber] = []
        self._frozen: list[Fiber] = []
        """Runnable once their machine's suspension is over."""
        self.processes: list[Process] = []
        """All that were started."""
        self._living: list[Process] = []
        self._has_remains = False
        """Whether a process was killed since the last collection."""
        self._killed: list[Process] = []
        """Killed by one of their own fibers, and still to be buried."""

    def at(self, when: float, call: Callable[[], object]) -> None:
        """Have the world itself do something at that second, or now if it has passed."""
        self.push(when - self.now, call)

    def start(
        self,
        machine: Machine,
        run: int,
        main: Callable[[Process], Awaitable[object]],
        done: Callable[[Process], None],
    ) -> Process:
        """Run *main* on the machine; *done* is called once it has ended or was killed."""
        process = Process(self, machine, run, main, done)
        self.processes.append(process)
        self._living.append(process)
        self.wake(process.fiber)
        return process

    def run(self, until: float | None = None) -> None:
        """
        Go on until nothing is left to do, or to that second.

        Raises Deadlock if then something waits and no event is left that could end it, Livelock,
        and what a `done`, an effect (but for an Exception) or an event raises; the world is closed
        then.
        """
        was_enabled = gc.isenabled()
        gc.disable()  # what is collected when would depend on the worlds before
        try:
            self._advance(inf if until is None else until)
        except BaseException:
            self.close()
            raise
        finally:
            self._collect()
            if was_enabled:
                gc.enable()

    def close(self) -> None:
        """End the world: kill what still lives, without a call of `done`."""
        for process in self._living[:]:
            process.is_dead = process.is_over = True
            self._close(process)
        self._events.clear()
        self._runnable.clear()
        self._collect()

    def _collect(self) -> None:
        """Drop what the dead left, before the collector meets it at a time of its own."""
        if self._has_remains:
            self._has_remains = False
            with _silence():
                gc.collect(0)

    def suspend(self, machine: Machine, seconds: float) -> None:
        """Freeze a machine and all its processes."""
        machine.suspend(self.now, seconds)
        self.push(seconds, partial(self._awake, machine))
        if self._current and self._current.process.machine is machine:
            self.wake(self._current)
            self.park()

    def _awake(self, machine: Machine) -> None:
        machine.wake(self.now)
        if machine.wakes_at is None:
            frozen = self._frozen
            self._runnable += [fiber for fiber in frozen if fiber.process.machine is machine]
            self._frozen = [fiber for fiber in frozen if fiber.process.machine is not machine]

    # --- for processes --------------------------------------------------------------------------

    def push(self, seconds: float, event: TimerHandle | Fiber | Callable[[], object]) -> None:
        self._number += 1
        heapq.heappush(self._events, (self.now + seconds, self._number, event))

    def pick(self, ready: list[T]) -> T:
        """Take one out."""
        last = ready.pop()
        if not ready:
            return last
        place = int(self.random() * (len(ready) + 1))
        if place == len(ready):
            return last
        picked, ready[place] = ready[place], last
        return picked

    def latency(self) -> float:
        """Seconds of one way."""
        usual = 0.005 + 0.075 * self.random()
        return usual if self.random() > 1 / 200 else usual + 5 * self.random()

    def next_number(self) -> int:
        self._number += 1
        return self._number

    def wake(self, fiber: Fiber) -> None:
        self._runnable.append(fiber)

    def park(self) -> None:
        """Wait until another wakes the current fiber."""
        self.hub.switch()

    def give_way(self) -> None:
        """Let others go first, if the seed says so."""
        self._steps += 1
        if (self._runnable or self._killed or self._steps > STEPS_AT_ONCE) and self._current:
            self._runnable.append(self._current)
            self.park()

    def count_step(self) -> None:
        self._steps += 1
        if self._steps > STEPS_AT_ONCE:
            self.give_way()

    def current_fiber(self) -> Fiber:
        if self._current is None:
            raise RuntimeError("only a process that runs can wait: this is the world itself")
        return self._current

    def bury(self, process: Process) -> None:
        """Close what a killed process left: at once, or once the fiber that killed it rests."""
        if self._current is None:
            self._close(process)
            process.done(process)
            return
        self._killed.append(process)
        if self._current.process is process:
            self.park()

    # --- the hub --------------------------------------------------------------------------------

    def _advance(self, until: float) -> None:
        events, runnable = self._events, self._runnable
        while True:
            while self._killed:
                process = self._killed.pop(0)
                self._close(process)
                process.done(process)
            if runnable and not (events and events[0][0] <= self.now):
                self._resume(self.pick(runnable))
            elif events and events[0][0] <= until:
                self._fire(*heapq.heappop(events))
            else:
                break
        if until < inf:
            self.now = max(self.now, until)
        if self._living and not events:
            raise Deadlock(self._story())

    def _fire(self, when: float, _: int, event: TimerHandle | Fiber | Callable[[], object]) -> None:
        if isinstance(event, TimerHandle):
            loop: EventLoop = event._loop  # type: ignore[attr-defined]  # noqa: SLF001  # that made it
            if not event.cancelled() and not loop.is_closed():
                self._turn_to(when)
                if not self._is_early(loop.machine, event.when(), event):
                    loop.add(event)
        elif isinstance(event, Fiber):
            if not event.process.is_over:
                self._turn_to(when)
                if not self._is_early(event.process.machine, event.due, event):
                    self.wake(event)
        else:
            self._turn_to(when)
            event()

    def _turn_to(self, when: float) -> None:
        if when > self.now:
            self.now = when
            self._steps = 0

    def _is_early(self, machine: Machine, due: float, event: TimerHandle | Fiber) -> bool:
        """Whether a suspension put the event off; it comes again then."""
        left = due - machine.monotonic(self.now)
        if machine.wakes_at is not None:
            left += machine.wakes_at - self.now
        if left <= TICK:
            return False
        self.push(left, event)
        return True

    def _resume(self, fiber: Fiber) -> None:
        process = fiber.process
        if process.is_over:
            return
        if process.machine.wakes_at is not None:
            self._frozen.append(fiber)
            return
        self._switch(fiber, fiber.greenlet.switch)
        if self._steps > STEPS_AT_ONCE:
            raise Livelock(self._story())
        if fiber.greenlet.dead and fiber is process.fiber and not process.is_over:
            process.is_over = True
            self._close(process)
            process.done(process)
            if isinstance(process.error, KeyboardInterrupt):
                raise process.error

    def _switch(self, fiber: Fiber, switch: Callable[[], object]) -> None:
        self._current = fiber
        fiber.enter()
        try:
            switch()
        finally:
            fiber.leave()
            self._current = None

    def _close(self, process: Process) -> None:
        """Throw `Dead` into what waits there, in order; its ports are dead already."""
        if process in self._living:
            self._living.remove(process)
        self._has_remains |= process.is_dead
        with _silence():
            for fiber in (*process.threads, process.fiber):
                while fiber.greenlet:  # it has begun and not ended
                    self._switch(fiber, partial(fiber.greenlet.throw, Dead))
            process.fiber.enter()
            for task in process.loop.tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001  # as asyncio does
                if not task.done():
                    _abandon(task.get_coro())
            process.fiber.leave()
            process.threads.clear()
            process.loop.close()

    def _story(self) -> str:
        lines = [f"at {self.now:.6f} s:"]
        for process in self._living:
            lines += [f"{process.runner}, run {process.run}: {wait}" for wait in process.waits()]
        return "\n  ".join(lines)


def _abandon(coro: Any) -> None:  # noqa: ANN401  # a coroutine, or what asyncio takes for one
    """End it with `Dead` where it waits, and wherever it waits then."""
    for _ in range(_THROWS):
        try:
            coro.throw(Dead)
        except BaseException:  # noqa: BLE001  # it has ended
            return


@contextmanager
def _silence() -> Iterator[None]:
    """
    Let Python not report what it drops.

    Of coroutines that were never awaited it warns, and of generators that fail as they are closed.
    Of the dead, both are to be expected.
    """
    hook, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        sys.unraisablehook = hook
