"""A cancelled operation leaves what SIGINT leaves of a command, in whichever phase it is."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import Response

from provisioner import ApplyResult, Stack, StackPlan
from provisioner.emulator import CarryOut
from provisioner.emulator.calls import Call
from tests.cli.cli_harness import GEMINI, LONG, Stage, staged
from tests.cli.test_process import MANY, applying, command
from tests.cli.test_process import Gate as CreateGate
from tests.stack.test_stack import yes

if sys.platform == "win32":
    pytest.skip("signals are not sent there", allow_module_level=True)

HEAVY = pytest.mark.heavy
THREE = [f"{name}: {{{GEMINI}, content: {name}.md}}" for name in "abc"]


class Gate:
    """Holds back the calls of one kind until it is opened, and reports when one arrives."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.knocked = threading.Event()
        self.opened = threading.Event()

    async def __call__(self, call: Call, carry_out: CarryOut) -> Response:
        if call.operation == self.operation:
            self.knocked.set()
            await asyncio.to_thread(self.opened.wait, 30)
        return await carry_out()


def remains(stage: Stage) -> dict[str, Any]:
    """What a run left: on record, published, alive, requested; and whether the lock is free."""
    state = stage.state() if stage.state_file.exists() else {"caches": {}, "retiring": {}}
    requests = {verb: stage.emulator.requests[verb] for verb in ("create", "patch", "delete")}
    alive = len(stage.live())
    published = sorted(stage.handles()) if (stage.root / "handles.json").exists() else []
    assert stage.run("keepalive", ".").status in {0, 1}  # it takes the lock at once
    return {
        "recorded": sorted(state["caches"]),
        "retiring": len(state["retiring"]),
        "published": published,
        "alive": alive,
        **requests,
    }


def interrupted(stage: Stage, gate: Gate, *, signals: int) -> None:
    """A command gets SIGINT while the gate holds a call back."""
    arguments = command("apply", stage.root, "--auto-approve", "--parallelism", "1")
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert gate.knocked.wait(30)
        run.send_signal(signal.SIGINT)
        if gate.operation != "list":
            assert run.stderr
            while b"Interrupted" not in (line := run.stderr.readline()):
                assert line
        if signals > 1:
            run.send_signal(signal.SIGINT)
            run.wait(30)
        gate.opened.set()
        run.communicate(timeout=30)
    assert run.returncode == 130


PROGRAM = """
import asyncio, logging, sys
from provisioner import Stack

async def main():
    async with Stack.load(sys.argv[1], parallelism=1) as stack:
        await stack.apply(approve=lambda plan: True)

logging.basicConfig(level=logging.INFO)
asyncio.run(main())
"""


def stopped(stage: Stage, gate: Gate, *, signals: int) -> None:
    """A program of asyncio gets SIGINT while the gate holds a call back."""
    arguments = [sys.executable, "-c", PROGRAM, str(stage.root)]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        assert gate.knocked.wait(30)
        run.send_signal(signal.SIGINT)
        if gate.operation != "list":
            assert run.stderr
            while b"finishing the calls in flight" not in (line := run.stderr.readline()):
                assert line
        if signals > 1:
            run.send_signal(signal.SIGINT)
            run.wait(30)
        gate.opened.set()
        _, errors = run.communicate(timeout=30)
    assert errors.endswith(b"KeyboardInterrupt\n")


def cancelled(stage: Stage, gate: Gate, *, signals: int) -> None:
    """The task that awaits an apply is cancelled while the gate holds a call back."""

    async def main() -> None:
        async with Stack.load(stage.root, parallelism=1) as stack:
            task = asyncio.create_task(stack.apply(approve=yes))
            await asyncio.to_thread(gate.knocked.wait, 30)
            task.cancel()
            await asyncio.sleep(0.01)
            if signals > 1:
                assert not task.done()
                task.cancel()
                await asyncio.wait([task])
            gate.opened.set()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("operation", "is_applied", "signals"),
    [
        pytest.param("list", False, 1, id="while what is alive is listed", marks=HEAVY),
        pytest.param("create", False, 1, id="in the middle of creates", marks=HEAVY),
        pytest.param("create", True, 1, id="before the old cache is retired"),
        pytest.param("patch", True, 1, id="while the old cache is retired", marks=HEAVY),
        pytest.param("create", False, 2, id="twice, in the middle of creates"),
    ],
)
def test_as_a_signal(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    is_applied: bool,  # noqa: FBT001  # of a parameter
    signals: int,
) -> None:
    """State, handles, live caches and requests are those that SIGINT leaves of the command."""
    left = []
    ends: list[Callable[..., None]] = [interrupted, cancelled, stopped]
    for end in ends:
        root = tmp_path / end.__name__
        root.mkdir()
        with staged(root, capsys, monkeypatch) as stage:
            stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")
            if is_applied:
                assert stage.apply().status == 0
                (root / "a.md").write_text(f"{LONG}edited")
                (root / "b.md").write_text(f"{LONG}edited too")
            stage.around = gate = Gate(operation)
            end(stage, gate, signals=signals)
            stage.around = None
            left.append(remains(stage))
            assert stage.apply().status == 0
            assert len(stage.state()["caches"]) == 3
            assert stage.count("create") == (5 if is_applied else 3)

    assert left == [left[0]] * 3


