"""A cancelled caller asks its operation to stop, and waits until it has ended."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from provisioner.errors import Problem, StateError
from provisioner.stack.run import StackConsole, StopRequest, run_operation

NEVER = 3600


class Operation:
    """Waits, listens while it applies, and saves at its end."""

    def __init__(self, *, listens: bool = True, error: Exception | None = None) -> None:
        self.stop = StopRequest()
        self.steps: list[str] = []
        self._listens = listens
        self._error = error
        self.begun = asyncio.Event()
        self._flight = asyncio.Event()

    async def run(self) -> str:
        try:
            if not self._listens:
                self.begun.set()
                await asyncio.sleep(NEVER)
            with self.stop.listen(lambda: self.steps.append("asked")) as is_stopping:
                self.begun.set()
                try:
                    await self._flight.wait()
                    self.steps.append("finished")
                except asyncio.CancelledError:
                    self.steps.append("cut off")
                    assert is_stopping()
        finally:
            self.steps.append("saved")
        if self._error:
            raise self._error
        return "done"

    def land(self) -> None:
        """Let the calls in flight end."""
        self._flight.set()

    async def begin(self) -> asyncio.Task[str]:
        """A task that awaits the operation, which has begun."""
        task = asyncio.create_task(run_operation(self.run(), self.stop, {}))
        await self.begun.wait()
        return task


async def turns() -> None:
    """Let every callback run that is ready."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_undisturbed() -> None:
    """Without a cancel the value of the operation is returned."""

    async def main() -> None:
        operation = Operation()
        task = await operation.begin()
        operation.land()
        assert await task == "done"
        assert operation.steps == ["finished", "saved"]

    asyncio.run(main())


def test_one_cancel() -> None:
    """The first cancel asks; what is in flight ends before CancelledError is raised."""

    async def main() -> None:
        operation = Operation()
        task = await operation.begin()
        task.cancel()
        await turns()
        assert operation.steps == ["asked"]
        assert not task.done()
        operation.land()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert operation.steps == ["asked", "finished", "saved"]

    asyncio.run(main())


def test_two_cancels() -> None:
    """The second cancel cuts off what is in flight, and what is known is saved."""

    async def main() -> None:
        operation = Operation()
        task = await operation.begin()
        for _ in range(2):
            task.cancel()
            await turns()
        assert task.cancelled()
        assert operation.steps == ["asked", "cut off", "saved"]

    asyncio.run(main())


def test_before_it_listens() -> None:
    """While nothing is changed, the first cancel ends the operation at once."""

    async def main() -> None:
        operation = Operation(listens=False)
        task = await operation.begin()
        task.cancel()
        await turns()
        assert task.cancelled()
        assert operation.steps == ["saved"]

    asyncio.run(main())


def test_a_save_that_fails() -> None:
    """What keeps a cancelled operation from saving is raised: it names what is lost otherwise."""

    async def main() -> None:
        operation = Operation(error=StateError("not saved"))
        task = await operation.begin()
        task.cancel()
        operation.land()
        with pytest.raises(StateError, match="not saved"):
            await task

    asyncio.run(main())


def test_a_timeout() -> None:
    """`asyncio.timeout` around an operation raises TimeoutError once that has ended."""

    async def main() -> None:
        operation = Operation()
        asyncio.get_running_loop().call_later(0.02, operation.land)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await run_operation(operation.run(), operation.stop, {})
        assert operation.steps == ["asked", "finished", "saved"]
        task = asyncio.current_task()
        assert task
        assert not task.cancelling()

    asyncio.run(main())


def test_a_group() -> None:
    """A task group that fails stops its operations, and ends when they have ended."""

    async def main() -> None:
        operation = Operation()

        async def fail() -> None:
            await operation.begun.wait()
            asyncio.get_running_loop().call_soon(operation.land)
            raise ZeroDivisionError

        async def together() -> None:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(run_operation(operation.run(), operation.stop, {}))
                tasks.create_task(fail())

        with pytest.raises(ExceptionGroup) as group:
            await together()
        assert [type(error) for error in group.value.exceptions] == [ZeroDivisionError]
        assert operation.steps[-1] == "saved"

    asyncio.run(main())


def test_what_runs_is_listed() -> None:
    """An operation is listed with its request to stop for as long as it runs."""

    async def main() -> None:
        operation, running = Operation(), dict[asyncio.Task[Any], StopRequest]()
        task = asyncio.create_task(run_operation(operation.run(), operation.stop, running))
        await operation.begun.wait()
        assert list(running.values()) == [operation.stop]
        operation.land()
        await task
        assert running == {}

    asyncio.run(main())


def test_lines_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """Lines are logged, made harmless; warnings are values as well, each once, with a place."""
    console, problem = StackConsole(), Problem("ctxprov.yaml", 2, 1, "stack", "is odd")
    port = console.port()
    with caplog.at_level(logging.INFO, "provisioner.stack"):
        port.report("a\x1b[2J line")
        port.warn("slow")
        port.warn("slow")
        port.advise([problem])
        on_wait = port.waiting()
        on_wait(None, timedelta(seconds=60))
        on_wait(None, timedelta(seconds=59))

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "a\\x1b[2J line"),
        ("WARNING", "slow"),
        ("WARNING", "slow"),
        ("WARNING", "ctxprov.yaml:2:1: stack: is odd"),
        ("INFO", "waiting up to 60s for another run"),
    ]
    assert [(str(one), one.problem) for one in console.warnings] == [
        ("slow", None),
        ("ctxprov.yaml:2:1: stack: is odd", problem),
    ]


def test_no_answer_is_no() -> None:
    """A question that the caller does not answer is declined."""
    assert asyncio.run(_asked(StackConsole())) is False


async def _asked(console: StackConsole) -> bool:
    return await console.port().confirm("Apply these changes?")
