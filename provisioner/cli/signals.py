"""
Signals while a run changes caches.

The first SIGINT, SIGTERM or SIGHUP asks to begin nothing new; what is in flight is finished,
recorded and saved.  A second one cancels what is in flight, so that the run saves what
it knows and leaves at once.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from provisioner.cli.messages import tell
from provisioner.cli.status import Status, endings


@dataclass
class Interruption:
    """Whether, and which, signal asked this run to end."""

    status: Status | None = None
    on_first: Callable[[], None] = lambda: None

    def is_asked(self) -> bool:
        return self.status is not None

    def note(self, status: Status, task: asyncio.Task[object]) -> None:
        if self.status is None:
            self.status = status
            self.on_first()
            tell("Interrupted: finishing the calls in flight. Interrupt again to leave at once.")
        else:
            task.cancel()


@contextmanager
def listening(on_first: Callable[[], None]) -> Iterator[Interruption]:
    """
    Take signals as requests to the current task, for as long as the block lasts.

    The first one calls *on_first*, which ends what only waits.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101  # we are in a coroutine
    interruption = Interruption(on_first=on_first)

    def notice(number: int, frame: FrameType | None) -> None:
        del frame
        status = statuses[signal.Signals(number)]
        loop.call_soon_threadsafe(interruption.note, status, task)

    statuses = {signal.SIGINT: Status.INTERRUPTED, **endings()}
    before = {number: signal.signal(number, notice) for number in statuses}
    try:
        yield interruption
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
