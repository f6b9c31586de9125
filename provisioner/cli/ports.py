"""
The world as this program meets it: its clock, its terminal, its environment, and its signals.

While a run changes caches, signals are requests.  The first SIGINT, SIGTERM or SIGHUP asks to begin
nothing new; what is in flight is finished, recorded and saved.  A second one cancels what is in
flight, so that the run saves what it knows and leaves at once.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from random import Random
from string import ascii_lowercase
from types import FrameType

from provisioner.cli import clock, console, messages, terminal
from provisioner.cli.messages import tell
from provisioner.cli.status import Status, endings
from provisioner.environment import boot_seconds, process_environment
from provisioner.operations.ports import Console, Ports


class Interruptions:
    """Which signals asked the runs of this program to end."""

    def __init__(self) -> None:
        self.statuses: list[Status] = []
        """Of the first signal of each run that got one."""

    @contextmanager
    def listen(self, on_first: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        """
        Take signals as requests to the current task, for as long as the block lasts.

        The first one calls *on_first*, which ends what only waits.  Yields whether one came.
        """
        import asyncio  # noqa: PLC0415  # what changes nothing does without

        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101  # we are in a coroutine
        heard: list[Status] = []

        def note(status: Status) -> None:
            heard.append(status)
            if len(heard) > 1:
                task.cancel()
                return
            self.statuses.append(status)
            on_first()
            tell("Interrupted: finishing the calls in flight. Interrupt again to leave at once.")

        def notice(number: int, frame: FrameType | None) -> None:
            del frame
            loop.call_soon_threadsafe(note, statuses[signal.Signals(number)])

        statuses = {signal.SIGINT: Status.INTERRUPTED, **endings()}
        before = {number: signal.signal(number, notice) for number in statuses}
        try:
            yield lambda: bool(heard)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def program_ports(interruptions: Interruptions | None = None) -> Ports:
    """Every port of a run, with what listens to its signals."""
    return Ports(
        environ=process_environment(),
        now=_now,
        boot_seconds=boot_seconds,
        random=Random(),  # noqa: S311  # for samples
        letters=_letters,
        console=Console(
            report=console.say,
            note=messages.tell,
            confirm=terminal.confirm,
            is_interactive=terminal.is_interactive,
            waiting=messages.waiting,
        ),
        listen=(interruptions or Interruptions()).listen,
    )


def _now() -> datetime:
    return clock.now()


def _letters() -> str:
    number = secrets.randbelow(26**4)
    return "".join(ascii_lowercase[number // 26**place % 26] for place in range(4))
