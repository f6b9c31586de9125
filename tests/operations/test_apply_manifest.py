"""`ctxprov apply` keeps alive what it may not, or cannot, change."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import datetime

import httpx
import pytest
from starlette.responses import JSONResponse, Response

from provisioner import runtime
from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.builders import HOUR
from tests.cli.cli_harness import GEMINI, HEAD, KEY, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"


@pytest.mark.heavy
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


@pytest.mark.heavy
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


@pytest.mark.heavy
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


@pytest.mark.heavy
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


@pytest.mark.heavy
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
    return end > runtime.SYSTEM.now() + 11 * HOUR


@pytest.mark.parametrize(
    "arguments",
    [("--every", "30m"), ("--watch",), ("--watch", "--auto-approve", "--replace", "a")],
    ids=["every-alone", "asks-no-one", "replace"],
)
def test_wrong_usage(stage: Stage, arguments: tuple[str, ...]) -> None:
    """What would never end well is refused before anything is done."""
    stage.write(A, a=LONG)

    assert stage.run("apply", ".", *arguments).status == 64
    assert not stage.live()
