"""A signal ends a run that waits."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys

import pytest

from tests.cli.cli_harness import LONG, Stage
from tests.cli.test_process import MANY, A, Gate, applying, command
from tests.cli.test_quota import refusing

if sys.platform == "win32":
    pytest.skip("signals are not sent there", allow_module_level=True)

SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]


@pytest.mark.heavy
@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_a_lock_is_waited_for(stage: Stage, number: signal.Signals, status: int) -> None:
    """A run that waits for another one's lock ends with the signal's status."""
    stage.write(*MANY, a=LONG)
    arguments = command("apply", stage.root, "--auto-approve", "--lock-timeout", "5m")
    with (
        applying(stage, Gate()),
        subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as second,
    ):
        assert second.stderr
        assert b"Waiting up to" in second.stderr.readline()
        second.send_signal(number)
        _, errors = second.communicate(timeout=30)
    assert second.returncode == status
    assert b"Traceback" not in errors


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_while_a_quota_is_waited_for(stage: Stage, number: signal.Signals, status: int) -> None:
    """A run that waits for a quota ends with the signal's status, and the lock is free."""
    stage.write(A, a=LONG)
    stage.around = refusing("create", retry_after=60)
    arguments = command("apply", stage.root, "--auto-approve", "--log-level", "info")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert run.stderr
        while b" 429 " not in (line := run.stderr.readline()):
            assert line
        run.send_signal(number)
        _, errors = run.communicate(timeout=30)
    assert run.returncode == status
    assert b"Traceback" not in errors
    stage.around = None
    assert stage.apply().status == 0


@pytest.mark.parametrize("verb", ["plan", "show", "drift", "next"])
def test_while_a_state_is_read(stage: Stage, verb: str) -> None:
    """A signal ends a command that only looks, though the server of its state gives no answer."""
    stage.write(A, a=LONG)
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = command(verb, "--state", f"http://127.0.0.1:{server.getsockname()[1]}/states")
        with subprocess.Popen(arguments, stderr=subprocess.PIPE, cwd=stage.root) as run:
            connection, _ = server.accept()
            with connection:
                connection.recv(1)
                run.send_signal(signal.SIGTERM)
                run.communicate(timeout=20)
    assert run.returncode == 143


def test_while_a_future_is_simulated(stage: Stage) -> None:
    """A signal ends a forecast in the middle of its simulation."""
    stage.write(A, a=LONG)
    arguments = command("forecast", "--every", "1m", "--for", "3650d")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, cwd=stage.root) as run:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                run.wait(timeout=2)
            run.send_signal(signal.SIGTERM)
            run.communicate(timeout=20)
        finally:
            run.kill()
    assert run.returncode == 143
