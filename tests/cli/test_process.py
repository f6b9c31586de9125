"""What only a real process can show: signals, terminals, locks, pipes and start-up."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
MANY = [f"n{i:02}: {{{GEMINI}, content: [a.md, {{text: '{i}'}}]}}" for i in range(20)]


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "provisioner", *map(str, arguments)]


class Gate:
    """Holds back every create until it is opened, and reports when one arrives."""

    def __init__(self) -> None:
        self.knocked = threading.Event()
        self.opened = threading.Event()

    async def __call__(self, call: Call, carry_out: CarryOut) -> Response:
        import asyncio  # noqa: PLC0415  # only where something waits

        if call.operation == "create":
            self.knocked.set()
            await asyncio.to_thread(self.opened.wait, 30)
        return await carry_out()


@contextmanager
def applying(stage: Stage, gate: Gate) -> Iterator[subprocess.Popen[str]]:
    """An apply in a process of its own, stopped at its first creations."""
    stage.around = gate
    arguments = command("apply", stage.root, "--auto-approve", "--parallelism", "2")
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert gate.knocked.wait(30)
        yield run
        gate.opened.set()
        run.kill()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_one_signal(stage: Stage, number: signal.Signals, status: int) -> None:
    """The first signal begins nothing new; what is in flight is finished, saved and published."""
    stage.write(*MANY, a=LONG)
    gate = Gate()
    with applying(stage, gate) as run:
        run.send_signal(number)
        assert run.stderr
        assert "Interrupted" in run.stderr.readline()
        gate.opened.set()
        out, _ = run.communicate(timeout=30)

    assert run.returncode == status
    made = len(stage.state()["caches"])
    assert made in {1, 2}  # the second one starts a moment after the first
    assert f"{20 - made} not attempted" in out
    assert len(stage.live()) == made
    assert len(stage.handles()) == made
    stage.around = None
    assert stage.apply().status == 0
    assert len(stage.live()) == 20


@pytest.mark.heavy
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_wait(stage: Stage, number: signal.Signals, status: int) -> None:
    """A run that waits for a quota ends at once; what it waited for was not attempted."""
    stage.write(*MANY, a=LONG)
    knocked = threading.Event()

    async def refuse(call: Call, carry_out: CarryOut) -> Response:
        if call.operation != "create":
            return await carry_out()
        knocked.set()
        return Response('{"error": {"message": "slow down"}}', 429, headers={"retry-after": "600"})

    stage.around = refuse
    arguments = command("apply", stage.root, "--auto-approve")
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert knocked.wait(30)
        run.send_signal(number)
        out, _ = run.communicate(timeout=30)

    assert run.returncode == status
    assert "0 done, 0 failed, 20 not attempted" in out
    stage.around = None
    assert stage.apply().status == 0


@pytest.mark.heavy
@pytest.mark.parametrize("verb", ["plan", "apply", "keepalive"])
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_wait_for_a_list(
    stage: Stage, verb: str, number: signal.Signals, status: int
) -> None:
    """A signal ends every command that waits until it may list a project."""
    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    knocked = threading.Event()

    async def refuse(_: Call, __: CarryOut) -> Response:
        knocked.set()
        return Response('{"error": {"message": "slow down"}}', 429, headers={"retry-after": "60"})

    stage.around = refuse
    with subprocess.Popen(
        command(verb, stage.root), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert knocked.wait(30)
        run.send_signal(number)
        run.communicate(timeout=30)

    assert run.returncode == status


def test_two_signals(stage: Stage) -> None:
    """A second signal leaves at once; what the provider made all the same is adopted later."""
    stage.write(*MANY, a=LONG)
    gate = Gate()
    with applying(stage, gate) as run:
        run.send_signal(signal.SIGINT)
        assert run.stderr
        assert "Interrupted" in run.stderr.readline()
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=30)
        assert run.returncode == 130

    stage.around = None
    assert stage.apply().status == 0
    assert len(stage.live()) == 20
    assert stage.count("create") == 20


def test_a_killed_run(stage: Stage) -> None:
    """A run that is killed blocks no later run and costs nothing."""
    stage.write(*MANY, a=LONG)
    gate = Gate()
    with applying(stage, gate) as run:
        run.kill()
        run.wait()
        gate.opened.set()
    stage.around = None

    assert stage.apply().status == 0
    assert len(stage.live()) == 20


def test_a_locked_state(stage: Stage) -> None:
    """A second run names the owner of the lock, and may still plan."""
    stage.write(*MANY, a=LONG)
    with applying(stage, Gate()) as run:
        result = stage.apply()
        assert result.status == 4
        assert f"pid {run.pid}" in result.err
        assert stage.run("plan", ".").status == 0


@pytest.mark.heavy
def test_waiting_for_a_lock(stage: Stage) -> None:
    """A run that waits says so and goes on when the other is done."""
    stage.write(*MANY, a=LONG)
    gate = Gate()
    with applying(stage, gate) as run:
        arguments = command("apply", stage.root, "--auto-approve", "--lock-timeout", "30s")
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as second:
            assert second.stderr
            assert "Waiting up to 30s for" in second.stderr.readline()
            gate.opened.set()
            run.communicate(timeout=30)
            second.communicate(timeout=30)
            assert second.returncode == 0
    assert len(stage.live()) == 20


def at_terminal(stage: Stage, answer: bytes) -> tuple[int, str]:
    """Apply at a terminal and answer its question with *answer*."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, command("apply", stage.root))  # noqa: S606  # a terminal of its own
    shown = b""
    while b"[y/N]" not in shown:
        shown += os.read(terminal, 4096)
    os.write(terminal, answer)
    with suppress(OSError):  # which is how a terminal says that nobody is there any more
        while True:
            if not select.select([terminal], [], [], 0.5)[0]:
                os.write(terminal, answer)  # a key that came before the prompt listened is lost
                continue
            more = os.read(terminal, 4096)
            if not more:
                break
            shown += more
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), shown.decode()


