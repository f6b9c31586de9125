"""The ways to the projects of a run: a key for each, and none where there is nothing to ask."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from provisioner.cli.terminal import program_ports
from provisioner.operations.clients import Clients
from tests.cli.cli_harness import GEMINI, HEAD, KEY, LONG, Stage, staged

A = f"a: {{{GEMINI}, content: a.md}}"

NAMED = (
    f"{HEAD}providers:\n  gemini-a: {{type: gemini}}\n"
    "  gemini-b: {type: gemini, key_env: GEMINI_API_KEY_B}\n"
    "defaults: {gemini: {model: gemini-3.8-flash, ttl: 12h}}\n"
)
BOTH = "m: {provider: [gemini-a, gemini-b], content: a.md}"


def live(stage: Stage) -> list[tuple[str, str]]:
    result = stage.run("list", ".", "--emulator", "--json").json["caches"]
    return sorted((one["provider"], one["name"]) for one in result)


def test_two_projects(stage: Stage) -> None:
    """One entry lives in both, each under its name, and nothing of one is seen in the other."""
    stage.write(BOTH, head=NAMED, a=LONG)

    assert stage.apply("--emulator").status == 0
    assert live(stage) == [("gemini-a", "m-gemini-a"), ("gemini-b", "m-gemini-b")]
    assert stage.changes("--emulator") == {
        "m-gemini-a": ("keep", "current"),
        "m-gemini-b": ("keep", "current"),
    }
    assert "cachedContents/" in stage.run("output", "m-gemini-b", "-C", ".", "--emulator").out


def test_from_one_to_the_other(stage: Stage) -> None:
    """A cache that moves is made in the new project and retired with the key of the old."""
    stage.write("m: {provider: gemini-a, content: a.md}", head=NAMED, a=LONG)
    stage.apply("--emulator")
    stage.write("m: {provider: gemini-b, content: a.md}", head=NAMED)

    assert stage.changes("--emulator") == {"m": ("replace", "provider")}
    assert stage.apply("--emulator").status == 0
    changes = stage.plan("--emulator")["changes"]
    assert [(c["action"], c["provider"]) for c in changes] == [
        ("keep", "gemini-b"),
        ("leave", "gemini-a"),
    ]


def test_each_has_its_key(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is taken from the variable that the manifest names, which a message names, too."""
    stage.write(BOTH, head=NAMED, a=LONG)
    monkeypatch.delenv("GEMINI_API_KEY_B", raising=False)

    result = stage.run("plan", ".")
    assert result.status != 0
    assert "set GEMINI_API_KEY_B to a key" in " ".join(result.err.split())
    monkeypatch.setenv("GEMINI_API_KEY_B", "another-key")
    assert stage.apply().status == 0
    keys = {name: scope["keys"] for name, scope in stage.state()["providers"].items()}
    assert keys.keys() == {"gemini-a", "gemini-b"}
    assert keys["gemini-a"] != keys["gemini-b"]


def test_a_name_that_is_still_needed(stage: Stage) -> None:
    """A project with recorded caches cannot be reached once its name is gone, and that is said."""
    stage.write("m: {provider: gemini-a, content: a.md}", head=NAMED, a=LONG)
    stage.apply("--emulator")
    stage.write("m: {provider: gemini, model: gemini-3.8-flash, ttl: 12h, content: a.md}")

    result = stage.run("plan", ".", "--emulator")
    assert result.status == 3
    assert "declare it until they are gone" in " ".join(result.err.split())


def test_no_key(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key one paragraph says what to set, and that --emulator needs none."""
    monkeypatch.delenv("GEMINI_API_KEY")
    stage.write(A, a=LONG)

    for command in ("plan", "list"):
        result = stage.run(command, ".")
        assert result.status == 1
        assert "GEMINI_API_KEY" in result.err
        assert "--emulator" in result.err
        assert len(result.err.splitlines()) == 1


def test_a_wrong_key(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error for a refused key quotes the server and never shows the key."""
    with staged(tmp_path, capsys, monkeypatch, keys=("the-right-one",)) as stage:
        stage.write(A, a=LONG)
        result = stage.run("plan", ".")

    assert result.status == 1
    assert "API key" in result.err
    assert KEY not in result.err


def test_annotations_need_no_key(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack without live caches makes no API call."""
    monkeypatch.delenv("GEMINI_API_KEY")
    stage.write("n: {provider: claude, model: claude-sonnet-5-5, content: n.md}", n=LONG)

    assert stage.apply().status == 0
    assert stage.count("list") == 0


def test_a_transport_of_its_own() -> None:
    """What is passed in answers for the real endpoint, and the ports' environment has the key."""
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(200, json={})

    ports = replace(program_ports(), environ={"THEIR_KEY": "theirs"})

    async def listed() -> int:
        transport = httpx.MockTransport(answer)
        async with Clients(ports, max_wait=timedelta(minutes=1), transport=transport) as clients:
            return len(await clients.listed(await clients.client(None, "THEIR_KEY")))

    assert asyncio.run(listed()) == 0
    assert [request.headers["x-goog-api-key"] for request in sent] == ["theirs"]