@HEAVY
def test_while_a_lock_is_waited_for(stage: Stage) -> None:
    """A cancel ends the wait for another run at once, and that run goes on."""
    stage.write(*MANY, a=LONG)
    gate = CreateGate()

    async def main() -> None:
        async with Stack.load(stage.root, lock_timeout=timedelta(minutes=5)) as stack:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.5):
                    await stack.apply(approve=yes)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with applying(stage, gate) as other:
        asyncio.run(main())
        gate.opened.set()
        other.communicate(timeout=30)
        assert other.returncode == 0
    assert len(stage.live()) == 20


def test_a_timeout(stage: Stage) -> None:
    """A timeout around an apply lets the calls in flight end, and becomes TimeoutError."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")
    stage.around = gate = Gate("create")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Stack.load(stage.root, parallelism=1) as stack:
            timeout = asyncio.timeout(None)

            async def expire() -> None:
                await asyncio.to_thread(gate.knocked.wait, 30)
                timeout.reschedule(loop.time())
                await asyncio.sleep(0.01)
                gate.opened.set()

            expiring = asyncio.create_task(expire())
            with pytest.raises(TimeoutError):
                async with timeout:
                    await stack.apply(approve=yes)
            await expiring

    asyncio.run(main())

    assert list(stage.state()["caches"]) == ["a"]
    assert len(stage.live()) == 1


OPERATIONS: list[Callable[[Stack], Awaitable[object]]] = [
    lambda stack: stack.plan(),
    lambda stack: stack.drift(),
    lambda stack: stack.keepalive(),
]


@pytest.mark.parametrize("operate", OPERATIONS, ids=["plan", "drift", "keepalive"])
def test_before_anything_is_changed(
    stage: Stage, operate: Callable[[Stack], Awaitable[object]]
) -> None:
    """While a project is listed, a cancel ends each operation at once, and leaves no task."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")
    assert stage.apply().status == 0
    stage.around = gate = Gate("list")

    async def main() -> None:
        async with Stack.load(stage.root) as stack:
            task = asyncio.ensure_future(operate(stack))
            await asyncio.to_thread(gate.knocked.wait, 30)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not gate.opened.is_set()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    try:
        asyncio.run(main())
    finally:
        gate.opened.set()
    stage.around = None
    assert stage.apply().status == 0


def test_a_forecast(stage: Stage) -> None:
    """A cancelled forecast leaves no thread at work, for which the end of a loop would wait."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")

    async def main() -> None:
        async with Stack.load(stage.root) as stack:
            minutes = timedelta(minutes=1)
            task = asyncio.create_task(stack.forecast(every=minutes, span=timedelta(days=3650)))
            await asyncio.sleep(0.1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.shutdown_default_executor(), 10)

    asyncio.run(main())


def test_while_an_approval_is_awaited(stage: Stage) -> None:
    """A cancel ends the wait for an answer at once; nothing is changed, and the lock is free."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")

    async def main() -> None:
        asked = asyncio.Event()

        async def approve(_plan: StackPlan) -> bool:
            asked.set()
            await asyncio.sleep(3600)
            return True

        async with Stack.load(stage.root) as stack:
            task = asyncio.create_task(stack.apply(approve=approve))
            await asked.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await stack.apply(approve=yes)).summary.startswith("Applied: 3 done")

    asyncio.run(main())


def test_closing_from_an_approval(stage: Stage) -> None:
    """A function that closes the stack it is asked by ends the apply, which changes nothing."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")

    async def main() -> None:
        stack = Stack.load(stage.root)

        async def approve(_plan: StackPlan) -> bool:
            await stack.aclose()
            await asyncio.sleep(30)
            return True

        with pytest.raises(asyncio.CancelledError):
            await stack.apply(approve=approve)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert stage.live() == {}


def test_closing_is_cancelled(stage: Stage) -> None:
    """A cancel of the close is a second request: calls in flight end, what is known is saved."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")
    stage.around = gate = Gate("create")

    async def main() -> None:
        stack = Stack.load(stage.root, parallelism=1)
        task = asyncio.create_task(stack.apply(approve=yes))
        await asyncio.to_thread(gate.knocked.wait, 30)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await stack.aclose()
        assert not gate.opened.is_set()
        assert task.done()
        gate.opened.set()
        assert not (await task).done

    asyncio.run(main())
    stage.around = None
    assert stage.apply().status == 0
    assert stage.count("create") == 3


def test_closing_in_another_loop(stage: Stage) -> None:
    """A loop that runs nothing of a stack does not wait for another's, and says where to close."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")
    stack = Stack.load(stage.root)

    async def main() -> None:
        async def approve(_plan: StackPlan) -> bool:
            with pytest.raises(ValueError, match="close the stack in that loop"):
                await asyncio.to_thread(asyncio.run, stack.aclose())
            return True

        assert len((await stack.apply(approve=approve)).done) == 3
        await stack.aclose()

    asyncio.run(main())


def test_closing(stage: Stage) -> None:
    """Closing a stack ends what runs as one cancel does; no operation begins afterwards."""
    stage.write(*THREE, a=f"{LONG}a", b=f"{LONG}b", c=f"{LONG}c")
    stage.around = gate = Gate("create")

    async def main() -> ApplyResult:
        stack = Stack.load(stage.root, parallelism=1)
        task = asyncio.create_task(stack.apply(approve=yes))
        await asyncio.to_thread(gate.knocked.wait, 30)
        closing = asyncio.create_task(stack.aclose())
        await asyncio.sleep(0.01)
        gate.opened.set()
        await closing
        with pytest.raises(ValueError, match="is closed"):
            await stack.plan()
        return await task

    result = asyncio.run(main())

    assert [row.outcome for row in result.changes] == ["done", "not_attempted", "not_attempted"]
    assert result.has_failed
