"""A run whose answers were lost looks once more for its own twins, and for nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
RETIRED = timedelta(hours=1)


class Late:
    """A server that loses the first create, and finishes it after the second."""

    def __init__(self) -> None:
        self.unfinished: CarryOut | None = None
        self.is_done = False

    async def __call__(self, call: Call, carry_out: CarryOut) -> Response:
        if call.operation != "create" or self.is_done:
            return await carry_out()
        if self.unfinished is None:
            self.unfinished = carry_out
            return Response(status_code=503)
        answer = await carry_out()
        await self.unfinished()
        self.is_done = True
        return answer


@pytest.mark.heavy
def test_a_twin_of_its_own(stage: Stage) -> None:
    """The second cache of one create is cut short, recorded as retiring, and no stray."""
    stage.write(A, a=LONG)
    stage.around = Late()

    assert stage.apply().status == 0

    kept = stage.state()["caches"]["a"]["id"]
    (twin,) = stage.state()["retiring"]
    assert {kept, twin} == set(stage.live())
    assert stage.handles()["a"]["handle"]["cache_name"] == kept
    assert stage.count("delete") == 0
    assert stage.count("patch") == 1
    assert [c["reason"] for c in stage.plan()["changes"]] == ["current", "retiring"]
    stage.ahead = RETIRED + timedelta(minutes=1)
    assert set(stage.live()) == {kept}


@pytest.mark.heavy
@pytest.mark.parametrize("ttl", ["0s", "30s"])
def test_never_deleted(stage: Stage, ttl: str) -> None:
    """Where an entry retires at once, its twin still lives for a minute."""
    stage.write(f"a: {{{GEMINI}, content: a.md, retire_after: {ttl}}}", a=LONG)
    stage.around = Late()

    assert stage.apply().status == 0

    assert stage.count("delete") == 0
    assert len(stage.live()) == 2
    stage.ahead = timedelta(seconds=65)
    assert set(stage.live()) == {stage.state()["caches"]["a"]["id"]}


def test_no_answer_was_lost(stage: Stage) -> None:
    """A run that heard every answer lists once and no more."""
    stage.write(A, a=LONG)

    stage.apply()

    assert stage.count("list") == 1
