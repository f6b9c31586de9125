"""
One run that changes things, from the lock to the last save.

`apply`, `destroy` and `keepalive` differ in what is desired; from there on they are the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from provisioner.applier import apply
from provisioner.applier.surplus import retire_surplus
from provisioner.errors import Refused
from provisioner.handles import handles_bytes, publish
from provisioner.model import changes, facts
from provisioner.model.plan import Plan
from provisioner.model.records import RecordedAnnotation, RecordedCache
from provisioner.operations.approvals import undone_lines
from provisioner.operations.checkout import performs_edits
from provisioner.operations.decision import ApplyRequest, Decision, decide, plan_for
from provisioner.operations.drift import labelled
from provisioner.operations.locked_state import LockedState, locked_state
from provisioner.operations.observe import Observation, observe
from provisioner.operations.session import Session
from provisioner.planner import rested_by
from provisioner.planner.brake import Brake, noted, probing
from provisioner.planner.live_index import believable, remarks, unsaved
from provisioner.planner.transitions import valid_until
from provisioner.render.result import summary_line
from provisioner.render.summary import gap_line
from provisioner.state.group_commit import Ledger

SHARED = (
    "Another checkout with the same stack name in the same project shares these caches: "
    "they would be gone for it as well."
)


class RunView(Protocol):
    """What shows a run while it lasts."""

    def show_plan(self, decision: Decision) -> None:
        """Show what is to be done, before a person is asked."""
        ...

    def progress(self, plan: Plan) -> AbstractContextManager[Callable[[facts.Result], None]]:
        """Follow the application of *plan*: each pending change's result is passed on."""
        ...

    def show_results(self, plan: Plan, results: Sequence[facts.Result]) -> None:
        """Show how the pending changes ended, also those of a run that was cut off."""
        ...


class Applied(Struct, frozen=True, kw_only=True):
    """How a run ended."""

    results: tuple[facts.Result, ...] = ()
    summary: str = ""
    state: facts.State
    """What is on record afterwards."""
    is_refused: bool = False
    """Whether a part of the plan is refused or was not approved."""
    gaps: tuple[changes.Create, ...] = ()
    """What died, while its edit is not approved and its old content is not here any more."""
    stuck: frozenset[str] = frozenset()
    """Names whose old cache has to be kept alive, since the new one could not be made."""
    dying: frozenset[str] = frozenset()
    """Names that were to be given up, whether that went well or not."""
    cold: frozenset[str] = frozenset()
    """Names of caches that are on record and not alive."""
    labelled: int = 0
    """How many live caches carried the stack's label before."""
    ahead: timedelta = timedelta()
    """How far the clocks of the providers were ahead of this machine's."""

    @property
    def has_failed(self) -> bool:
        """Whether anything that was not refused is left undone."""
        return bool(self.gaps) or any(
            isinstance(outcome, facts.Failed)
            or (isinstance(outcome, facts.NotAttempted) and not outcome.refused)
            for outcome in (result.outcome for result in self.results)
        )

    @property
    def leaves_refused(self) -> bool:
        """Whether anything is left undone because it was refused."""
        outcomes = (result.outcome for result in self.results)
        return self.is_refused or any(
            isinstance(outcome, facts.NotAttempted) and outcome.refused for outcome in outcomes
        )


async def apply_stack(session: Session, request: ApplyRequest, view: RunView) -> Applied:
    """Lock, plan, ask, apply, save."""
    async with locked_state(
        session.ports,
        request.location.backend,
        stack=request.stack,
        operation=request.operation,
        timeout=request.lock_timeout,
        commit=request.commit,
    ) as locked:
        state = locked.ledger.state
        decision = await _settle_on(session, request, state, view)
        for fact in unsaved(state, decision.observation.live):
            locked.ledger.record(fact)
        for provider, scope in decision.observation.scopes.items():
            locked.ledger.note_scope(provider, scope)
        return await _Application(session, request, decision, locked, view).perform()


async def _settle_on(
    session: Session, request: ApplyRequest, state: facts.State, view: RunView
) -> Decision:
    """
    Plan, show and ask.

    If the plan has run out by the time of the answer, plan again; the answer holds if the
    edits are the same and no other cache is deleted.
    """
    decision = await decide(session, request, state)
    while True:
        _show(session, request, decision, state, view)
        asked = decision.plan
        if request.auto_approve or not (asked.pending or asked.settings):
            return decision
        await _ask(session, request)
        end = valid_until(asked)
        if end is None or decision.observation.present(session.ports.boot_seconds()) < end:
            return decision
        session.clients.look_again()
        decision = await decide(session, request, state)
        if decision.plan.digests == asked.digests and _deleted(decision.plan) <= _deleted(asked):
            request.check(decision.plan, state)
            return decision


