"""A program plans, applies and keeps alive what the commands do."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, assert_type, cast

import pytest
from msgspec.structs import replace
from starlette.responses import Response

from provisioner import (
    ApplyResult,
    CacheHandle,
    GeminiHandle,
    KeepaliveResult,
    ManifestError,
    Refused,
    Stack,
    StackDrift,
    StackForecast,
    StackPlan,
    StateLocked,
)
from provisioner.cache import ClaudeHandle
from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from provisioner.runtime import SYSTEM
from provisioner.times import parse_moment
from tests.cli.cli_harness import GEMINI, LONG, Stage, write_stacks

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


def then(moment: datetime) -> Any:  # noqa: ANN401  # a runtime
    """A runtime whose clocks stand, the wall clock at *moment*."""
    return replace(SYSTEM, now=lambda: moment, boot_seconds=lambda: 0.0)


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

    for document, plans in ((plan, use), (drift, use_drift)):
        moment = parse_moment(document.json["at"])
        stage.clock = lambda: moment  # noqa: B023  # nothing is asked afterwards
        assert run(stage, plans, runtime=then(moment), emulator=emulator) == document.out


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


def test_several_stacks(stage: Stage) -> None:
    """Several stacks run in one event loop at once, and each has its own result."""
    names = [f"s{number}" for number in range(4)]
    write_stacks(stage, *names)

    async def main() -> list[ApplyResult]:
        stacks = [Stack.load(stage.root / "stacks" / name) for name in names]
        plans = await asyncio.gather(*(stack.plan() for stack in stacks))
        assert [plan.stack for plan in plans] == names
        results = await asyncio.gather(
            *(stack.apply(approve=plan) for stack, plan in zip(stacks, plans, strict=True))
        )
        await asyncio.gather(*(stack.aclose() for stack in stacks))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return results

    assert [result.document.stack for result in asyncio.run(main())] == names
    assert len(stage.live()) == 4


def test_two_runs_of_one_stack(stage: Stage) -> None:
    """One run of a stack holds its state: another raises StateLocked, or waits as long as asked."""
    stage.write(A, a=LONG)
    runs = (Stack.load(stage.root), Stack.load(stage.root, lock_timeout=timedelta(seconds=30)))

    async def first(plan: StackPlan) -> bool:
        with pytest.raises(StateLocked, match="is locked"):
            await runs[0].apply(approve=plan)
        return True

    async def main() -> tuple[ApplyResult, KeepaliveResult]:
        apply = asyncio.create_task(runs[0].apply(approve=first))
        return await apply, await runs[1].keepalive()

    applied, kept = asyncio.run(main())
    assert len(applied.done) == 1
    assert kept.summary == "Applied: 0 done, 0 failed, 0 not attempted."


def test_no_signal_handler(stage: Stage) -> None:
    """An operation leaves the program's signal handlers as they are while it runs."""
    stage.write(A, a=LONG)
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]

    async def use(stack: Stack) -> None:
        during = []

        async def look(_: Call, carry_out: CarryOut) -> Response:
            during.append([signal.getsignal(number) for number in numbers][1:])
            return await carry_out()

        stage.around = look
        await stack.apply(approve=yes)
        assert during
        assert all(handlers == before[1:] for handlers in during)

    run(stage, use)
    assert [signal.getsignal(number) for number in numbers] == before


PROGRAM = """
import asyncio
import sys
from provisioner import Stack

async def main():
    async with Stack.load(sys.argv[1]) as stack:
        await stack.plan()
        await stack.apply(approve=lambda plan: True)
        await stack.keepalive()
        await stack.drift()
        await stack.forecast()
        stack.handles.get("a")

asyncio.run(main(), debug=False)
"""


def test_silence(stage: Stage) -> None:
    """A program that configures no log sees no line of ours, and no warning of Python's."""
    stage.write(A, NOTE, a="short", n=LONG)
    stage.around = None

    done = subprocess.run(
        [sys.executable, "-W", "error", "-X", "dev", "-c", PROGRAM, str(stage.root)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"environment": ""}, "environment is empty"),
        ({"state": ""}, "state is empty"),
        ({"models": ""}, "models is empty"),
        ({"max_caches": 0}, "max_caches is 0: give a number from 1 on"),
        ({"parallelism": 0}, "parallelism is 0: give a number from 1 to 64"),
        ({"lock_timeout": timedelta(-1)}, "lock_timeout is -1 day, 0:00:00: give a timedelta from"),
        ({"max_wait": timedelta.max}, "to 3650d"),
    ],
)
def test_wrong_values(stage: Stage, options: dict[str, Any], sentence: str) -> None:
    """A wrong value is a ValueError that names the argument, where it is given."""
    stage.write(A, a=LONG)

    with pytest.raises(ValueError, match=sentence):
        Stack.load(stage.root, **options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lock_timeout": 60}, r"timedelta\(seconds=60\)\?"),
        ({"max_wait": "2m"}, "max_wait is a timedelta; got str"),
        ({"parallelism": "4"}, "parallelism is an int; got str"),
        ({"emulator": "false"}, "emulator is a bool; got str"),
        ({"models": 3}, "models is a str or a Path; got int"),
        ({"models": b"m.json"}, "models is a str or a Path; got bytes"),
        ({"environ": {"CI": 1}}, "environ maps names of variables to str; it has 'CI' to int"),
        ({"state": Path("state")}, "state is a str"),
    ],
)
def test_wrong_types(stage: Stage, options: dict[str, Any], sentence: str) -> None:
    """An argument of the wrong type is a TypeError that says what was meant."""
    stage.write(A, a=LONG)

    with pytest.raises(TypeError, match=sentence):
        Stack.load(stage.root, **options)


