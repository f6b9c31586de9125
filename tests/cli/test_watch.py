"""`apply --watch` and `--metrics-file`: a run again and again, and what it tells a collector."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path

import click
import httpx
import pytest
from starlette.responses import JSONResponse, Response

from provisioner.cli import clock
from provisioner.cli.clock import SOONEST
from provisioner.cli.per_stack import StackOutcome, StackRow
from provisioner.cli.status import Status
from provisioner.cli.watch import next_wait, waits, watched
from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.errors import CtxprovError
from provisioner.model import State
from tests.builders import HOUR, desired, recorded, state
from tests.cli.cli_harness import GEMINI, HEAD, KEY, LONG, Stage
from tests.metrics import value_of

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"
MINUTE = timedelta(minutes=1)


def ended(status: Status, before: State | None) -> list[StackRow]:
    return [(Path("a"), StackOutcome(status=status, summary="", state=before))]


def test_it_sleeps_until_a_window_opens() -> None:
    """The sleep ends when the first refresh is due, but is never longer than asked for."""
    before = state(recorded(desired("a")))
    due = 5 * HOUR

    now = before.caches["a"].updated_at
    rows = ended(Status.OK, before)

    assert next_wait(rows, now, every=24 * HOUR, retry=None) == due
    assert next_wait(rows, now, every=HOUR, retry=None) == HOUR
    assert next_wait(rows, now + due, every=HOUR, retry=None) == SOONEST


def test_failures_wait_longer_and_longer() -> None:
    """A failure is tried again soon, then less often, and never less than every ten minutes."""
    assert [wait / MINUTE for wait in islice(waits(), 7)] == [0.5, 1, 2, 4, 8, 10, 10]


def test_success_forgets_earlier_failures() -> None:
    """After a success the next failure is tried again soon."""
    turns = iter([Status.FAILED, Status.FAILED, Status.OK, Status.FAILED, Status.TERMINATED])
    naps: list[float] = []

    status = watched(
        lambda: ended(next(turns), None),
        every=HOUR,
        sleep=naps.append,
        jitter=lambda low, _: low,
    )

    assert status is Status.TERMINATED
    assert naps == [30, 60, 3600, 30]


def test_a_later_turn_may_fail_altogether() -> None:
    """A folder that is away for a moment ends nothing; wrong usage from the start does."""
    naps: list[float] = []
    endings: Iterator[Status | Exception] = iter(
        [Status.OK, CtxprovError("full"), click.UsageError("away"), Status.TERMINATED]
    )

    def turn() -> list[StackRow]:
        ending = next(endings)
        if isinstance(ending, Exception):
            raise ending
        return ended(ending, None)

    status = watched(turn, every=HOUR, sleep=naps.append, jitter=lambda low, _: low)

    assert status is Status.TERMINATED
    assert naps == [3600, 30, 60]
    assert watched(lambda: ended(Status.USAGE, None), every=HOUR) is Status.USAGE


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent there")
def test_sigterm_ends_the_sleep(stage: Stage) -> None:
    """A container that is stopped while it sleeps ends at once; what it did is saved."""
    stage.write(A, a=LONG)
    command = [sys.executable, "-m", "provisioner", "apply", str(stage.root)]
    with subprocess.Popen(
        [*command, "--watch", "--auto-approve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stderr
        assert "Next run at" in run.stderr.readline()
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=30)

    assert run.returncode == 143
    assert list(stage.state()["caches"]) == ["a"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent there")
@pytest.mark.parametrize(
    ("head", "more", "alive"),
    [(f"{HEAD}limits: {{replace: {{count: 0}}}}\n", [], 2), (HEAD, ["c: {nonsense: 1}"], 1)],
    ids=["refused", "in-error"],
)
def test_what_is_refused_lets_nothing_go_cold(
    stage: Stage, head: str, more: list[str], alive: int
) -> None:
    """While edits are refused or in error, what is on record and at hand is looked after."""
    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    kept = stage.state()["caches"]["a"]["id"]
    stage.delete(stage.state()["caches"]["b"]["id"])
    stage.write(A, B, *more, head=head, a=LONG * 2, b=LONG + "b")

    assert ("Covered until" in watched_once(stage)) is (alive == 2)
    assert kept in stage.live()
    assert len(stage.live()) == alive


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent there")
def test_what_is_blocked_is_kept_alive(stage: Stage) -> None:
    """A protected cache whose entry was removed lives on, for as long as that is refused."""
    stage.write(A.replace("ttl", "protect: true, ttl"), B, a=LONG, b=LONG + "b")
    stage.apply()
    id_ = stage.state()["caches"]["a"]["id"]
    shorten(id_)
    stage.write(B)

    result = watched_once(stage)

    assert "is protected" in result
    assert lasts(stage, id_)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent there")
def test_what_cannot_be_replaced_is_kept_alive(stage: Stage) -> None:
    """While the new cache cannot be made, the old one is refreshed; the run tells of one stack."""

    async def refuse(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create":
            return JSONResponse({"error": {"code": 400, "message": "too small"}}, 400)
        return await carry_out()

    stage.write(A, a=LONG)
    stage.apply()
    (id_,) = stage.live()
    shorten(id_)
    stage.write(A, a=LONG * 2)
    stage.around = refuse
    file = stage.root / "result.json"

    result = watched_once(stage, "--out", f"json={file}")

    assert "too small" in result
    assert lasts(stage, id_)
    assert json.loads(file.read_text())["stack"] == "demo"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent there")
def test_what_was_given_up_stays_so(stage: Stage) -> None:
    """The upkeep of what could not be replaced brings nothing back that was to be retired."""

    async def refuse(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "create" or gone in call.path:
            return JSONResponse({"error": {"code": 400, "message": "not now"}}, 400)
        return await carry_out()

    stage.write(A, B, a=LONG, b=LONG + "b")
    stage.apply()
    gone, kept = (stage.state()["caches"][name]["id"] for name in "ba")
    for id_ in (gone, kept):
        shorten(id_)
    stage.write(A, a=LONG * 2)
    stage.around = refuse

    watched_once(stage)

    assert list(stage.handles()) == ["a"]
    assert lasts(stage, kept)
    assert not lasts(stage, gone)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are not sent there")
def test_a_plan_that_is_away_lets_nothing_go_cold(stage: Stage) -> None:
    """While the approved plan cannot be read, what is recorded is kept alive."""
    stage.write(A, a=LONG)
    stage.apply()
    (id_,) = stage.live()
    shorten(id_)

    assert "plan.json" in watched_once(stage, "--plan", str(stage.root / "plan.json"))
    assert lasts(stage, id_)


def watched_once(stage: Stage, *arguments: str) -> str:
    """All that a watch says until it sleeps for the first time."""
    command = [sys.executable, "-m", "provisioner", "apply", str(stage.root), "--watch"]
    approval = [] if "--plan" in arguments else ["--auto-approve"]
    with subprocess.Popen(
        [*command, *approval, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr
        output = ""
        while "Next run at" not in output:
            line = run.stderr.readline()
            assert line, output
            output += line
        run.send_signal(signal.SIGTERM)
        out, err = run.communicate(timeout=30)
    return output + out + err


def shorten(id_: str) -> None:
    """Another client shortens a cache's life to ten minutes."""
    url = f"{os.environ['GOOGLE_GEMINI_BASE_URL']}/v1beta/{id_}?updateMask=ttl"
    httpx.patch(url, json={"ttl": "600s"}, headers={"x-goog-api-key": KEY}).raise_for_status()