def _deleted(plan: Plan) -> frozenset[str]:
    """Ids of the caches that *plan* deletes."""
    return frozenset(
        change.live.id for change in plan.changes if isinstance(change, changes.Delete)
    )


def _show(
    session: Session, request: ApplyRequest, decision: Decision, state: facts.State, view: RunView
) -> None:
    """Show the plan and what is left undone.  Raises Refused if it is forbidden."""
    console = session.ports.console
    view.show_plan(decision)
    if request.approval and decision.undone:
        for line in undone_lines(decision.undone, decision.wanted, request.approval):
            console.note(line)
    for gap in decision.gaps:
        console.note(gap_line(gap))
    for remark in remarks(decision.plan):
        console.warn(remark)
    request.check(decision.plan, state)


async def _ask(session: Session, request: ApplyRequest) -> None:
    console = session.ports.console
    if not console.is_interactive():
        raise Refused(
            f"{request.operation} needs an approval, and there is no terminal to ask on: "
            "read the plan above and add --auto-approve. Nothing was changed."
        )
    if request.destroy or request.prune:
        console.report(SHARED)
    if not await console.confirm(f"{request.operation.capitalize()} these changes?"):
        raise Refused("Declined; nothing was changed.")


def _note_before(request: ApplyRequest, decision: Decision, ledger: Ledger) -> None:
    """Write down by which approval and at which commit edits are performed."""
    plan = decision.plan
    if decision.settings and not plan.is_partial:
        ledger.note(stack_settings=decision.settings)
    if not performs_edits(plan):
        return
    if request.approval:
        digests = tuple(sorted(decision.approved))
        approved = facts.ApprovedEdits(fingerprint=request.approval.fingerprint, digests=digests)
        ledger.note(approved=approved)
    if request.revision:
        ledger.note(last_edit=request.revision)


def _note_after(decision: Decision, ledger: Ledger, results: Sequence[facts.Result]) -> None:
    """
    Write down which edits rest.

    Forget the commit if none of its edits was performed, and an approval of which nothing is
    left to be done.
    """
    state = ledger.state
    ledger.note(rested=rested_by(decision.plan, state.rested))
    done = [result for result in results if isinstance(result.outcome, facts.Done)]
    edited = any(result.change.reason.cause is changes.Cause.EDIT for result in done)
    if not (edited or decision.plan.settings):
        ledger.note(last_edit=decision.state.last_edit)
    is_done = len(done) == len(results) >= len(decision.plan.pending)
    left = decision.wanted.digests - (decision.plan.digests if is_done else frozenset())
    if state.approved and left.isdisjoint(state.approved.digests):
        ledger.note(approved=None)


class Notes:
    """What a run remembers of its projects, as it happens."""

    def __init__(self, ledger: Ledger, state: facts.State, brakes: Sequence[Brake]) -> None:
        self._ledger = ledger
        self._notes = dict(noted(state, brakes))
        ledger.note(disappeared=dict(self._notes))
        self.probing = probing(brakes)

    def record(self, fact: facts.Fact) -> None:
        """Record *fact*; remembers a cache that is made again as such."""
        self._ledger.record(fact)
        if isinstance(fact, facts.Exists) and fact.record.name in self.probing:
            record, note = fact.record, self._notes[fact.record.provider]
            self._note(record.provider, replace(note, remade=(*note.remade, record.id)))

    def probed(self, provider: str, shown: bool) -> None:  # noqa: FBT001  # as apply calls it
        """Remember whether the first cache that this run made in *provider* shows."""
        self._note(provider, replace(self._notes[provider], failed=not shown))

    def _note(self, provider: str, note: facts.Disappearance) -> None:
        self._notes[provider] = note
        self._ledger.note(disappeared=dict(self._notes))


