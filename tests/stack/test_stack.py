"""A program plans, applies and keeps alive what the commands do."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar, assert_type

import pytest
from msgspec.structs import replace

from provisioner import (
    ApplyResult,
    CacheHandle,
    GeminiHandle,
    KeepaliveResult,
    ManifestError,
    Stack,
    StackDrift,
    StackForecast,
    StackPlan,
)
from provisioner.cache import ClaudeHandle
from provisioner.runtime import SYSTEM
from provisioner.times import parse_moment
from tests.cli.cli_harness import GEMINI, LONG, Stage

A = f"a: {{{GEMINI}, content: a.md}}"
B = f"b: {{{GEMINI}, content: b.md}}"
NOTE = "n: {provider: claude, model: claude-sonnet-5-5, content: n.md}"
HOUR = timedelta(hours=1)

_Value = TypeVar("_Value")


def yes(_plan: StackPlan) -> bool:
    return True


def run(stage: Stage, use: Callable[[Stack], Awaitable[_Value]], **options: Any) -> _Value:  # noqa: ANN401  # as load takes them
    """Load the stage's stack, use it, close it; and nothing of it is left in the loop."""

    async def main() -> _Value:
        async with Stack.load(stage.root, **options) as stack:
            value = await use(stack)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return value

    return asyncio.run(main())


def test_its_types(stage: Stage) -> None:
    """Each operation returns a value of its own type, and nothing has to be cast."""
    stage.write(A, NOTE, a=LONG, n=LONG)

    async def use(stack: Stack) -> None:
        plan = assert_type(await stack.plan(), StackPlan)
        assert [row.name for row in plan.creations] == ["a"]
        result = assert_type(await stack.apply(approve=plan), ApplyResult)
        assert result.summary == "Applied: 2 done, 0 failed, 0 not attempted."
        assert {row.name: row.outcome for row in result.changes} == {"a": "done", "n": "done"}
        assert not any([result.has_failed, result.is_refused, result.errors, result.cold])
        assert result.serial == stage.state()["serial"]
        kept = assert_type(await stack.keepalive(), KeepaliveResult)
        assert kept.covered_until
        assert not any([kept.has_failed, kept.changes])
        drift = assert_type(await stack.drift(), StackDrift)
        assert drift.changes == ()
        assert drift.sentence == "No drift: the live side of demo is as recorded."
        forecast = assert_type(await stack.forecast(every=HOUR), StackForecast)
        assert forecast.cold == {}
        assert "A run every 1h keeps all caches warm." in forecast.sentence
        handle = assert_type(stack.handles.get("a"), CacheHandle | None)
        assert isinstance(handle, GeminiHandle)
        assert isinstance(await stack.handles.aget("n"), ClaudeHandle)

    run(stage, use)


def at(document: Any) -> datetime:  # noqa: ANN401  # JSON
    return parse_moment(document["at"])


def then(moment: datetime) -> Any:  # noqa: ANN401  # a runtime
    """A runtime whose clock stands at *moment*."""
    return replace(SYSTEM, now=lambda: moment)


@pytest.mark.parametrize("applied", [False, True])
@pytest.mark.parametrize("emulator", [False, True])
def test_the_plan_is_that_of_the_command(stage: Stage, *, applied: bool, emulator: bool) -> None:
    """Byte for byte, plan and drift are the documents that the commands print."""
    stage.write(A, B, NOTE, a=LONG, b=f"{LONG}b", n=LONG)
    more = ["--emulator"] if emulator else []
    if applied:
        assert stage.apply(*more).status == 0
        (stage.root / "a.md").write_text(LONG + "edited")
        if not emulator:
            stage.delete(stage.state()["caches"]["b"]["id"])
    plan = stage.run("plan", ".", "--json", *more)
    drift = stage.run("drift", ".", "--json", *more)

    async def use(stack: Stack) -> str:
        return (await stack.plan()).as_json()

    async def use_drift(stack: Stack) -> str:
        return (await stack.drift()).as_json()

    ours = run(stage, use, runtime=then(at(plan.json)), emulator=emulator)
    assert ours == plan.out
    ours = run(stage, use_drift, runtime=then(at(drift.json)), emulator=emulator)
    assert ours == drift.out


def test_the_result_is_that_of_the_command(stage: Stage) -> None:
    """An apply's and a keepalive's documents have the shape and the rows of the commands'."""
    stage.write(A, NOTE, a=LONG, n=LONG)

    async def use(stack: Stack) -> tuple[ApplyResult, KeepaliveResult]:
        return await stack.apply(approve=yes), await stack.keepalive()

    applied, kept = run(stage, use)
    stage.run("destroy", ".", "--auto-approve")
    command = stage.apply("--json")

    ours = json.loads(applied.as_json())
    assert ours.keys() == command.json.keys()
    assert ours["fingerprint"] == command.json["fingerprint"]
    assert ours["summary"] == command.json["summary"]
    assert [row.keys() for row in ours["results"]] == [
        row.keys() for row in command.json["results"]
    ]
    kept_command = stage.run("keepalive", ".", "--json").json
    assert json.loads(kept.as_json())["results"] == kept_command["results"] == []


def test_a_forecast_is_that_of_the_command(stage: Stage) -> None:
    """A forecast is the document that the command prints."""
    stage.write(A, a=LONG)
    command = stage.run("forecast", ".", "--every", "5h", "--miss-rate", "20%", "--json")

    async def use(stack: Stack) -> str:
        return (await stack.forecast(every=5 * HOUR, miss_rate=0.2)).as_json()

    assert run(stage, use) == command.out


def test_a_manifest_that_is_wrong(stage: Stage) -> None:
    """Loading a stack raises one error with every problem of its manifest, each with its place."""
    stage.write("a: {provider: gemini, contents: a.md}", "b: {provider: gemni}")

    with pytest.raises(ManifestError) as wrong:
        Stack.load(stage.root)

    assert len(wrong.value.problems) >= 2
    assert all(problem.file.endswith("ctxprov.yaml") for problem in wrong.value.problems)


def test_warnings_are_values(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """What a command warns of is logged, and is a value of the result with its place."""
    stage.write(A, a="short")

    async def use(stack: Stack) -> StackPlan:
        return await stack.plan()

    with caplog.at_level(logging.WARNING, "provisioner"):
        plan = run(stage, use)

    (warning,) = plan.warnings
    assert warning.problem
    assert warning.problem.where == "caches.a.content"
    assert str(warning).startswith(f"{stage.root}/ctxprov.yaml:")
    assert [record.name for record in caplog.records] == ["provisioner.stack"]
    assert caplog.records[0].getMessage() == str(warning)


def test_no_environment_is_read_where_one_is_given(stage: Stage) -> None:
    """With environ given, nothing of the process's environment counts; without, all does."""
    stage.write(A, a=LONG)
    elsewhere = stage.root / "elsewhere"
    environ = {**os.environ, "CTXPROV_STATE": str(elsewhere)}

    async def apply(stack: Stack) -> ApplyResult:
        return await stack.apply(approve=yes)

    assert run(stage, apply, environ=environ).summary.startswith("Applied: 1 done")
    assert (elsewhere / "demo.json").exists()
    assert not stage.state_file.exists()
    with pytest.raises(Exception, match="GEMINI_API_KEY"):
        run(stage, apply, environ={}, state=str(elsewhere))