def lasts(stage: Stage, id_: str) -> bool:
    """Whether a cache has its hours again."""
    end = datetime.fromisoformat(stage.live()[id_]["expires_at"])
    return end > clock.now() + 11 * HOUR


@pytest.mark.parametrize(
    "arguments",
    [("--every", "30m"), ("--watch",), ("--watch", "--auto-approve", "--replace", "a")],
    ids=["every-alone", "asks-nobody", "replace"],
)
def test_wrong_usage(stage: Stage, arguments: tuple[str, ...]) -> None:
    """What would never end well is refused before anything is done."""
    stage.write(A, a=LONG)

    assert stage.run("apply", ".", *arguments).status == 64
    assert not stage.live()


def test_metrics_of_success_and_failure(stage: Stage) -> None:
    """A collector sees caches and rent, and after a failure when all was last well."""
    stage.write(A, a=LONG)
    file = stage.root / "ctxprov.prom"
    before = clock.now().timestamp()

    assert stage.apply("--metrics-file", str(file)).status == 0
    well = file.read_text()
    (stage.root / "a.md").unlink()
    assert stage.apply("--metrics-file", str(file)).status == 1
    ill = file.read_text()

    folder, last_success = str(stage.root), "ctxprov_last_success_timestamp_seconds"
    assert value_of(well, "ctxprov_caches", stack="demo") == 1
    assert value_of(well, "ctxprov_rent_usd_per_hour", stack="demo")
    success = value_of(well, last_success, folder=folder)
    assert success is not None
    assert success >= before
    assert value_of(ill, last_success, folder=folder) == success
    assert value_of(ill, "ctxprov_last_exit_status", folder=folder) == 1


def test_metrics_of_keepalive(stage: Stage) -> None:
    """A schedule tells the same, and lacks nothing but prices if their file cannot be read."""
    stage.write(A, a=LONG)
    stage.apply()
    file = stage.root / "ctxprov.prom"

    result = stage.run("keepalive", ".", "--metrics-file", str(file), "--models", "missing.json")
    assert result.status == 0
    left = value_of(file.read_text(), "ctxprov_cache_seconds_to_expiry", stack="demo", name="a")
    assert left is not None
    assert left > 0
