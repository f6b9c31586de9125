"""Counted tokens: once, exactly, and remembered."""

from __future__ import annotations

import json

import pytest
from starlette.responses import Response

from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"


def tokens(stage: Stage, *arguments: str) -> tuple[int, bool]:
    after = stage.plan(*arguments)["changes"][0]["after"]
    return after["tokens"], after["tokens_estimated"]


def test_counted_once(stage: Stage) -> None:
    """A count replaces the estimate from then on, and the provider counts once."""
    stage.write(A, a=LONG)
    estimate, is_estimate = tokens(stage)
    assert is_estimate

    counted, is_estimate = tokens(stage, "--count-tokens")
    assert not is_estimate
    assert tokens(stage, "--count-tokens") == tokens(stage) == (counted, False)
    assert stage.count("countTokens") == 1
    assert abs(counted - estimate) < estimate / 10


def test_the_count_is_of_what_is_sent(stage: Stage) -> None:
    """What was counted is what the cache then holds."""
    stage.write(A, a=LONG)
    counted, _ = tokens(stage, "--count-tokens")
    stage.apply()

    assert stage.state()["caches"]["a"]["tokens"] == counted


def test_a_system_instruction_alone(stage: Stage) -> None:
    """A cache that holds nothing but a system instruction is counted like any other."""
    stage.write(f"a: {{{GEMINI}, system_instruction: a.md}}", a=LONG)
    counted, is_estimate = tokens(stage, "--count-tokens")
    stage.apply()

    assert not is_estimate
    assert stage.state()["caches"]["a"]["tokens"] == counted


def test_a_count_that_is_refused(stage: Stage) -> None:
    """The error for a count that the provider refuses names the cache."""
    gone = "{uri: 'https://generativelanguage.googleapis.com/v1beta/files/x', mime_type: a/b}"
    stage.write(A, f"b: {{{GEMINI}, keep: once, content: [{gone}]}}", a=LONG)
    result = stage.run("plan", ".", "--count-tokens")

    assert result.status == 1
    assert "Error: The tokens of b cannot be counted: " in result.err


@pytest.mark.parametrize("memory", ["", "[]", '{"x": "many"}', "\0"])
def test_a_memory_that_makes_no_sense(stage: Stage, memory: str) -> None:
    """A broken memory is an empty one."""
    stage.write(A, a=LONG)
    stage.apply()
    (stage.root / "state" / "demo.history").mkdir(exist_ok=True)
    (stage.root / "state" / "demo.history" / "tokens.json").write_text(memory)
    stage.write(A, a=LONG + "more")

    assert tokens(stage)[1]
    assert not tokens(stage, "--count-tokens")[1]


def test_an_implausible_count(stage: Stage) -> None:
    """A count under a tenth of the estimate is doubted, and not remembered."""

    async def answer(call: Call, carry_out: CarryOut) -> Response:
        if call.operation == "countTokens":
            return Response(json.dumps({"totalTokens": 1}), media_type="application/json")
        return await carry_out()

    stage.around = answer
    stage.write(A, a=LONG)
    result = stage.run("plan", ".", "--count-tokens")

    assert "the estimate stays" in result.err
    assert tokens(stage)[1]
