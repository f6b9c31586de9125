"""This machine's clocks, waits, random numbers and threads."""

from __future__ import annotations

import ast
import asyncio
import os
import re
import subprocess
import sys
import threading
from datetime import UTC, timedelta
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from provisioner.runtime import SYSTEM

HOUSE = Path(__file__).parents[1] / "provisioner"
MODULES = {
    path.relative_to(HOUSE).as_posix(): path.read_text()
    for path in HOUSE.rglob("*.py")
    if "emulator" not in path.parts
}


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


def test_a_program_has_a_name() -> None:
    """A lock names who runs it, where, and as which process."""
    user, at, host = SYSTEM.user().partition("@")

    assert (bool(user), at, bool(host)) == (True, "@", True)
    assert SYSTEM.pid() == os.getpid()


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


@pytest.mark.parametrize(
    ("source", "is_drawn"),
    [
        ("import random", True),
        ("from random import choice", True),
        ("chance = Random()", True),
        ("chance = SystemRandom()", True),
        ("await loop.run_in_executor(None, call)", True),
        ("from random import Random\nchance = Random(1)", False),
        ("await runtime.in_thread(call)", False),
    ],
)
def test_what_is_banned(source: str, *, is_drawn: bool) -> None:
    """Chance without a seed and a thread of the loop's own are seen, a seed is not."""
    assert any(_draws(node) for node in ast.walk(ast.parse(source))) is is_drawn


def test_one_place() -> None:
    """
    Random numbers without a seed and threads come from the runtime, and few silence the linter.

    Its banned names are clocks, waits, tokens, threads and the working directory.
    """
    trees = {name: ast.parse(text) for name, text in MODULES.items()}

    assert {name for name, tree in trees.items() if any(map(_draws, ast.walk(tree)))} == {
        "runtime.py"
    }
    assert {name for name, text in MODULES.items() if "TID251" in text} == {
        "cli/console.py",  # writes to the terminal in a thread
        "cli/terminal.py",  # reads from it in one
        "stack/world.py",  # begins where the program that calls it is
    }


def test_three_defaults() -> None:
    """This machine is the default of what a program opens itself; the commands pass it on."""
    users = {name for name, text in MODULES.items() if re.search(r"\bSYSTEM\b", text)}

    assert {name for name in users if not name.startswith("cli/")} == {
        "runtime.py",
        "handles/reader.py",
        "providers/gemini/__init__.py",
        "stack/__init__.py",
    }


def _draws(node: ast.AST) -> bool:
    match node:
        case ast.Import(names=names):
            return any(name.name == "random" for name in names)
        case ast.ImportFrom(module="random", names=names):
            return any(name.name != "Random" for name in names)
        case ast.Call(func=ast.Name(id="Random" | "SystemRandom"), args=args):
            return not args
        case ast.Attribute(attr="run_in_executor"):
            return True
        case _:
            return False
