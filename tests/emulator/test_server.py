"""The emulator as a program of its own."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
from contextlib import closing

import httpx
import pytest

from provisioner.emulator import Emulator, serve
from tests.emulator.local import Clock, cache, emulated, served

PROGRAM = """
import asyncio
from datetime import UTC, datetime
from provisioner.emulator import Emulator, serve

emulator = Emulator(clock=lambda: datetime.now(UTC))
asyncio.run(serve(emulator, port=0, on_ready=lambda url: print(url, flush=True)))
emulator.close()
print("bye")
"""


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_in_peace(stop: signal.Signals) -> None:
    """The server prints nothing by itself, and returns to its caller when it is stopped."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        url = program.stdout.readline().strip()
        answer = httpx.get(f"{url}/v1beta/cachedContents", headers={"x-goog-api-key": "k"})
        program.send_signal(stop)
        rest, errors = program.communicate(timeout=10)

    assert url.startswith("http://127.0.0.1:")
    assert answer.json() == {}
    assert (rest, errors, program.returncode) == ("bye\n", "", 0)


def test_url_is_bound_until_the_end() -> None:
    """The URL answers from the moment it is printed, and the port is free again afterwards."""
    with emulated() as api:
        with served(api.emulator) as url:
            made = httpx.post(f"{url}/v1/cachedContents", json=cache(), headers=api.headers)
            assert made.status_code == 200
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        assert api.names() == [made.json()["name"]]


def test_taken_port_is_an_error() -> None:
    """A port that is in use is an OSError to translate, and not an exit."""
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        closing(Emulator(clock=Clock())) as emulator,
    ):
        serving = serve(emulator, port=taken.getsockname()[1], on_ready=lambda _: None)
        with pytest.raises(OSError, match="in use"):
            asyncio.run(serving)


def test_half_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """A client that breaks off in the middle of a request is no failure of the server."""
    head = b"POST /v1beta/cachedContents HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"
    with emulated() as api, served(api.emulator) as url:
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(head)
        answer = httpx.get(f"{url}/v1beta/cachedContents", headers={"x-goog-api-key": "k"})

    assert answer.json() == {}
    assert caplog.records == []
