"""A quota that refuses: what a run does, how long, and what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
MANY = [f"n{i:02}: {{{GEMINI}, content: [a.md, {{text: '{i}'}}]}}" for i in range(12)]


def refusing(
    operation: str, *, retry_after: int, after: int = 0
) -> Callable[[Call, CarryOut], Awaitable[Response]]:
    """Refuse every call of an *operation* but the first few."""
    left = [*range(after)]

    async def around(call: Call, carry_out: CarryOut) -> Response:
        if call.operation != operation or left:
            if call.operation == operation:
                left.pop()
            return await carry_out()
        headers = {"retry-after": str(retry_after)}
        return Response('{"error": {"message": "slow down"}}', 429, headers=headers)

    return around


def test_creates_that_no_quota_lets_through(stage: Stage) -> None:
    """An apply gives up by minutes, not by tries, and tells of equal failures once."""
    stage.write(*MANY, a=LONG)
    stage.around = refusing("create", retry_after=3600, after=2)

    result = stage.apply("--max-wait", "5m")

    assert result.status == 1
    assert "2 done, 10 failed" in result.out
    text = " ".join(result.out.split())
    assert text.count("nothing got through for 5m") == 2  # as it happens, and at the end
    assert "10 caches" in result.out
    assert len(stage.live()) == 2
    stage.around = None
    assert stage.apply().status == 0
    assert len(stage.live()) == 12


def test_a_short_wait_is_waited(stage: Stage) -> None:
    """What a server asks for within all patience is waited, and nothing fails."""
    stage.write(A, a=LONG)
    calls = iter([refusing("create", retry_after=1)])

    async def once(call: Call, carry_out: CarryOut) -> Response:
        refuse = next(calls, None) if call.operation == "create" else None
        return await (refuse(call, carry_out) if refuse else carry_out())

    stage.around = once

    assert stage.apply().status == 0
    assert len(stage.live()) == 1


@pytest.mark.heavy
def test_what_comes_due_while_a_create_waits(stage: Stage) -> None:
    """A run that outlasts its plan lists again and refreshes before the create that waited."""
    stage.write(A, a=LONG)
    assert stage.apply().status == 0
    stage.ahead = timedelta(hours=8) - timedelta(seconds=5)
    stage.write(A, f"b: {{{GEMINI}, content: [a.md, {{text: b}}]}}", a=LONG)
    calls: list[str] = []

    async def waiting(call: Call, carry_out: CarryOut) -> Response:
        calls.append(str(call.operation))
        if calls.count("create") == 1 and call.operation == "create":
            headers = {"retry-after": "6"}
            return Response('{"error": {"message": "slow down"}}', 429, headers=headers)
        return await carry_out()

    stage.around = waiting

    assert stage.apply().status == 0
    assert calls.index("patch") < len(calls) - 1 - calls[::-1].index("create")
    assert set(stage.live()) == {record["id"] for record in stage.state()["caches"].values()}
