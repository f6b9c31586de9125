"""
A stack as a program uses it: plan, apply, keepalive, drift, handles and forecast, from Python.

Decides what a program may leave out, and what stands in for it: the process's environment, this
machine's clock, no approval.  The steps are those of `operations`, which the commands take as well.
Nothing here installs a signal handler, prints, or ends the program.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from msgspec.structs import asdict

from provisioner.arguments import (
    check_bounded_span,
    check_environ,
    check_flag,
    check_given,
    check_moment,
    check_number,
    names_of,
    wrong_type,
)
from provisioner.catalog import load_catalog
from provisioner.environment import process_environment, set_in
from provisioner.handles.reader import Handles
from provisioner.http import AsyncTransport
from provisioner.model.stack_settings import Limit
from provisioner.operations.apply import apply_stack
from provisioner.operations.apply_manifest import RunRequest, apply_request
from provisioner.operations.checkout import commit_here
from provisioner.operations.drift import drift_of
from provisioner.operations.forecast import forecast_stack
from provisioner.operations.keepalive import KeepRequest, keep_alive
from provisioner.operations.load import prices_or_ours
from provisioner.operations.plan import PlanRequest, plan_stack
from provisioner.operations.session import Misuse, Session, StackOptions
from provisioner.runtime import SYSTEM, Runtime
from provisioner.stack.approve import Approve, approval_given
from provisioner.stack.results import (
    ApplyResult,
    KeepaliveResult,
    StackDrift,
    StackForecast,
    StackPlan,
)
from provisioner.stack.run import Returned, StackConsole, StopRequest, end_operations, run_operation
from provisioner.stack.run_record import RunRecord
from provisioner.stack.world import StackWorld
from provisioner.storage import OpenBackend, open_backend
from provisioner.times import HORIZON, duration_text
from provisioner.view.plan import Presentation

_MOST_AT_ONCE = 64
_SHORTEST_STEP = timedelta(minutes=1)


class Stack:
    """
    One stack: the caches of one manifest, in one of its environments if it has any.

    Made by `Stack.load`.  Each operation reads manifest and content again, opens connections of
    its own and closes them at its end.  Several may run in one event loop, and a stack may be used
    in one loop after another.  Raises nothing but CtxprovError, whose kinds `provisioner.errors`
    lists, and TypeError and ValueError for wrong arguments.  Messages name the options of the
    command; an argument has the name of its option.

    Cancelling an operation leaves what SIGINT leaves of a command: it begins nothing new, finishes
    the calls in flight, records, saves and releases the lock, and raises CancelledError then.  A
    second cancel ends the calls in flight, and saves what is known.
    """

    def __init__(self, world: StackWorld, name: str) -> None:
        self._world = world
        self._name = name
        self._running: dict[asyncio.Task[Any], StopRequest] = {}
        self._handles: Handles | None = None
        self._is_closed = False

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] = ".",
        *,
        environment: str | None = None,
        state: str | None = None,
        models: str | os.PathLike[str] | None = None,
        emulator: bool = False,
        environ: Mapping[str, str] | None = None,
        lock_timeout: timedelta | None = None,
        max_wait: timedelta = timedelta(minutes=15),
        parallelism: int = _MOST_AT_ONCE,
        max_caches: int = 1_000,
        transport: AsyncTransport | None = None,
        runtime: Runtime = SYSTEM,
        open_backend: OpenBackend = open_backend,
    ) -> Self:
        """
        Read and check the manifest at *path*, a folder or its `ctxprov.yaml`.

        What is left out is taken from *environ*: the environment of the manifest from CTXPROV_ENV,
        the address of the state from CTXPROV_STATE, the file of models and prices from
        CTXPROV_MODELS; keys are always taken from it.  *environ* is by default what the process's
        environment is now.  With *emulator* the caches are in an emulator of this program, with a
        state of their own, and no key is needed.

        A run waits *lock_timeout* for another one, by default not at all, and a minute where CI is
        set; it gives up when a quota lets nothing through for *max_wait*, and makes at most
        *parallelism* changes at a time.  The stack may have *max_caches*.  *transport* replaces
        connections to the provider; *runtime* and *open_backend* are for simulations.

        Raises ManifestError with every problem of the manifest; content is read later.
        """
        _check_path("path", path)
        if models is not None:
            _check_path("models", models)
        check_given("environment", environment)
        check_given("state", state)
        check_flag("emulator", emulator)
        if environ is not None:
            check_environ("environ", environ)
        if lock_timeout is not None:
            check_bounded_span("lock_timeout", lock_timeout)
        check_bounded_span("max_wait", max_wait)
        check_number("parallelism", parallelism, at_least=1, at_most=_MOST_AT_ONCE)
        check_number("max_caches", max_caches, at_least=1)
        variables = process_environment() if environ is None else set_in(environ)
        chosen = models or variables.get("CTXPROV_MODELS")
        if lock_timeout is None:
            lock_timeout = timedelta(minutes=1 if variables.get("CI") else 0)
        world = StackWorld(
            path=Path(path),
            options=StackOptions(
                environment=environment or variables.get("CTXPROV_ENV"),
                emulator=emulator,
                address=state or variables.get("CTXPROV_STATE"),
                models=Path(chosen) if chosen else None,
            ),
            environ=MappingProxyType(dict(variables)),
            lock_timeout=lock_timeout,
            max_wait=max_wait,
            parallelism=parallelism,
            max_caches=max_caches,
            transport=transport,
            runtime=runtime,
            open_backend=open_backend,
        )
        return cls(world, world.checked_name())

    def __repr__(self) -> str:
        return f"Stack({self._name!r}, path={str(self._world.path)!r})"

    @property
    def name(self) -> str:
        """STACK or STACK.ENVIRONMENT."""
        return self._name

    @property
    def handles(self) -> Handles:
        """
        The handles that this stack publishes, kept up to date.

        They are read from where its manifest publishes them when they are first asked for.

        Raises PublishError if its manifest publishes none.
        """
        if self._handles is None:
            self._handles = self._world.handles(self._name)
        return self._handles

    async def plan(
        self,
        *,
        base: str | None = None,
        at: datetime | timedelta | None = None,
        count_tokens: bool = False,
        prune: bool = False,
        replace: Sequence[str] = (),
        targets: Sequence[str] = (),
        excludes: Sequence[str] = (),
        overrides: Sequence[str] = (),
        allow_empty: bool = False,
        accept_scope: bool = False,
        accept_missing: bool = False,
    ) -> StackPlan:
        """
        Compare what is declared with what is recorded and live; change nothing, take no lock.

        With *base*, a git ref, compare with the merge base of that instead, without a provider.
        """
        _check_flags(count_tokens=count_tokens, prune=prune, allow_empty=allow_empty)
        check_given("base", base)
        if base is not None and (self._world.options.emulator or prune or replace):
            raise ValueError(
                "base= compares two revisions of the repository and asks no provider: leave out "
                "emulator=, prune= and replace=."
            )
        _check_future(at, self._world.runtime.now())
        request = PlanRequest(
            base=base,
            at=at,
            count_tokens=count_tokens,
            prune=prune,
            replace=names_of("replace", replace),
            allow_empty=allow_empty,
            targets=names_of("targets", targets),
            excludes=names_of("excludes", excludes),
            overrides=_limits(overrides),
        )

        async def operate(session: Session, console: StackConsole) -> StackPlan:
            planned = await plan_stack(session, request, self._world.path)
            for remark in planned.remarks:
                console.warn(remark)
            commit = partial(commit_here, session.ports, self._world.path)
            shown = Presentation(
                plan=planned.plan,
                prices=planned.prices,
                writes=planned.writes,
                commit=await session.ports.in_thread(commit) if planned.manifest else None,
                timeless=planned.timeless,
                breaches=planned.breaches,
            )
            return StackPlan(
                document=shown.whole,
                warnings=console.warnings,
                failures=planned.failures,
                is_refused=planned.is_refused,
            )

        return await self._run(operate, accept_scope=accept_scope, accept_missing=accept_missing)

    async def apply(
        self,
        *,
        approve: Approve | None = None,
        prune: bool = False,
        replace: Sequence[str] = (),
        targets: Sequence[str] = (),
        excludes: Sequence[str] = (),
        overrides: Sequence[str] = (),
        allow_empty: bool = False,
        allow_older: bool = False,
        accept_scope: bool = False,
        accept_missing: bool = False,
    ) -> ApplyResult:
        """
        Perform the edits that *approve* approves, and what time and drift ask for.

        *approve* is a plan that was reviewed (a StackPlan; the path, bytes or mapping of its JSON),
        its fingerprint or the text that `ctxprov approved` prints, or a function.  A function gets
        the StackPlan that is about to be performed and returns, or awaits, True or False; if
        other edits or deletions are planned by the time of the answer, it is asked again.  There is
        no blanket approval: True is a TypeError, and so is leaving it out.  Edits beyond the
        approval are left undone and named.

        Raises Refused if the function says no, and StateLocked if another run holds the state.
        """
        _check_flags(prune=prune, allow_empty=allow_empty, allow_older=allow_older)
        approval = approval_given(approve, stack=self._name)
        if prune and approval:
            raise ValueError(
                "prune= deletes what no plan lists for approval: approve it by a function."
            )
        request = RunRequest(
            expect=approval,
            replace=names_of("replace", replace),
            allow_empty=allow_empty,
            allow_older=allow_older,
            overrides=_limits(overrides),
            auto_approve=False,
            prune=prune,
            parallelism=self._world.parallelism,
            lock_timeout=self._world.lock_timeout,
            targets=names_of("targets", targets),
            excludes=names_of("excludes", excludes),
        )

        async def operate(session: Session, console: StackConsole) -> ApplyResult:
            ask = partial(apply_request, session, self._world.path, request)
            record = RunRecord(load_catalog(session.options.models).find, console)
            console.confirm = partial(record.is_approved, approve)
            applied = await apply_stack(session, await session.ports.in_thread(ask), record)
            return record.result(applied)

        return await self._run(operate, accept_scope=accept_scope, accept_missing=accept_missing)

    async def keepalive(
        self, *, accept_scope: bool = False, accept_missing: bool = False
    ) -> KeepaliveResult:
        """
        Keep alive what is recorded, and leave every edit to a review: for schedules.

        Refreshes what is about to expire, creates again what has expired if the working tree still
        has exactly its content, finishes retirements and publishes handles.
        """
        world = self._world
        request = KeepRequest(parallelism=world.parallelism, lock_timeout=world.lock_timeout)

        async def operate(session: Session, console: StackConsole) -> KeepaliveResult:
            record = RunRecord(prices_or_ours(session.options.models), console)
            kept = await keep_alive(session, self._world.path, request, record)
            fields = asdict(record.result(kept.applied))
            fields["has_failed"] = kept.has_failed
            fields["gaps"] = tuple(gap.name for gap in kept.gaps)
            return KeepaliveResult(**fields, covered_until=kept.covered_until, left=kept.lines)

        return await self._run(operate, accept_scope=accept_scope, accept_missing=accept_missing)

    async def drift(self, *, accept_scope: bool = False) -> StackDrift:
        """Compare what is recorded with what is live; change nothing."""

        async def operate(session: Session, console: StackConsole) -> StackDrift:
            drift = await drift_of(session, self._world.path)
            prices = load_catalog(session.options.models).find
            shown = Presentation(plan=drift.plan, prices=prices, writes=())
            return StackDrift(document=shown.whole, sentence=drift.calm, warnings=console.warnings)

        return await self._run(operate, accept_scope=accept_scope)

    async def forecast(
        self,
        *,
        span: timedelta = timedelta(days=7),
        every: timedelta = timedelta(minutes=30),
        miss_rate: float = 0.0,
    ) -> StackForecast:
        """
        Simulate what a schedule will do with the stack, without a request and without a key.

        For *span* from now, a run comes *every* so often and is missed with the probability
        *miss_rate*, from 0 to 1.
        """
        check_bounded_span("span", span)
        check_bounded_span("every", every, at_least=_SHORTEST_STEP)
        if isinstance(miss_rate, bool) or not isinstance(miss_rate, int | float):
            raise wrong_type("miss_rate", "a float", miss_rate)
        if not 0 <= miss_rate <= 1:
            raise ValueError(f"miss_rate is {miss_rate}: give a probability from 0 to 1.")

        async def operate(session: Session, console: StackConsole) -> StackForecast:
            future = await forecast_stack(
                session, self._world.path, span=span, every=every, miss_rate=miss_rate
            )
            return StackForecast(forecast=future, warnings=console.warnings)

        return await self._run(operate)

    async def aclose(self) -> None:
        """
        End what runs as a cancel does, and wait for it; no operation begins afterwards.

        Raises ValueError if something runs in another event loop: only that may end it.
        """
        self._is_closed = True
        await end_operations(self._running)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(
        self,
        operate: Callable[[Session, StackConsole], Coroutine[Any, Any, Returned]],
        *,
        accept_scope: bool = False,
        accept_missing: bool = False,
    ) -> Returned:
        """Open a session, operate, and close what it opened."""
        _check_flags(accept_scope=accept_scope, accept_missing=accept_missing)
        if self._is_closed:
            raise ValueError(f"{self!r} is closed: load it again.")
        console, stop = StackConsole(), StopRequest()

        async def operation() -> Returned:
            async with self._world.session(
                console,
                stop,
                name=self._name,
                accept_scope=accept_scope,
                accept_missing=accept_missing,
            ) as session:
                return await operate(session, console)

        try:
            return await run_operation(operation(), stop, self._running)
        except Misuse as error:
            raise ValueError(str(error)) from error


def _check_path(argument: str, path: object) -> None:
    """Raise TypeError or ValueError unless *path* is a path that is not empty."""
    if not isinstance(path, str | os.PathLike):
        raise wrong_type(argument, "a str or a Path", path)
    check_given(argument, os.fspath(path))


def _check_flags(**flags: object) -> None:
    for argument, flag in flags.items():
        check_flag(argument, flag)


def _check_future(at: datetime | timedelta | None, now: datetime) -> None:
    """Raise TypeError or ValueError unless *at* is absent, a span or an aware moment."""
    if at is None:
        return
    if not isinstance(at, timedelta):
        check_moment("at", at)
        if at.tzinfo is None:
            raise ValueError(f"at is {at}, without a zone: give an aware datetime.")
    if (at if isinstance(at, timedelta) else at - now) > HORIZON:
        raise ValueError(f"at is {at}: give a moment at most {duration_text(HORIZON)} ahead.")


def _limits(names: Sequence[str]) -> tuple[str, ...]:
    """Names of limits.  Raises ValueError for any other."""
    limits = names_of("overrides", names)
    if unknown := sorted(set(limits) - set(Limit)):
        raise ValueError(f"overrides has {', '.join(unknown)}: the limits are {', '.join(Limit)}.")
    return limits
