"""Machines whose clock is wrong: what is alive is decided by the provider's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import JSONResponse, Response

from provisioner.cli.per_stack import StackOutcome
from provisioner.cli.status import Status
from provisioner.cli.watch import next_wait
from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.builders import NOW, desired, recorded, state
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"
HOUR = timedelta(hours=1)
OFFSETS = [-3 * HOUR, 3 * HOUR, 24 * HOUR]
SKEW = Path(__file__).parent / "skew"


def elsewhere(stage: Stage, offset: timedelta, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process whose wall clock is off."""
    return subprocess.run(
        [sys.executable, "-m", "provisioner", *arguments, str(stage.root)],
        env={**os.environ, "PYTHONPATH": str(SKEW), "SKEW": str(offset.total_seconds())},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.heavy
@pytest.mark.parametrize("offset", OFFSETS, ids=str)
def test_nothing_is_made_again(stage: Stage, offset: timedelta) -> None:
    """A runner whose clock is off makes no cache of which a live one is on record."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()

    runs = [elsewhere(stage, offset, "keepalive") for _ in range(2)]

    assert [run.returncode for run in runs] == [0, 0]
    assert stage.count("create") == 2
    assert set(stage.handles()) == {"a", "b"}
    assert "the clock of this machine says" in runs[0].stderr
    assert len(re.findall(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", runs[0].stderr)) == 2


@pytest.mark.parametrize("command", [("list",), ("gc", "--state", "elsewhere")], ids=str)
def test_what_is_listed_is_not_expired(stage: Stage, command: tuple[str, ...]) -> None:
    """list and gc say how long a live cache lives by the provider's clock, and warn of another."""
    stage.write(A, a=LONG)
    stage.apply()

    done = subprocess.run(
        [sys.executable, "-m", "provisioner", *command],
        cwd=stage.root,
        env={**os.environ, "PYTHONPATH": str(SKEW), "SKEW": str((24 * HOUR).total_seconds())},
        capture_output=True,
        text=True,
        check=True,
    )

    assert re.search(r"1(1h 59m|2h)", done.stdout)
    assert "expired" not in done.stdout
    assert "the clock of this machine says" in done.stderr


def test_a_clock_that_is_behind(stage: Stage) -> None:
    """A runner three hours behind refreshes what is due, and says until when by the provider."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.ahead = timedelta(hours=11, minutes=50)

    done = elsewhere(stage, -3 * HOUR, "keepalive")

    assert done.returncode == 0
    assert stage.count("patch") == 1
    assert re.search(r"Covered until .* \(in 1(1h 59m|2h)\)", done.stdout)


def dated(date: Callable[[], str]) -> Callable[[Call, CarryOut], Any]:
    """A server whose answers bear a Date of their own."""

    async def around(call: Call, carry_out: CarryOut) -> Response:
        del call
        answer = await carry_out()
        answer.headers["date"] = date()
        return answer

    return around


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 01 Jan 9999 00:00:00 GMT"])
def test_no_date(stage: Stage, date: str) -> None:
    """Without a Date that can be read a run goes by its own clock, and warns."""
    stage.write(A, a=LONG)
    stage.around = dated(lambda: date)

    stage.apply()
    done = stage.run("keepalive", ".")

    assert done.status == 0
    assert "bear no Date" in done.err
    assert stage.count("create") == 1


@pytest.mark.parametrize("wrong", [-24 * HOUR, 24 * HOUR], ids=str)
def test_a_wrong_date(stage: Stage, wrong: timedelta) -> None:
    """A Date that is a day off makes nothing again, and keeps everything alive."""
    stage.write(A, a=LONG)
    stage.apply()
    stage.around = dated(lambda: format_datetime(datetime.now(UTC) + wrong, usegmt=True))

    for _ in range(2):
        assert stage.run("keepalive", ".").status == 0

    assert stage.count("create") == 1
    assert len(stage.live()) == 1


def test_no_cache_in_between(stage: Stage) -> None:
    """Every request asks for an answer of now, and not of a proxy's store."""
    asked: list[str | None] = []

    async def around(call: Call, carry_out: CarryOut) -> Response:
        asked.append(call.headers.get("cache-control"))
        return await carry_out()

    stage.around = around
    stage.write(A, a=LONG)
    stage.apply()

    assert set(asked) == {"no-store"}


def test_listed_and_gone(stage: Stage) -> None:
    """What a list shows past its expiry is refreshed, and made only if the provider says so."""
    stage.write(A, a=LONG)
    stage.apply()
    (before,) = stage.live()
    listed: list[bytes] = []

    async def stale(call: Call, carry_out: CarryOut) -> Response:
        if call.operation != "list":
            return await carry_out()
        if not listed:
            listed.append(bytes((await carry_out()).body))
        return Response(listed[0], media_type="application/json")

    stage.around = stale
    stage.run("plan", ".")
    stage.ahead = 13 * HOUR

    assert stage.changes()["a"] == ("refresh", "expiring")
    assert stage.apply().status == 0

    assert stage.count("create") == 2
    stage.around = None
    assert before not in stage.live()
    assert stage.changes()["a"] == ("keep", "current")


def test_at_is_from_the_providers_now(stage: Stage) -> None:
    """`--at +6h` counts from the provider's now; a moment is one of the provider's clock."""
    stage.write(A, a=LONG)
    stage.ahead = 100 * HOUR
    stage.apply()

    soon, late = stage.plan("--at", "+6h"), stage.plan("--at", "+9h")
    moment = (datetime.now(UTC) + 109 * HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")

    assert [c["reason"] for c in soon["changes"]] == ["current"]
    assert [c["reason"] for c in late["changes"]] == ["expiring"]
    assert [c["reason"] for c in stage.plan("--at", moment)["changes"]] == ["expiring"]


def test_watching_by_the_providers_clock() -> None:
    """Between two runs a watch sleeps until its providers' clocks say that something is due."""
    kept = state(recorded(desired("a"), expires_at=NOW + 6 * HOUR))
    ended = StackOutcome(status=Status.OK, summary="", state=kept)

    def wait(ahead: timedelta) -> timedelta:
        late = StackOutcome(status=Status.OK, summary="", state=kept, ahead=ahead)
        return next_wait([(Path(), late)], NOW - ahead, every=100 * HOUR, retry=None)

    assert next_wait([(Path(), ended)], NOW, every=100 * HOUR, retry=None) == 5 * HOUR
    assert {wait(ahead) for ahead in (*OFFSETS, -24 * HOUR)} == {5 * HOUR}


def test_an_odd_entry(stage: Stage) -> None:
    """An entry of a list that cannot be read is one warning, unless its label is the stack's."""
    stage.write(A, a=LONG)
    stage.apply()
    odd: dict[str, str] = {"name": "cachedContents/odd?"}

    async def around(call: Call, carry_out: CarryOut) -> Response:
        answer = await carry_out()
        if call.operation != "list":
            return answer
        return JSONResponse({"cachedContents": [odd]})

    stage.around = around
    foreign = stage.run("plan", ".")
    odd["displayName"] = f"ctxprov:other/a@{'0' * 16}"
    other = stage.run("plan", ".")
    odd["displayName"] = f"ctxprov:demo/a@{'0' * 16}~abcd"
    ours = stage.run("plan", ".")

    for one in (foreign, other):
        assert one.status == 0
        assert one.err.count("cannot be read") == 1
    assert ours.status == 1
    assert "a cache of this stack that cannot be read (ctxprov:demo/a@" in ours.err


def test_another_project(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that shows none of our caches is refused unless that is meant."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    for id_ in stage.live():
        stage.delete(id_)
    monkeypatch.setenv("GEMINI_API_KEY", "another-key")
    before = stage.state()

    result = stage.apply()
    assert result.status == 3
    assert "--accept-scope" in result.err
    assert stage.state() == before
    assert stage.apply("--accept-scope").status == 0
    assert len(stage.live()) == 2


def test_a_rotated_key(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new key that shows our caches is remembered beside the old one."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    monkeypatch.setenv("GEMINI_API_KEY", "another-key")

    assert stage.apply().status == 0
    assert len(stage.state()["providers"]["gemini"]["keys"]) == 2