WRONG: list[tuple[Callable[[Stack], Awaitable[object]], type[Exception], str]] = [
    (lambda stack: stack.plan(replace="a"), TypeError, "replace is a sequence; got str"),
    (lambda stack: stack.plan(replace=["x"]), ValueError, "no such cache in this stack: x"),
    (lambda stack: stack.plan(targets=["x"]), ValueError, "nothing in the plan matches x"),
    (lambda stack: stack.plan(overrides=["x"]), ValueError, "the limits are delete, replace"),
    (lambda stack: stack.plan(base="HEAD", prune=True), ValueError, "asks no provider"),
    (lambda stack: stack.plan(base=""), ValueError, "base is empty"),
    (lambda stack: stack.plan(prune=cast("Any", "no")), TypeError, "prune is a bool; got str"),
    (lambda stack: stack.plan(targets=cast("Any", [3])), TypeError, "each of targets is a str"),
    (lambda stack: stack.plan(at=cast("Any", "2027-01-01")), TypeError, "at is an aware datetime"),
    (lambda stack: stack.plan(at=timedelta.max), ValueError, "at most 3650d ahead"),
    (lambda stack: stack.drift(accept_scope=cast("Any", 1)), TypeError, "accept_scope is a bool"),
    (lambda stack: stack.plan(at=datetime(2027, 1, 1)), ValueError, "without a zone"),  # noqa: DTZ001
    (lambda stack: stack.apply(), TypeError, "needs approve="),
    (lambda stack: stack.apply(approve="a" * 64, prune=True), ValueError, "by a function"),
    (lambda stack: stack.forecast(every=timedelta(seconds=1)), ValueError, "from 1m to 3650d"),
    (lambda stack: stack.forecast(span=timedelta(-1)), ValueError, "span is -1 day"),
    (lambda stack: stack.forecast(miss_rate=cast("Any", "5%")), TypeError, "miss_rate is a float"),
    (lambda stack: stack.forecast(miss_rate=20), ValueError, "a probability from 0 to 1"),
]


@pytest.mark.parametrize(("use", "kind", "sentence"), WRONG, ids=[row[2] for row in WRONG])
def test_wrong_arguments(
    stage: Stage, use: Callable[[Stack], Awaitable[object]], kind: type[Exception], sentence: str
) -> None:
    """A wrong argument of an operation is a TypeError or a ValueError, and nothing is changed."""
    stage.write(A, a=LONG)

    with pytest.raises(kind, match=sentence):
        run(stage, use)
    assert stage.count("create") == 0


def test_values_travel(stage: Stage) -> None:
    """Each value goes to another process and comes back equal; its repr is one short line."""
    stage.write(A, NOTE, a=LONG, n=LONG)

    async def use(stack: Stack) -> list[object]:
        plan = await stack.plan()
        result = await stack.apply(approve=plan)
        stage.delete(stage.state()["caches"]["a"]["id"])
        drift = await stack.drift()
        return [plan, result, drift, await stack.keepalive(), await stack.forecast()]

    values = run(stage, use)

    assert pickle.loads(pickle.dumps(values)) == values  # noqa: S301  # our own
    assert repr(values[2]) == "<StackDrift demo: a>"
    assert all(len(repr(value)) < 160 for value in values)


def test_no_key_is_shown(stage: Stage) -> None:
    """Neither a stack nor anything that it is made of shows a key."""
    stage.write(A, a=LONG)
    stack = Stack.load(stage.root, environ={"GEMINI_API_KEY": "AIza-secret"})

    assert "AIza" not in f"{stack!r} {vars(stack)!r}"


OPERATIONS: list[Callable[[Stack], Awaitable[object]]] = [
    lambda stack: stack.plan(allow_empty=True),
    lambda stack: stack.apply(approve=yes, allow_empty=True),
    lambda stack: stack.keepalive(),
    lambda stack: stack.drift(),
]


@pytest.mark.parametrize("operate", OPERATIONS, ids=["plan", "apply", "keepalive", "drift"])
def test_a_stack_that_is_another_by_now(
    stage: Stage, operate: Callable[[Stack], Awaitable[object]]
) -> None:
    """A manifest that names another stack by now is refused, and nothing is changed."""
    stage.write(A, a=LONG)

    async def use(stack: Stack) -> None:
        stage.write(A, head="version: 1\nstack: other\n")
        with pytest.raises(Refused, match="is of the stack other now: it was loaded as demo"):
            await operate(stack)

    run(stage, use)
    assert stage.live() == {}
    assert not stage.state_file.exists()
