"""The question before a change, asked of a person at a real terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from threading import Timer

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.test_adopt import by_hand

if sys.platform == "win32":
    pytest.skip("there are no such terminals", allow_module_level=True)

import pty

A = f"a: {{{GEMINI}, content: a.md}}"
SCRIPT = """
import asyncio
from provisioner.cli import terminal

async def main():
    question = asyncio.create_task(terminal.confirm("Go on"))
    while not question.done():
        print("tick", flush=True)
        await asyncio.sleep(0.05)
    print(question.result(), flush=True)

asyncio.run(main())
"""


class Seat:
    """A person at a terminal in front of a program."""

    def __init__(self, screen: int, program: subprocess.Popen[bytes]) -> None:
        self.screen = screen
        self.program = program
        self.seen = ""

    def wait_for(self, text: str) -> None:
        self.seen = self.seen.partition(text)[2]
        while text not in self.seen:
            self.seen += os.read(self.screen, 4096).decode(errors="replace")

    def type(self, keys: str) -> None:
        os.write(self.screen, keys.encode(errors="surrogateescape"))

    def leave(self) -> int:
        """Read to the end, and say how the program ended."""
        while True:
            try:
                more = os.read(self.screen, 4096)
            except OSError:  # what Linux says at the end of a terminal
                more = b""
            if not more:
                return self.program.wait(30)
            self.seen += more.decode(errors="replace")


@contextmanager
def seated(*arguments: str) -> Iterator[Seat]:
    """Run Python with *arguments* at a terminal of its own."""
    screen, inner = pty.openpty()
    command = [sys.executable, *arguments]
    with subprocess.Popen(
        command, stdin=inner, stdout=inner, stderr=inner, start_new_session=True
    ) as program:
        os.close(inner)
        patience = Timer(60, program.kill)
        patience.start()
        try:
            yield Seat(screen, program)
        finally:
            patience.cancel()
            program.kill()
            os.close(screen)


def test_everything_else_goes_on() -> None:
    """The run renews its lock while a person reads and thinks."""
    with seated("-c", SCRIPT) as seat:
        seat.wait_for("Go on")
        for _ in range(5):
            seat.wait_for("tick")
        seat.type("y\n")
        seat.wait_for("True")

        assert seat.leave() == 0


@pytest.mark.parametrize(
    ("answer", "status", "alive"),
    [
        ("y\n", 0, 1),
        (" Yes\n", 0, 1),
        ("\n", 3, 0),
        ("n\n", 3, 0),
        ("\udce9 maybe\nno\n", 3, 0),
        ("\x04", 3, 0),
    ],
)
def test_answers(stage: Stage, answer: str, status: int, alive: int) -> None:
    """Only a yes changes anything."""
    stage.write(A, a=LONG)
    with seated("-m", "provisioner", "apply", str(stage.root)) as seat:
        seat.wait_for("Apply these changes? [y/N]: ")
        seat.type(answer)

        assert seat.leave() == status, seat.seen
        assert "Traceback" not in seat.seen
    assert len(stage.live()) == alive


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["int", "term"]
)
def test_a_signal_is_an_answer(stage: Stage, number: signal.Signals, status: int) -> None:
    """A signal ends the prompt without a key: nothing is changed, and the lock is free."""
    stage.write(A, a=LONG)
    with seated("-m", "provisioner", "apply", str(stage.root)) as seat:
        seat.wait_for("Apply these changes? [y/N]: ")
        seat.program.send_signal(number)

        assert seat.leave() == status, seat.seen
        assert "Traceback" not in seat.seen
    assert not stage.live()
    assert stage.apply().status == 0


@pytest.mark.heavy
def test_an_answer_after_the_plan_ran_out(stage: Stage) -> None:
    """An answer holds for the same edits: what time has changed meanwhile is planned again."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    late = f"b: {{{GEMINI}, content: a.md}}".replace("ttl: 12h", f"expires_at: {end:%FT%TZ}")
    stage.write(A, late, a=LONG)
    with seated("-m", "provisioner", "apply", str(stage.root)) as person:
        person.wait_for("Apply these changes?")
        while datetime.now(UTC) <= end:
            time.sleep(0.05)
        person.type("y\n")
        status = person.leave()

    assert (status, person.seen.count("Apply these changes?")) == (0, 1)
    assert [*stage.state()["caches"]] == ["a"]
    assert [*stage.state()["rested"]] == ["b"]


@pytest.mark.heavy
def test_a_stray_that_came_after_the_question(stage: Stage) -> None:
    """With --prune an answer holds for no cache that was not shown: the question is asked again."""
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    late = f"b: {{{GEMINI}, content: a.md}}".replace("ttl: 12h", f"expires_at: {end:%FT%TZ}")
    stage.write(A, late, a=LONG)
    with seated("-m", "provisioner", "apply", "--prune", str(stage.root)) as person:
        person.wait_for("Apply these changes?")
        stray = by_hand(LONG, displayName="ctxprov:demo/old@0123456789abcdef")
        while datetime.now(UTC) <= end:
            time.sleep(0.05)
        person.type("y\n")
        person.wait_for("Apply these changes?")
        person.type("n\n")
        status = person.leave()

    assert status == 3
    assert [*stage.live()] == [stray]
