"""What the terminal can do: its width, its colours, and whether somebody sits there."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from contextlib import suppress
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

    def settle(said: bool | None) -> None:  # noqa: FBT001  # None: neither yes nor no
        if answer.done():
            return
        if said is None:
            answer.set_exception(click.Abort())
        else:
            answer.set_result(said)

    def ask() -> None:
        try:
            said = click.confirm(question)
        except click.Abort:
            said = None
        with suppress(RuntimeError):  # the loop has ended, and nobody waits for this any more
            loop.call_soon_threadsafe(settle, said)

    Thread(target=ask, daemon=True).start()
    return await answer
