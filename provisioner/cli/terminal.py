"""What the terminal can do: its width, its colours, and whether somebody sits there."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread

import click

NARROW = 40


def width() -> int:
    """Columns to write in; 100 where nobody says."""
    return max(NARROW, shutil.get_terminal_size((100, 24)).columns)


def wants_colour(asked: bool | None) -> bool:  # noqa: FBT001  # an option's three values
    """Whether to colour: as *asked*, else on a terminal unless NO_COLOR is set."""
    if asked is not None:
        return asked
    dull = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return sys.stdout.isatty() and not dull


def is_interactive() -> bool:
    """Whether a question would reach a person."""
    return sys.stdin.isatty() and sys.stdout.isatty()


async def confirm(question: str) -> bool:
    """
    Ask a person, and go on with everything else meanwhile: a lock has to be kept.

    The thread that asks is left behind if a signal ends the wait, so Ctrl-C is heard at once.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bool] = loop.create_future()

    def ask() -> None:
        settle: Callable[[], None]
        try:
            settle = partial(answer.set_result, _answer(question))
        except Exception as error:  # noqa: BLE001  # it is raised where the answer is awaited
            settle = partial(answer.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended, and nobody waits for this any more
            loop.call_soon_threadsafe(lambda: None if answer.done() else settle())

    Thread(target=ask, daemon=True).start()
    return await answer


def _answer(question: str) -> bool:
    """Ask until there is an answer; Enter is no.  Raises Abort if there will be none."""
    while True:
        click.echo(f"{question} [y/N]: ", nl=False)
        # Not by way of a stream, whose lock a thread that is left behind would keep at exit.
        typed = os.read(sys.stdin.fileno(), 1024)
        if not typed:
            raise click.Abort
        match typed.decode(errors="replace").strip().lower():
            case "y" | "yes":
                return True
            case "" | "n" | "no":
                return False
            case _:
                click.echo("Answer y or n.")
