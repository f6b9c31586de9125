"""What the terminal can do: its width, its colours, and whether a person can answer."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

from provisioner.cli import console
from provisioner.cli.console import is_terminal
from provisioner.cli.status import endings
from provisioner.environment import process_environment
from provisioner.errors import Refused

if TYPE_CHECKING:
    import asyncio

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
    import asyncio  # noqa: PLC0415  # what never asks does without

    with console.at_hand() as output:
        mark = output.mark()
        while not mark.is_reached:
            await asyncio.sleep(_BLINK)
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
    heard: list[int] = []
    statuses = endings()
    before = {
        number: signal.signal(number, lambda number, _: heard.append(number)) for number in statuses
    }

    def check() -> None:
        if heard:
            raise SystemExit(statuses[signal.Signals(heard[0])])

    try:
        yield check
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    check()


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
