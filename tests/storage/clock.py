"""Time that passes only when a test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from msgspec.structs import replace

from provisioner.runtime import SYSTEM, Runtime
from tests.builders import NOW

AT_NOW = replace(SYSTEM, now=lambda: NOW)
"""This machine, at the moment of the tests."""


def with_clock(clock: Callable[[], datetime]) -> Runtime:
    """This machine with another wall clock."""
    return replace(SYSTEM, now=clock)


class Clock:
    """A wall clock, a monotonic one and a sleep that agree."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.skew = timedelta()
        self._asleep: dict[asyncio.Task[object], tuple[float, asyncio.Event]] = {}

    @property
    def runtime(self) -> Runtime:
        """This machine with these clocks, and with waits that end when they are moved."""
        return replace(
            SYSTEM,
            now=self.now,
            monotonic=self.monotonic,
            boot_seconds=self.monotonic,
            sleep=self.sleep,
        )

    def now(self) -> datetime:
        return NOW + timedelta(seconds=self.passed) + self.skew

    def monotonic(self) -> float:
        return self.passed

    async def sleep(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task
        awake = asyncio.Event()
        self._asleep[task] = (self.passed + seconds, awake)
        try:
            await awake.wait()
        finally:
            del self._asleep[task]

    async def move(self, seconds: float) -> None:
        """Let time pass, and everybody who wakes up meanwhile do their work."""
        await asyncio.sleep(0)  # who has only just started goes to sleep first
        end = self.passed + seconds
        while due := sorted(
            (at, id(task), task) for task, (at, _) in self._asleep.items() if at <= end
        ):
            at, _, task = due[0]
            self.passed = max(self.passed, at)
            before = self._asleep[task]
            before[1].set()
            await _until(partial(self._has_acted, task, before))
        self.passed = end

    def _has_acted(self, task: asyncio.Task[object], before: tuple[float, asyncio.Event]) -> bool:
        return task.done() or self._asleep.get(task, before) is not before

    async def settle(self, task: asyncio.Task[object]) -> None:
        """Wait until *task* sleeps or has ended."""
        await _until(lambda: task.done() or task in self._asleep)


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  # threads are at work, which set no event of ours
        await asyncio.sleep(0.001)
