"""This machine's clocks, waits, lots and threads."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from datetime import UTC, timedelta
from random import Random

from msgspec.structs import replace

from provisioner.runtime import SYSTEM


def test_it_never_goes_back() -> None:
    """Each reading is as late as the one before, or later."""
    readings = [SYSTEM.boot_seconds() for _ in range(1_000)]

    assert readings == sorted(readings)


def test_processes_agree() -> None:
    """Two processes of one machine count from the same moment."""
    program = "from provisioner.runtime import SYSTEM; print(SYSTEM.boot_seconds())"
    before = SYSTEM.boot_seconds()
    there = float(subprocess.check_output([sys.executable, "-c", program]))

    assert before <= there <= SYSTEM.boot_seconds()


def test_wall_clock() -> None:
    """The wall clock is aware and in UTC."""
    assert SYSTEM.now().utcoffset() == timedelta()
    assert SYSTEM.now().tzinfo is UTC


def test_letters() -> None:
    """Every four letters may end a label, and they come from the token alone."""
    tokens = Random(1)  # noqa: S311  # a fixed sequence
    runtime = replace(SYSTEM, token=lambda count: tokens.randbytes(count).hex())
    letters = [runtime.letters() for _ in range(1_000)]

    assert all(len(text) == 4 and text.isascii() and text.islower() for text in letters)
    assert {letter for text in letters for letter in text} == set("abcdefghijklmnopqrstuvwxyz")
    assert len(set(letters)) > 990


async def _thread() -> int:
    return await SYSTEM.in_thread(threading.get_ident)


def test_threads() -> None:
    """What blocks runs beside the event loop, and its answer comes back."""
    assert asyncio.run(_thread()) != threading.get_ident()
