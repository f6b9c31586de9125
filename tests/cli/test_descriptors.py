"""Output is a courtesy: with every descriptor the work is done, recorded and published."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cli.cli_harness import GEMINI, LONG, Stage
from tests.cli.test_process import MANY, Gate, command
from tests.cli.test_terminal import seated

if sys.platform == "win32":
    pytest.skip("descriptors are closed and filled in other ways there", allow_module_level=True)

A = f"a: {{{GEMINI}, content: a.md}}"
CLOSED = {"out": ">&-", "err": "2>&-", "in": "<&-", "all": "<&- >&- 2>&-"}
APPLY = ("apply", "--auto-approve")


def redirected(stage: Stage, redirection: str, *arguments: str, **environ: str) -> tuple[int, str]:
    """Run a command on the stack by way of a shell; its status, and all that it wrote."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command(*arguments)],
        cwd=stage.root,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environ},  # noqa: PTH109  # as text
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode(environ.get("PYTHONIOENCODING", "utf-8"))


@pytest.mark.parametrize("redirection", CLOSED.values(), ids=CLOSED)
def test_closed_descriptors(stage: Stage, redirection: str) -> None:
    """What was closed before the start changes nothing of what is made, saved and published."""
    stage.write(A, a=LONG)

    status, shown = redirected(stage, redirection, *APPLY)

    assert status == 0, shown
    assert "Traceback" not in shown
    assert len(stage.live()) == len(stage.state()["caches"]) == len(stage.handles()) == 1


@pytest.mark.heavy
def test_a_document_for_no_reader(stage: Stage) -> None:
    """A command that does nothing but print has failed where none of it can arrive."""
    stage.write(A, a=LONG)
    stage.apply()

    assert redirected(stage, ">&-", "output") == (1, "")
    assert redirected(stage, ">&-", "plan", "--json") == (0, "")


@pytest.mark.parametrize("arguments", [APPLY, (*APPLY, "--json"), ("output",), ("show",)])
def test_a_full_disk(stage: Stage, arguments: tuple[str, ...]) -> None:
    """The work is done where its account cannot be written; the status and a line say so."""
    stage.write(A, a=LONG)
    if arguments[0] != "apply":
        stage.apply()

    status, shown = redirected(stage, ">/dev/full", *arguments)

    assert status == 1
    assert shown == "Error: Standard output cannot be written: No space left on device.\n"
    assert len(stage.live()) == len(stage.state()["caches"]) == len(stage.handles()) == 1


def test_a_document_that_cannot_be_written(stage: Stage) -> None:
    """A document that is not whole is a failure, and keeps no other from being written."""
    stage.write(A, a=LONG)
    outs = ("--out", f"json={stage.root}", "--out", f"json={stage.root / 'result.json'}")

    ended = stage.apply(*outs)

    assert ended.status == 1
    assert f"{stage.root} cannot be written" in ended.err
    assert (stage.root / "result.json").exists()
    assert len(stage.handles()) == 1


@pytest.mark.heavy
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_an_encoding_that_lacks_characters(stage: Stage, encoding: str) -> None:
    """An arrow becomes two characters, a character that has no equivalent a question mark."""
    edited(stage)

    status, shown = redirected(stage, "", "plan", "-v", PYTHONIOENCODING=encoding)

    assert status == 0, shown
    assert "->" in shown
    assert "?.md" in shown


@pytest.mark.heavy
def test_a_document_is_whole_in_every_encoding(stage: Stage) -> None:
    """JSON spells what an encoding lacks; a bar has an equivalent; and the work is done."""
    edited(stage)

    plan = redirected(stage, "", "plan", "--json", PYTHONIOENCODING="cp1252")[1]
    assert json.loads(plan)["changes"][0]["after"]["paths"] == ["漢.md"]
    assert "##" in redirected(stage, "", "show", PYTHONIOENCODING="ascii")[1]
    assert redirected(stage, "", *APPLY, PYTHONIOENCODING="latin-1")[0] == 0