class _Application:
    """A decision that is performed, the results of it so far, and what comes due meanwhile."""

    def __init__(
        self,
        session: Session,
        request: ApplyRequest,
        decision: Decision,
        locked: LockedState,
        view: RunView,
    ) -> None:
        self._session, self._request, self._view = session, request, view
        self._decision, self._locked, self._ledger = decision, locked, locked.ledger
        self._plan, self._observation = decision.plan, decision.observation
        self._before = locked.ledger.state
        self._results: list[facts.Result] = []
        self._valid_until = valid_until(decision.plan)

    async def perform(self) -> Applied:
        """Apply the plan, write its history, and say how it ended."""
        _note_before(self._request, self._decision, self._ledger)
        notes = Notes(self._ledger, self._decision.state, self._decision.brakes)
        with self._session.ports.listen(self._stop_waiting) as is_stopping:
            try:
                await self._apply(notes, is_stopping)
            except asyncio.CancelledError:
                if not is_stopping():
                    raise
            finally:
                self._view.show_results(self._plan, self._results)
        if self._request.settings:
            _note_after(self._decision, self._ledger, self._results)
        summary = summary_line(self._results)
        if self._results or self._ledger.has_news:
            await self._locked.end(summary, fingerprint=self._plan.fingerprint)
        return self._applied(summary)

    async def _apply(self, notes: Notes, is_stopping: Callable[[], bool]) -> None:
        ledger, clients = self._ledger, self._decision.observation.clients
        ports = self._session.ports
        with self._view.progress(self._plan) as show:

            def report(result: facts.Result) -> None:
                if result.change.is_pending:
                    self._results.append(result)
                    show(result)

            await apply(
                self._plan,
                clients,
                lambda want: ports.read(partial(self._request.read, want)),
                notes.record,
                self._save_and_publish,
                report,
                letters=ports.letters,
                due=self._refreshes_due,
                parallelism=self._request.parallelism,
                stopping=lambda: is_stopping() or ledger.is_lost,
                renew_lock=ledger.renew_lock,
                probing=notes.probing,
                probed=notes.probed,
            )
            is_uncertain = any(client.uncertain_labels for client in clients.values())
            if is_uncertain and not is_stopping():
                await ledger.save()
                await retire_surplus(
                    self._plan,
                    clients,
                    ledger.state,
                    ledger.record,
                    ports.console.note,
                    renew_lock=ledger.renew_lock,
                )

    def _stop_waiting(self) -> None:
        for client in self._decision.observation.clients.values():
            client.stop_waiting()

    def _present(self, observation: Observation) -> datetime:
        return observation.present(self._session.ports.boot_seconds())

    async def _save_and_publish(self) -> None:
        observation = self._decision.observation
        await self._ledger.save()
        if handles := self._decision.request.location.publish:
            credible = believable(self._ledger.state, self._before, observation.live)
            hidden = {*self._request.hidden, *_dying(self._plan)}
            document = handles_bytes(credible, hidden=hidden, now=self._present(observation))
            is_ours = self._ledger.renew_lock_now
            write = partial(publish, handles.backend, handles.name, document, is_ours=is_ours)
            await self._session.ports.in_thread(write)

    async def _refreshes_due(self) -> tuple[changes.Refresh, ...]:
        """Once the plan is no longer valid: LIST and plan again, and refresh what is due."""
        if self._valid_until is None or self._present(self._observation) < self._valid_until:
            return ()
        session, state = self._session, self._ledger.state
        session.clients.look_again()
        request, desired = self._decision.request, self._decision.desired
        self._observation = await observe(session, request.location, desired, state)
        fresh = request.refine(plan_for(session, request, desired, state, self._observation))
        self._valid_until = valid_until(fresh)
        done = {result.change.name for result in self._results}
        to_come = {change.name for change in self._plan.pending} - done
        return tuple(
            change
            for change in fresh.changes
            if isinstance(change, changes.Refresh) and change.want.name not in to_come
        )

    def _applied(self, summary: str) -> Applied:
        decision, state = self._decision, self._ledger.state
        alive = believable(state, self._before, decision.observation.live)
        return Applied(
            results=tuple(self._results),
            summary=summary,
            state=state,
            is_refused=bool(self._plan.refused or decision.undone),
            gaps=decision.gaps,
            stuck=_stuck(self._plan, self._results),
            dying=_dying(self._plan),
            cold=frozenset(state.caches.keys() - alive.caches.keys()),
            labelled=labelled(decision.observation.live, state),
            ahead=self._present(decision.observation) - self._session.ports.now(),
        )


def _stuck(plan: Plan, results: Sequence[facts.Result]) -> frozenset[str]:
    """Names whose old cache goes on, because what was to take its place is not there."""
    failed = (result.change for result in results if isinstance(result.outcome, facts.Failed))
    return frozenset(
        change.name
        for change in (*plan.blocked, *failed)
        if isinstance(
            change,
            changes.Blocked | changes.Create | changes.Replace | changes.Adopt | changes.Annotate,
        )
    )


def _dying(plan: Plan) -> frozenset[str]:
    """Names whose record this plan ends: applications must not begin to use them."""
    return frozenset(
        change.record.name
        for change in plan.changes
        if isinstance(change, changes.Retire | changes.Delete | changes.Forget)
        and isinstance(change.record, RecordedCache | RecordedAnnotation)
    )
