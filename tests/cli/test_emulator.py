"""`ctxprov emulator` serves, or says why it cannot."""

from __future__ import annotations

import socket

from tests.cli.cli_harness import Stage


def test_a_port_that_is_taken(stage: Stage) -> None:
    """A port that another program has is a failure that names it, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = stage.run("emulator", "--port", str(port))

    assert (result.status, result.out) == (1, "")
    assert f"Port {port} cannot be served: " in result.err
    assert "Traceback" not in result.err


def test_a_store_that_is_none(stage: Stage) -> None:
    """A folder in place of the store is a failure that names it, and it stays."""
    folder = stage.root / "caches"
    folder.mkdir()
    result = stage.run("emulator", "--store", str(folder), "--port", "0")

    assert result.status == 1
    assert "cannot hold the emulator's caches" in result.err
    assert folder.is_dir()


def test_a_port_that_cannot_be(stage: Stage) -> None:
    """A number beyond the last port is wrong usage."""
    result = stage.run("emulator", "--port", "99999")

    assert result.status == 64
    assert "99999 is not in the range 0<=x<=65535" in result.err