@pytest.mark.parametrize(
    ("answer", "status", "count"), [(b"y\n", 0, 1), (b"n\n", 3, 0), (b"\x03", 130, 0)]
)
def test_at_a_terminal(stage: Stage, answer: bytes, status: int, count: int) -> None:
    """Yes applies, no and Ctrl-C leave everything as it was."""
    stage.write(A, a=LONG)

    assert at_terminal(stage, answer)[0] == status
    assert len(stage.live()) == count
    assert stage.state_file.exists() == bool(count)


def test_colours(stage: Stage) -> None:
    """A terminal gets colours, a pipe and NO_COLOR get none."""
    stage.write(A, a=LONG)

    assert "\x1b[" in at_terminal(stage, b"n\n")[1]
    assert "\x1b[" not in stage.run("plan", ".").out
    assert "\x1b[" in stage.run("plan", ".", "--color").out


def test_a_closed_pipe(stage: Stage) -> None:
    """A closed pipe ends the command without a traceback."""
    stage.write(A, a=LONG)
    with subprocess.Popen(
        command("plan", stage.root, "--json"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout
        run.stdout.close()
        assert run.stderr
        assert b"Traceback" not in run.stderr.read()


def test_httpx_comes_alone(stage: Stage) -> None:
    """What only httpx's own command line would need is not loaded for a plan."""
    stage.write(A, a=LONG)
    loaded = "print(*{'httpx', 'pygments'} & {*sys.modules})"
    start = f"""
import atexit, sys
from provisioner.__main__ import main
atexit.register(lambda: {loaded})
main()
"""
    result = subprocess.run(
        [sys.executable, "-c", start, "plan", str(stage.root)],
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.splitlines()[-1] == "httpx"


@pytest.mark.parametrize(
    ("name", "text", "output"),
    [
        ("SSL_CERT_FILE", "/nope.pem", "SSL_CERT_FILE=/nope.pem does not exist: unset it"),
        ("SSL_CERT_DIR", "/nope", "SSL_CERT_DIR=/nope is no folder that exists: unset it"),
        ("ALL_PROXY", "socks5://127.0.0.1:1", "ALL_PROXY=socks5://127.0.0.1:1 needs the package"),
        ("NO_PROXY", "a:b", "NO_PROXY holds 'a:b', which is no host"),
    ],
)
def test_a_stale_variable(stage: Stage, name: str, text: str, output: str) -> None:
    """A variable of certificates or proxies that no client can use is named, for http:// too."""
    stage.write(A, a=LONG)
    ours = {key: value for key, value in os.environ.items() if not key.startswith("SSL_CERT")}
    run = subprocess.run(
        command("plan", stage.root),
        env={**ours, name: text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1
    assert output in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a folder in use cannot be deleted")
@pytest.mark.parametrize("name", ["plan", "validate", "list", "init"])
def test_a_working_directory_that_was_deleted(tmp_path: Path, name: str) -> None:
    """A command says so in a sentence, in place of a traceback."""
    folder = tmp_path / "gone"
    start = f'mkdir "{folder}" && cd "{folder}" && rmdir "{folder}" && exec "$@"'

    result = subprocess.run(
        ["sh", "-c", start, "sh", *command(name)], check=False, capture_output=True, text=True
    )

    assert result.returncode == 1
    assert "The working directory cannot be used: No such file or directory." in result.stderr
    assert "Traceback" not in result.stderr