def edited(stage: Stage) -> None:
    """A cache whose content was edited, of a file whose name only Unicode can spell."""
    stage.write(f"a: {{{GEMINI}, content: 漢.md}}")
    (stage.root / "漢.md").write_text(LONG)
    stage.apply()
    (stage.root / "漢.md").write_text(LONG + "more")


@contextmanager
def applying_many(stage: Stage, gate: Gate, **how: object) -> Iterator[subprocess.Popen[bytes]]:
    """An apply of twenty caches that waits at its first creations."""
    stage.write(*MANY, a=LONG)
    stage.around = gate
    arguments = command("apply", stage.root, "--auto-approve", "--parallelism", "2")
    with subprocess.Popen(arguments, **how) as run:  # type: ignore[call-overload]  # as Popen has them
        assert gate.knocked.wait(30)
        yield run
        gate.opened.set()
        run.kill()


@pytest.mark.heavy
@pytest.mark.parametrize("restored", [True, False], ids=["default", "ignored"])
def test_a_reader_who_leaves(stage: Stage, *, restored: bool) -> None:
    """An apply whose reader has seen enough finishes, records, publishes and says nothing."""
    gate = Gate()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with applying_many(stage, gate, **pipes, restore_signals=restored) as run:
        assert run.stdout
        assert run.stderr
        run.stdout.readline()
        run.stdout.close()
        gate.opened.set()
        assert run.stderr.read() == b""
        assert run.wait(30) == 0
    stage.around = None
    assert len(stage.live()) == len(stage.state()["caches"]) == len(stage.handles()) == 20


@pytest.mark.heavy
@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "non-blocking"])
def test_a_reader_who_pauses(stage: Stage, *, blocking: bool) -> None:
    """While the reader pauses, the work is done and the lock is free; then all results arrive."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    full = 0
    while True:
        try:
            full += os.write(writer, b"." * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writer, blocking)
    gate = Gate()
    with applying_many(stage, gate, stdout=writer) as run, os.fdopen(reader, "rb") as output:
        os.close(writer)
        gate.opened.set()
        stage.around = None
        assert stage.apply("--lock-timeout", "30s").status == 0
        assert len(stage.live()) == len(stage.state()["caches"]) == 20
        assert run.poll() is None
        shown = output.read()
        assert run.wait(30) == 0
    assert shown[:full] == b"." * full
    assert b"Applied: 20 done" in shown
    assert stage.count("create") == 20


@pytest.mark.heavy
def test_a_plan_that_was_not_shown(stage: Stage) -> None:
    """A person who could not read the whole plan has not agreed to it."""
    names = (f"n{number}" for number in range(800))  # far more than a terminal takes unread
    stage.write(*(f"{name}: {{{GEMINI}, content: [{{text: '{name}'}}]}}" for name in names))
    with seated("-m", "provisioner", "apply", str(stage.root)) as seat:
        seat.type("y\n")
        seat.wait_for("Edits")
        os.close(seat.screen)
        status = seat.program.wait(30)
        seat.screen = pty.openpty()[0]
    assert status == 1
    assert not stage.live()


@pytest.mark.heavy
def test_a_terminal_that_hangs_up(stage: Stage) -> None:
    """What is in flight is finished, recorded and published, and the lock is free."""
    stage.write(*MANY, a=LONG)
    stage.around = gate = Gate()
    arguments = command("apply", stage.root, "--auto-approve", "--parallelism", "2")
    pid, screen = pty.fork()
    if pid == 0:
        os.execv(sys.executable, arguments)  # noqa: S606  # a terminal of its own
    assert gate.knocked.wait(30)
    os.close(screen)
    gate.opened.set()
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 129
    stage.around = None
    alive = len(stage.live())
    assert alive == len(stage.state()["caches"]) == len(stage.handles()) < 20
    assert stage.apply().status == 0


def test_a_terminal_that_hangs_up_and_is_outlived(stage: Stage) -> None:
    """As `nohup` starts it, a run goes on when its terminal hangs up."""
    gate = Gate()

    def deaf() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with applying_many(stage, gate, stdout=subprocess.DEVNULL, preexec_fn=deaf) as run:
        run.send_signal(signal.SIGHUP)
        gate.opened.set()
        assert run.wait(30) == 0
    assert len(stage.state()["caches"]) == 20
