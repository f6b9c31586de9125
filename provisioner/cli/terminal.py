"""What the terminal can do: its width, its colours, and whether somebody sits there."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from threading import Thread

import click

from provisioner.cli.status import Status
from provisioner.environment import process_environment

NARROW = 40

_PULSE = 0.2
"""Seconds.  A signal that came just before the loop fell asleep is heard when it wakes."""


def width() -> int:
    """Columns to write in; 100 where nobody says."""
    return max(NARROW, shutil.get_terminal_size((100, 24)).columns)


def wants_colour(asked: bool | None) -> bool:  # noqa: FBT001  # an option's three values
    """Whether to colour: as *asked*, else on a terminal unless NO_COLOR is set."""
    if asked is not None:
        return asked
    dull = process_environment().get("NO_COLOR") or process_environment().get("TERM") == "dumb"
    return sys.stdout.isatty() and not dull


def is_interactive() -> bool:
    """Whether a question would reach a person."""
    return sys.stdin.isatty() and sys.stdout.isatty()


async def confirm(question: str) -> bool:
    """
    Ask a person, and go on with everything else meanwhile: a lock has to be kept.

    Enter is no.  Raises Abort if there will be no answer; a signal is heard at once.
    """
    while True:
        with _terminable() as check:
            typed = _typed()
            click.echo(f"{question} [y/N]: ", nl=False)
            while not typed.done():
                await asyncio.wait([typed], timeout=_PULSE)
                check()
        check()
        match typed.result().decode(errors="replace").strip().lower():
            case "y" | "yes":
                return True
            case "" | "n" | "no":
                return False
            case _:
                click.echo("Answer y or n.")


@contextmanager
def _terminable() -> Iterator[Callable[[], None]]:
    """
    Hear SIGTERM when asked whether there was one, which ends the program then.

    Python throws an exception away that a handler raises while a weak reference is called back,
    as those are which asyncio keeps of its tasks.
    """
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))

    def check() -> None:
        if heard:
            raise SystemExit(Status.TERMINATED)

    try:
        yield check
    finally:
        signal.signal(signal.SIGTERM, before)


def _typed() -> asyncio.Future[bytes]:
    """
    The next line that is typed, in a thread that is left behind if nobody waits for it any more.

    It is not read by way of a stream, whose lock such a thread would keep at exit.
    """
    loop = asyncio.get_running_loop()
    line: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(line.set_result, _line())
        except (OSError, click.Abort) as error:
            settle = partial(line.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lambda: None if line.done() else settle())

    Thread(target=read, daemon=True).start()
    return line


def _line() -> bytes:
    typed = os.read(sys.stdin.fileno(), 1024)
    if not typed:
        raise click.Abort
    return typed
