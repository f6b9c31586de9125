"""Only programs of this machine reach a served emulator."""

from __future__ import annotations

import httpx
import pytest

from provisioner.emulator.server import is_loopback
from tests.emulator.local import cache, emulated, served

NAMES = ["localhost", "LOCALHOST:80", "127.0.0.1", "127.255.0.9:8085", "[::1]", "[::1]:8085"]
FOREIGN = [
    "attacker.example",
    "attacker.example:8085",
    "localhost.attacker.example",
    "127.0.0.1.attacker.example",
    "127.0.0.1@attacker.example",
    "localhost:8085, attacker.example",
    "128.0.0.1",
    "0.0.0.0:80",
    "[::]",
    "[::2]:8085",
    "2130706433",
    "localhost:",
    "",
]


def test_names() -> None:
    """Loopback names are accepted with any port, and nothing that merely resembles one."""
    assert [name for name in NAMES if not is_loopback(name)] == []
    assert [name for name in FOREIGN if is_loopback(name)] == []


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:8085", "10.0.0.1"])
def test_rebound_name(host: str) -> None:
    """A page whose name was made to lead here gets 421, and nothing is done for it."""
    with emulated() as api, served(api.emulator) as url:
        foreign = {**api.headers, "host": host}
        made = httpx.post(f"{url}/v1beta/cachedContents", json=cache(), headers=foreign)
        assert made.status_code == 421
        assert api.names() == []


@pytest.mark.parametrize("origin", ["https://attacker.example", "http://10.0.0.1:80", "null"])
def test_form_of_a_website(origin: str) -> None:
    """A form that a website posts to this port gets 403, with any key."""
    with emulated() as api, served(api.emulator) as url:
        made = httpx.post(
            f"{url}/v1beta/cachedContents?key=any", json=cache(), headers={"origin": origin}
        )
        assert made.status_code == 403
        assert api.names() == []


def test_a_websocket_of_a_website() -> None:
    """A page that opens a WebSocket to this port gets the answer of any other request."""
    upgrade = {
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        "origin": "https://attacker.example",
    }
    with emulated() as api, served(api.emulator) as url:
        assert httpx.get(url, headers=upgrade).status_code == 403


def test_local_names_and_pages() -> None:
    """Local programs and pages are answered under each name of this machine."""
    with emulated() as api, served(api.emulator) as url:
        port = url.rpartition(":")[2]
        for host in ("localhost", f"localhost:{port}", f"127.0.0.2:{port}", f"[::1]:{port}"):
            headers = {**api.headers, "host": host, "origin": "http://localhost:3000"}
            answer = httpx.get(f"{url}/v1beta/cachedContents", headers=headers)
            assert answer.status_code == 200, host
