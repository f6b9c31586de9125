"""
Play a scenario: real operations on simulated machines, and everything that happens in a log.

Here the parts meet: steps become edits of checkouts and processes, faults become the fates of world
calls and levers of the models.  When the last step is over, faults end, damage that only a person
can repair is repaired, and each stack gets its clean runs.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from traceback import format_exception
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from provisioner.approval import Approval as ApprovedEdits
from provisioner.errors import CtxprovError
from provisioner.model.facts import Result
from provisioner.model.plan import Plan
from provisioner.operations.apply import Applied, apply_stack
from provisioner.operations.apply_manifest import RunRequest, apply_request, destroy_request
from provisioner.operations.clients import Clients
from provisioner.operations.decision import Decision
from provisioner.operations.drift import drift_of
from provisioner.operations.keepalive import KeepRequest, keep_alive
from provisioner.operations.plan import PlanRequest, plan_stack
from provisioner.operations.session import Console, Misuse, Session, StackOptions
from tests.simulate import log
from tests.simulate.checkouts import MODEL, Folder
from tests.simulate.fate import USUAL, Fate, Moment, Verb, WorldCall
from tests.simulate.log import Log
from tests.simulate.machine import ProviderTransport, World, console_of, ports_of
from tests.simulate.process import Clock, Machine, Process
from tests.simulate.provider import Provider
from tests.simulate.scenario import (
    DAY,
    HOUR,
    LEVERS,
    MINUTE,
    Approval,
    Edit,
    Fault,
    Kind,
    Operation,
    Phase,
    Run,
    Scenario,
    phase_of,
)
from tests.simulate.scheduler import Scheduler
from tests.simulate.stores import FileStore, StateServer, VersionedFiles

PROJECT = "gemini"
_LOCK_TIMEOUT = timedelta(minutes=5)
_PATIENCE = timedelta(minutes=15)
_PARALLELISM = 6
_STATES = "state"
_PUBLISHED = "published"
_SERVER = "states.test"
_OVERRUNS = 0.6
"""The share of lost creates that the provider finishes after the connection broke."""
_LEAST_OVERRUN = 0.6
"""Seconds."""
_OUTAGES = {Kind.PROVIDER_OUTAGE: (PROJECT,), Kind.STORE_OUTAGE: (_STATES, _PUBLISHED, _SERVER)}
_SPELLED = ("models/gemini-3.8-flash-001", "gemini-3.8-flash-001")
_NOT_OURS = ("", "a person's notes", "ctxprov:elsewhere/faq@0123456789abcdef~abcd")


_SavedApproval: TypeAlias = tuple[ApprovedEdits, dict[str, str | None]]
"""What a plan approves: its edits, and the texts that were declared then."""


class Played(Struct, kw_only=True):
    """What came of a scenario."""

    scenario: Scenario
    log: Log
    calls: int
    seconds: float
    """Virtual."""


def play(scenario: Scenario) -> Played:
    """Let everything happen that *scenario* holds, and then the clean runs."""
    folder = Path(mkdtemp(prefix="simulated-"))
    logger = logging.getLogger("provisioner")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        return _Simulation(scenario, folder).play()
    finally:
        logger.setLevel(level)
        rmtree(folder, ignore_errors=True)


class _Simulation:
    def __init__(self, scenario: Scenario, folder: Path) -> None:
        self.scenario = scenario
        self.log = Log()
        self.random = Random(f"world {scenario.seed}")  # noqa: S311
        self.fates = _Fates(self)
        self.scheduler = Scheduler(self.random, self.fates)
        self.provider = Provider(PROJECT, self.log, self.now, self.random)
        self.stores = {
            name: FileStore(name, self.log, self.now, self.random, is_etag=scenario.is_etag)
            for name in (_STATES, _PUBLISHED)
        }
        self.servers = {
            _SERVER: StateServer(
                _SERVER, self.log, self.now, self.random, is_gitlab=scenario.is_gitlab
            )
        }
        self.machines = {
            name: Machine(name, Clock(offset=runner.offset, drift=runner.drift))
            for name, runner in scenario.runners.items()
        }
        self.folders = {
            name: Folder(folder / name, checkout) for name, checkout in scenario.checkouts.items()
        }
        self.approvals: dict[str, _SavedApproval] = {}
        """By stack."""
        self.world = World(
            log=self.log,
            now=self.now,
            providers={PROJECT: self.provider},
            stores=self.stores,
            servers=self.servers,
        )
        self.processes: list[Process] = []
        self.torn: list[tuple[VersionedFiles, str]] = []
        """Files of which half was left."""
        self.is_braked = False
        self.latest = next(iter(self.folders))
        """The checkout that was edited last."""

    def now(self) -> float:
        return self.scheduler.now

    def play(self) -> Played:
        for step in self.scenario.steps:
            self.scheduler.at(step.at, partial(self._take, step))
        self.scheduler.run()
        self._calm()
        self._run_clean()
        return Played(
            scenario=self.scenario,
            log=self.log,
            calls=self.fates.calls,
            seconds=self.scheduler.now,
        )

    def _take(self, step: Edit | Run) -> None:
        match step:
            case Edit():
                self._edit(step.checkout, step)
            case Run():
                self.fates.pull_between(step.number, is_quiet=self._is_quiet())
                self._start(step)

    def _edit(self, name: str, step: Edit) -> None:
        folder = self.folders[name]
        folder.write(step.sheet)
        self.latest = name
        for environment in folder.checkout.environments or (None,):
            self.log.add(
                log.TextsChanged(
                    at=self.now(),
                    checkout=name,
                    stack=folder.checkout.stack_of(environment),
                    entries=folder.declared(environment),
                    moved=dict(step.sheet.moved),
                    publishes=step.sheet.handles.removesuffix("json"),
                )
            )

    def _is_quiet(self) -> bool:
        return all(process.is_over for process in self.processes)

    def _start(self, run: Run) -> None:
        folder = self.folders[run.checkout]
        stack = folder.checkout.stack_of(run.environment)
        texts: dict[str, str | None] = {}
        if run.approval is Approval.PLANNED:
            approval = self.approvals.get(stack)
            texts = approval[1] if approval else {}
        self.log.add(
            log.RunBegun(
                at=self.now(),
                run=run.number,
                runner=run.runner,
                operation=str(run.operation),
                checkout=run.checkout,
                stack=stack,
                approves=run.approval in {Approval.AUTO, Approval.YES},
                approved=texts,
                replaces=run.replaces,
                prunes=run.prunes,
                is_scheduled=run.is_scheduled,
                clean=run.clean,
            )
        )
        program = _Program(self, run, folder, stack, self.approvals.get(stack))
        self.processes.append(
            self.scheduler.start(
                self.machines[run.runner], run.number, program.main, program.note_end
            )
        )

    def _calm(self) -> None:
        """End every fault, and repair what only a person can."""
        self.fates.calm()
        self._calm_provider()
        self._repair()
        self.unlock()
        sheet = self.folders[self.latest].sheet
        for name, folder in self.folders.items():
            is_twice = folder.checkout == self.folders[self.latest].checkout
            if name != self.latest and is_twice:
                self._edit(name, Edit(at=self.now(), checkout=name, sheet=sheet))
        self.log.add(log.FaultsEnded(at=self.now()))

    def _repair(self) -> None:
        """A person puts back the states that are torn."""
        while self.torn:
            store, file = self.torn.pop()
            store.restore(file)

    def unlock(self) -> None:
        """A person ends the locks of a server, which outlive the run that took them."""
        if self._is_quiet():
            for server in self.servers.values():
                for file in server.locked():
                    server.end_lock(file)

    def _calm_provider(self) -> None:
        provider = self.provider
        provider.lag(0)
        provider.hide(0)
        provider.echo(None)
        provider.quota(Verb.CREATE, None)
        provider.clamp(None)
        provider.date_offset(0.0)

    def _run_clean(self) -> None:
        self.is_braked = False
        self._clean(1, after=MINUTE)
        if self.is_braked:
            self._clean(2, after=11 * MINUTE)
        else:
            self._clean(2, after=MINUTE)
            return
        self._clean(3, after=MINUTE)

    def _clean(self, turn: int, *, after: float) -> None:
        self.scheduler.at(self.now() + after, lambda: None)
        self.scheduler.run()
        done: set[str] = set()
        for name, folder in self.folders.items():
            for environment in folder.checkout.environments or (None,):
                stack = folder.checkout.stack_of(environment)
                if stack in done:
                    continue
                done.add(stack)
                self._start(
                    Run(
                        at=self.now(),
                        number=1_000 * turn + len(done),
                        runner=next(iter(self.machines)),
                        operation=Operation.APPLY,
                        checkout=name,
                        environment=environment,
                        approval=Approval.AUTO,
                        clean=turn,
                    )
                )
                self.scheduler.run()

    # --- levers --------------------------------------------------------------------------------

    def pull(self, fault: Fault) -> bool:
        """Do to the world what *fault* says; False if there is nothing to do it to."""
        provider = self.provider
        match fault.kind:
            case Kind.FOREIGN_DELETE:
                return self._delete_one(fault.share)
            case Kind.FOREIGN_CREATE:
                label = _NOT_OURS[int(fault.share * len(_NOT_OURS))]
                provider.create(label, f"models/{MODEL}", "Not ours.", HOUR)
            case Kind.LIST_LAGS:
                provider.lag(min(fault.span, 10 * MINUTE))
                self.later(fault.span, lambda: provider.lag(0))
            case Kind.LIST_LIES:
                provider.hide(0.2 + 0.8 * fault.share)
                self.later(fault.span, lambda: provider.hide(0))
            case Kind.OTHER_MODEL:
                provider.echo(_SPELLED[int(fault.share * len(_SPELLED))])
            case Kind.QUOTA:
                provider.quota(Verb.CREATE, 1 + int(fault.share * 6))
                self.later(max(fault.span, 3 * MINUTE), lambda: provider.quota(Verb.CREATE, None))
            case Kind.CLAMPED_LIFE:
                provider.clamp(20 * MINUTE + fault.share * HOUR)
            case Kind.WRONG_DATE:
                provider.date_offset(None if fault.share < 0.2 else (2 * fault.share - 1) * DAY)
                self.later(fault.span, lambda: provider.date_offset(0.0))
            case Kind.CLOCK_JUMP:
                machines = list(self.machines.values())
                machine = machines[int(fault.share * len(machines))]
                jump = self.now(), self.random.choice((-2 * HOUR, -30.0, 30.0, 5 * HOUR))
                machine.clock = replace(machine.clock, jumps=(*machine.clock.jumps, jump))
            case Kind.LOCK_ENDED:
                return self._end_a_lock()
            case Kind.STATE_LOST | Kind.STATE_ROLLED_BACK | Kind.STATE_TORN:
                return self._damage(fault)
            case _:
                for place in _OUTAGES[fault.kind]:
                    self.fates.outages[place] = self.now() + min(fault.span, 5 * MINUTE)
        return True

    def later(self, seconds: float, call: Callable[[], object]) -> None:
        """Have *call* happen after so many seconds, a minute at least."""
        self.scheduler.at(self.now() + max(seconds, MINUTE), call)

    def _delete_one(self, share: float) -> bool:
        alive = self.provider.alive()
        return bool(alive) and self.provider.delete(alive[int(share * len(alive))].name)

    def _end_a_lock(self) -> bool:
        """Do as `ctxprov unlock` does."""
        store, is_ended = self.stores[_STATES], False
        for file in store.names():
            stands = store.current(file)
            if stands is None or not file.endswith(".lock.json"):
                continue
            fields = json.loads(stands.content)
            if not fields.get("free"):
                free = {"free": True, "ended": True, "id": fields["id"], "since": None}
                store.write(0, file, json.dumps(free).encode(), stands.version)
                is_ended = True
        for server in self.servers.values():
            ended = [server.end_lock(file) for file in server.locked()]
            is_ended |= bool(ended)
        return is_ended

    def _damage(self, fault: Fault) -> bool:
        places = [
            (store, file)
            for store in (self.stores[_STATES], *self.servers.values())
            for file in store.names()
            if _is_state(file)
        ]
        if not places:
            return False
        store, file = places[int(fault.share * len(places))]
        match fault.kind:
            case Kind.STATE_LOST:
                store.lose(file)
            case Kind.STATE_TORN:
                store.tear(file)
                self.torn.append((store, file))
                self.later(20 * MINUTE, self._repair)
            case _:
                return store.roll_back(file)
        return True


def _is_state(file: str) -> bool:
    """Whether it is one, of all that a store keeps."""
    name = file.rpartition("/")[2]
    return ".lock" not in name and ".history" not in file and "probe" not in name


class _Fates:
    """The faults that wait for their moment, and the outages that last."""

    def __init__(self, simulation: _Simulation) -> None:
        self._simulation = simulation
        self._waiting = list(simulation.scenario.faults)
        self._counts: Counter[tuple[int, Phase]] = Counter()
        self.outages: dict[str, float] = {}
        self.calls = 0

    def calm(self) -> None:
        self._waiting.clear()
        self.outages.clear()

    def of(self, call: WorldCall) -> Fate:
        self.calls += 1
        phase = phase_of(call)
        self._counts[call.run, phase] += 1
        if self.outages and self.outages.get(call.where, 0.0) > self._simulation.now():
            return Fate(is_dropped=True)
        if not self._waiting:
            return USUAL
        for fault in self._waiting:
            is_due = fault.phase is phase and call.run >= fault.run
            if is_due and self._counts[call.run, phase] >= fault.nth:
                return self._strike(fault, call.run)
        return USUAL

    def pull_between(self, run: int, *, is_quiet: bool) -> None:
        """Pull the levers that wait for a moment between two runs."""
        if is_quiet:
            for fault in [one for one in self._waiting if one.phase is Phase.BETWEEN]:
                if run >= fault.run and run > 1:
                    self._strike(fault, 0)

    def _strike(self, fault: Fault, run: int) -> Fate:
        if fault.kind in LEVERS and not self._simulation.pull(fault):
            return USUAL
        self._waiting.remove(fault)
        self._simulation.log.add(
            log.FaultHappened(
                at=self._simulation.now(), kind=str(fault.kind), phase=str(fault.phase), run=run
            )
        )
        return USUAL if fault.kind in LEVERS else _fate(fault)


def _fate(fault: Fault) -> Fate:
    match fault.kind:
        case Kind.KILL_BEFORE:
            return Fate(kill=Moment.BEFORE_EFFECT)
        case Kind.KILL_AFTER:
            return Fate(kill=Moment.AFTER_EFFECT)
        case Kind.DROPPED:
            return Fate(is_dropped=True)
        case Kind.LOST if fault.phase is Phase.MAKE and fault.share < _OVERRUNS:
            return Fate(is_lost=True, overrun=_LEAST_OVERRUN + 3 * fault.share)
        case Kind.LOST:
            return Fate(is_lost=True, back=fault.span if fault.share < 0.5 else 0.0)
        case Kind.LATE:
            span = min(fault.span, 100.0)
            return Fate(out=span) if fault.share < 0.5 else Fate(back=span)
        case Kind.DOUBLED:
            return Fate(is_doubled=True)
        case Kind.SUSPEND_BEFORE:
            return Fate(suspend=(Moment.BEFORE_EFFECT, fault.span))
        case Kind.SUSPEND_AFTER:
            return Fate(suspend=(Moment.AFTER_EFFECT, fault.span))
        case Kind.SIGNAL:
            return Fate(signal=Moment.BEFORE_EFFECT if fault.share < 0.5 else Moment.AFTER_EFFECT)
        case Kind.UNAVAILABLE:
            return Fate(status=503 if fault.share < 0.7 else 500)
        case Kind.QUOTA_REFUSAL:
            return Fate(status=429)
        case _:
            raise AssertionError(fault.kind)


class _View:
    """A run that is shown to no person."""

    def __init__(self, simulation: _Simulation) -> None:
        self._simulation = simulation

    def show_plan(self, decision: Decision) -> None:
        self._simulation.is_braked |= bool(decision.brakes)

    @contextmanager
    def progress(self, plan: Plan) -> Iterator[Callable[[Result], None]]:
        del plan
        yield lambda _result: None

    def show_results(self, plan: Plan, results: Sequence[Result]) -> None:
        del plan, results


class _Program:
    """One run: what the command line would do, without a command line."""

    def __init__(
        self,
        simulation: _Simulation,
        run: Run,
        folder: Folder,
        stack: str,
        approval: _SavedApproval | None,
    ) -> None:
        self._simulation = simulation
        self._run = run
        self._folder = folder
        self._stack = stack
        self._approval = approval
        """What was saved last, when it started."""

    async def main(self, process: Process) -> str:
        simulation = self._simulation
        ports = ports_of(
            process,
            simulation.world,
            environ={"GEMINI_API_KEY": simulation.provider.key},
            folder=self._folder.path,
            console=self._console(process),
        )
        transport = ProviderTransport(process, simulation.world)
        async with Clients(ports, max_wait=_PATIENCE, transport=transport) as clients:
            session = Session(
                options=StackOptions(
                    environment=self._run.environment, address=self._folder.checkout.address
                ),
                ports=ports,
                clients=clients,
            )
            return await self._perform(session)

    def _console(self, process: Process) -> Console:
        async def confirm(question: str) -> bool:
            del question
            await process.sleep(self._run.answers_after)
            return self._run.approval is Approval.YES

        is_asked = self._run.approval in {Approval.YES, Approval.NO}
        console = console_of([], answer=True if is_asked else None)
        return replace(console, confirm=confirm)

    async def _perform(self, session: Session) -> str:
        run, path, view = self._run, self._folder.path, _View(self._simulation)
        match run.operation:
            case Operation.APPLY:
                request = apply_request(session, path, self._asked())
                return _outcome(await apply_stack(session, request, view))
            case Operation.DESTROY:
                request = destroy_request(session, path, self._asked(), key_envs={})
                return _outcome(await apply_stack(session, request, view))
            case Operation.KEEPALIVE:
                asked = KeepRequest(parallelism=_PARALLELISM, lock_timeout=_LOCK_TIMEOUT)
                kept = await keep_alive(session, path, asked, view)
                return "failed" if kept.gaps else _outcome(kept.applied)
            case Operation.PLAN:
                texts = self._texts()
                plan = (await plan_stack(session, PlanRequest(), path)).plan
                approval = ApprovedEdits(fingerprint=plan.fingerprint, digests=plan.digests)
                self._simulation.approvals[self._stack] = approval, texts
            case Operation.DRIFT:
                await drift_of(session, path)
        return "done"

    def _asked(self) -> RunRequest:
        run = self._run
        approval = None
        if run.approval is Approval.PLANNED:
            if self._approval is None:
                raise Misuse("nothing was planned")
            approval = self._approval[0]
        return RunRequest(
            expect=approval,
            replace=run.replaces,
            allow_empty=True,
            overrides=("delete", "replace") if run.clean else (),
            auto_approve=run.approval is Approval.AUTO,
            prune=run.prunes,
            parallelism=_PARALLELISM,
            lock_timeout=_LOCK_TIMEOUT,
            targets=(),
            excludes=(),
        )

    def _texts(self) -> dict[str, str | None]:
        """What the checkout declares while its plan is approved; None for what it does not."""
        declared = self._folder.declared(self._run.environment)
        names = {
            name
            for step in self._simulation.scenario.steps
            if isinstance(step, Edit)
            for name in step.sheet.entries
        }
        return {
            name: declared[name].content if name in declared else None for name in sorted(names)
        }

    def note_end(self, process: Process) -> None:
        outcome, detail = _end_of(process)
        if outcome == "done" and process.signals:
            outcome = "failed"  # the command's status names the signal
        detail = detail.replace(str(self._folder.path), "")
        if outcome == "killed":
            self._simulation.later(5 * MINUTE, self._simulation.unlock)
        self._simulation.log.add(
            log.RunEnded(
                at=self._simulation.now(), run=self._run.number, outcome=outcome, detail=detail
            )
        )


def _outcome(applied: Applied) -> str:
    if applied.has_failed:
        return "failed"
    return "refused" if applied.leaves_refused else "done"


def _end_of(process: Process) -> tuple[str, str]:
    if process.is_dead:
        return "killed", ""
    match process.error:
        case None:
            return str(process.result), ""
        case CtxprovError() | Misuse() as error:
            return "error", f"{type(error).__name__}: {error}"
        case error:
            return type(error).__name__, "".join(format_exception(error))
