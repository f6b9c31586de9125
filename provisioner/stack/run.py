"""
One operation inside of a caller's event loop: how it is cancelled, and where its lines go.

To cancel a task that awaits an operation is to ask that operation to stop, as SIGINT asks a
command.  While a run changes caches, the first request lets it finish the calls in flight, record
and save; a second one cancels these calls, and it saves what it knows.  At any other moment the
first request cancels at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from provisioner.errors import Problem
from provisioner.escape import plain
from provisioner.operations.session import Console
from provisioner.stack.results import StackWarning
from provisioner.storage import OnWait

if TYPE_CHECKING:
    from provisioner.storage.lock_owner import LockOwner

LOG = logging.getLogger("provisioner.stack")
logging.getLogger("provisioner").addHandler(logging.NullHandler())

Returned = TypeVar("Returned")


class StopRequest:
    """The wish to stop one operation, which the task that awaits it passes on."""

    def __init__(self) -> None:
        self._on_first: Callable[[], None] | None = None

    @contextmanager
    def listen(self, on_first: Callable[[], None]) -> Iterator[Callable[[], bool]]:
        """As `Listen`: the first request calls *on_first*, for as long as the block lasts."""
        heard: list[bool] = []

        def note() -> None:
            heard.append(True)
            self._on_first = None
            LOG.info("cancelled: finishing the calls in flight")
            on_first()

        self._on_first = note
        try:
            yield lambda: bool(heard)
        finally:
            self._on_first = None

    def pass_on(self, task: asyncio.Task[Any]) -> None:
        """Ask *task* to stop, or cancel it if it listens no more, or not yet."""
        if self._on_first is None:
            task.cancel()
        else:
            self._on_first()


async def run_operation(
    operation: Coroutine[Any, Any, Returned],
    stop: StopRequest,
    running: dict[asyncio.Task[Any], StopRequest],
) -> Returned:
    """
    Await *operation* in a task of its own, which is in *running* meanwhile.

    A cancelled caller waits until the operation has ended.  CancelledError is raised then, or the
    error that kept the operation from saving what it knows.
    """
    task = asyncio.create_task(operation)
    running[task] = stop
    task.add_done_callback(running.pop)
    cancelled = await _end_of({task: stop})
    if cancelled is None:
        return task.result()
    if not task.cancelled() and (failure := task.exception()):
        raise failure
    raise cancelled


async def end_operations(running: Mapping[asyncio.Task[Any], StopRequest]) -> None:
    """
    Ask what is *running* to stop, and wait for its end; a cancel meanwhile asks once more.

    An operation that closes its own stack ends after this call.  Raises ValueError, having asked
    none, if one belongs to another event loop, whose thread alone may cancel it.
    """
    here = asyncio.get_running_loop()
    pending = {task: stop for task, stop in running.items() if not task.get_loop().is_closed()}
    if any(task.get_loop() is not here for task in pending):
        raise ValueError("operations run in another event loop: close the stack in that loop.")
    for task, stop in pending.items():
        stop.pass_on(task)
    if own := asyncio.current_task():
        pending.pop(own, None)
    if cancelled := await _end_of(pending):
        raise cancelled


async def _end_of(
    running: Mapping[asyncio.Task[Any], StopRequest],
) -> asyncio.CancelledError | None:
    """Wait until all of *running* has ended, pass each cancel on, and return the first one."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in running if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = cancelled or error
            for task in pending:
                running[task].pass_on(task)
    return cancelled


class StackConsole:
    """The console of one operation: lines go to the log, and warnings are kept as values too."""

    def __init__(self) -> None:
        self._warnings: list[StackWarning] = []
        self.confirm: Callable[[], Awaitable[bool]] = _decline
        """Answers the question whether to perform the plan that was shown."""

    @property
    def warnings(self) -> tuple[StackWarning, ...]:
        return tuple(dict.fromkeys(self._warnings))

    def warn(self, warning: str) -> None:
        self._warnings.append(StackWarning(warning))
        LOG.warning("%s", plain(warning))

    def advise(self, problems: Sequence[Problem]) -> None:
        for problem in problems:
            self._warnings.append(StackWarning(problem.sentence, problem))
            LOG.warning("%s", plain(str(problem)))

    def inform(self, line: str) -> None:
        LOG.info("%s", plain(line))

    def port(self) -> Console:
        """What an operation gets; `confirm` answers its question."""
        return Console(
            report=self.inform,
            note=self.inform,
            warn=self.warn,
            advise=self.advise,
            confirm=lambda _question: self.confirm(),
            is_interactive=lambda: True,
            waiting=self._waiting,
        )

    def _waiting(self) -> OnWait:
        """Logs a wait once, however long it lasts."""
        owners: list[LockOwner | None] = []

        def on_wait(owner: LockOwner | None, remaining: timedelta) -> None:
            if not owners:
                owners.append(owner)
                seconds = int(remaining.total_seconds())
                self.inform(f"waiting up to {seconds}s for {owner or 'another run'}")

        return on_wait


async def _decline() -> bool:
    return False
