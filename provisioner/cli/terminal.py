"""
The world as this program meets it: what its terminal can do, its clock, and its signals.

While a run changes caches, signals are requests.  The first SIGINT, SIGTERM or SIGHUP asks to begin
nothing new; what is in flight is finished, recorded and saved.  A second one cancels what is in
flight, so that the run saves what it knows and leaves at once.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread  # noqa: TID251  # one that a signal leaves behind
from types import FrameType
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import asdict

from provisioner import runtime
from provisioner.cli import console, messages
from provisioner.cli.console import is_terminal
from provisioner.cli.messages import tell
from provisioner.cli.status import Status, endings
from provisioner.environment import process_environment
from provisioner.errors import CtxprovError, Refused
from provisioner.operations.session import Console, Ports

if TYPE_CHECKING:
    import asyncio

_ReadResult = TypeVar("_ReadResult")

NARROW = 40

_BLINK = 0.02
"""Seconds.  How often to look whether a question is on the terminal."""
_PULSE = 0.2
"""Seconds.  A signal that came just before the loop fell asleep is heard when it wakes."""


def width() -> int:
    """Columns to write in; 100 where neither terminal nor environment says."""
    return max(NARROW, shutil.get_terminal_size((100, 24)).columns)


def wants_colour(asked: bool | None) -> bool:  # noqa: FBT001  # an option's three values
    """Whether to colour: as *asked*, else on a terminal unless NO_COLOR is set."""
    if sys.platform == "win32":
        from colorama import just_fix_windows_console  # noqa: PLC0415  # click brings it there

        just_fix_windows_console()
    if asked is not None:
        return asked
    dull = process_environment().get("NO_COLOR") or process_environment().get("TERM") == "dumb"
    return is_terminal(sys.stdout) and not dull


def is_interactive() -> bool:
    """Whether a question would reach a person."""
    return is_terminal(sys.stdin) and is_terminal(sys.stdout)


async def confirm(question: str) -> bool:
    """
    Ask a person, and go on with everything else meanwhile: a lock has to be kept.

    Enter is no, and so is the end of the input.  Raises Refused if the question, or what was
    written before it, did not arrive whole; a signal is heard at once.
    """
    import asyncio  # noqa: PLC0415  # what never asks does without

    with _terminable() as check:
        while True:
            console.show(f"{question} [y/N]: ")
            await _shown(check)
            typed = _typed()
            while not typed.done():
                await asyncio.wait([typed], timeout=_PULSE)
                check()
            match typed.result().decode(errors="replace").strip().lower():
                case "y" | "yes":
                    return True
                case "" | "n" | "no":
                    return False
                case _:
                    console.say("Answer y or n.")


async def _shown(check: Callable[[], None]) -> None:
    """Wait until all that a person decides on is on the terminal."""

    with console.at_hand() as output:
        mark = output.mark()
        while not mark.is_reached:
            await runtime.SYSTEM.sleep(_BLINK)
            check()
        is_whole = output.is_whole
    if not is_whole:
        raise Refused(
            "The terminal did not show the whole question, so the answer is no; nothing was "
            "changed."
        )


@contextmanager
def _terminable() -> Iterator[Callable[[], None]]:
    """
    Hear SIGTERM or SIGHUP when asked whether there was one, which ends the program then.

    Python throws an exception away that a handler raises while a weak reference is called back,
    as those are which asyncio keeps of its tasks.
    """
    heard: list[Status] = []

    def check() -> None:
        if heard:
            raise SystemExit(heard[0])

    with _handling(endings(), heard.append):
        yield check
    check()


@contextmanager
def _handling(
    statuses: Mapping[signal.Signals, Status], notice: Callable[[Status], object]
) -> Iterator[None]:
    """Call *notice* with the status of each signal that comes while the block lasts."""

    def handle(number: int, _: FrameType | None) -> None:
        notice(statuses[signal.Signals(number)])

    before = {number: signal.signal(number, handle) for number in statuses}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _typed() -> asyncio.Future[bytes]:
    """
    The next line that is typed, or nothing at the end of the input.

    A thread reads it, which is left behind where a signal comes first; not by way of a stream,
    whose lock it would keep at exit.
    """
    import asyncio  # noqa: PLC0415  # what never asks does without

    loop = asyncio.get_running_loop()
    line: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        answer = _line()
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: None if line.done() else line.set_result(answer))

    Thread(target=read, daemon=True).start()
    return line


def _line() -> bytes:
    """Nothing at the end of the input, which is also what a terminal that hung up comes to."""
    while True:
        try:
            return os.read(sys.stdin.fileno(), 1024)
        except BlockingIOError:
            select.select([sys.stdin], [], [])
        except OSError:
            return b""


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

        statuses = {signal.SIGINT: Status.INTERRUPTED, **endings()}
        with _handling(statuses, lambda status: loop.call_soon_threadsafe(note, status)):
            yield lambda: bool(heard)


async def _read(call: Callable[[], _ReadResult]) -> _ReadResult:
    """Run *call* in this thread, where a signal ends it: asyncio waits for its other threads."""
    return call()


def _working_directory() -> Path:
    """Where the program was started.  Raises CtxprovError if that was deleted."""
    try:
        os.getcwd()  # noqa: PTH109, TID251  # asked for its error alone
    except OSError as error:
        raise CtxprovError(
            f"The working directory cannot be used: {error.strerror}. cd to one that exists."
        ) from error
    return Path()


def program_ports(interruptions: Interruptions | None = None) -> Ports:
    """Every port of a run, with what listens to its signals."""
    return Ports(
        **asdict(runtime.SYSTEM),
        environ=process_environment(),
        folder=_working_directory(),
        read=_read,
        console=Console(
            report=console.say,
            note=messages.tell,
            warn=messages.warn,
            advise=messages.advise,
            confirm=confirm,
            is_interactive=is_interactive,
            waiting=messages.waiting,
        ),
        listen=(interruptions or Interruptions()).listen,
    )
