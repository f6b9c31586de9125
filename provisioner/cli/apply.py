"""
One run that changes things, from the lock to the last save.

`apply` and `destroy` differ in what is desired; from there on they are the same.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from string import ascii_lowercase

from provisioner.applier import apply
from provisioner.applier.surplus import retire_surplus
from provisioner.cli import clock, console, terminal
from provisioner.cli.absent_state import labelled
from provisioner.cli.approvals import tell_undone
from provisioner.cli.brake import Notes
from provisioner.cli.commit_order import performs_edits
from provisioner.cli.decision import ApplyRequest, Decision, decide, plan_for
from provisioner.cli.documents import (
    Presentation,
    result_page,
    show_plan,
    show_results,
)
from provisioner.cli.locked_state import LockedState, locked_state
from provisioner.cli.messages import tell
from provisioner.cli.observe import Observation, observe
from provisioner.cli.per_stack import Session, StackOutcome
from provisioner.cli.progress import progress
from provisioner.cli.signals import Interruption, listening
from provisioner.cli.status import Status, first_of
from provisioner.errors import Refused
from provisioner.handles import handles_bytes, publish
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Cause,
    Create,
    Delete,
    Forget,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.facts import (
    ApprovedEdits,
    Done,
    Failed,
    NotAttempted,
    Outcome,
    Result,
    State,
)
from provisioner.model.plan import Plan
from provisioner.model.records import RecordedAnnotation, RecordedCache
from provisioner.planner.live_index import believable, remarks, unsaved
from provisioner.planner.reasons import rested_by
from provisioner.planner.transitions import valid_until
from provisioner.render.result import summary_line
from provisioner.render.summary import gap_line
from provisioner.state.group_commit import Ledger

SHARED = (
    "Another checkout with the same stack name in the same project shares these caches: "
    "they would be gone for it as well."
)


async def apply_stack(request: ApplyRequest, session: Session) -> StackOutcome:
    """Lock, plan, ask, apply, save."""
    async with locked_state(
        request.location.backend,
        stack=request.stack,
        operation=request.operation,
        timeout=request.lock_timeout,
        commit=request.commit,
    ) as locked:
        state = locked.ledger.state
        decision = await _settle_on(request, state, session)
        for fact in unsaved(state, decision.observation.live):
            locked.ledger.record(fact)
        for provider, scope in decision.observation.scopes.items():
            locked.ledger.note_scope(provider, scope)
        return await _Application(request, decision, locked, session).perform()


async def _settle_on(request: ApplyRequest, state: State, session: Session) -> Decision:
    """
    Plan, show and ask.

    If the plan has run out by the time of the answer, plan again; the answer holds if the
    edits are the same and no other cache is deleted.
    """
    decision = await decide(request, state, session.clients)
    while True:
        _show(request, decision, state, session)
        asked = decision.plan
        if request.auto_approve or not (asked.pending or asked.settings):
            return decision
        await _ask(request)
        end = valid_until(asked)
        if end is None or decision.observation.present() < end:
            return decision
        session.clients.look_again()
        decision = await decide(request, state, session.clients)
        if decision.plan.digests == asked.digests and _deleted(decision.plan) <= _deleted(asked):
            request.check(decision.plan, state)
            return decision


def _deleted(plan: Plan) -> frozenset[str]:
    """Ids of the caches that *plan* deletes."""
    return frozenset(change.live.id for change in plan.changes if isinstance(change, Delete))


def _show(request: ApplyRequest, decision: Decision, state: State, session: Session) -> None:
    """Show the plan and what is left undone.  Raises Refused if it is forbidden."""
    if not session.is_quiet:
        show_plan(
            Presentation(
                plan=decision.plan, prices=request.prices, writes=decision.request.location.writes
            ),
            colour=request.colour,
            recorded=request.recorded or bool(decision.undone),
        )
    if request.approval and decision.undone:
        tell_undone(decision.undone, decision.wanted, request.approval)
    for gap in decision.gaps:
        tell(gap_line(gap))
    for remark in remarks(decision.plan):
        tell(f"warning: {remark}")
    request.check(decision.plan, state)


async def _ask(request: ApplyRequest) -> None:
    if not terminal.is_interactive():
        raise Refused(
            f"{request.operation} needs an approval, and there is no terminal to ask on: "
            "read the plan above and add --auto-approve. Nothing was changed."
        )
    if request.destroy or request.prune:
        console.say(SHARED)
    if not await terminal.confirm(f"{request.operation.capitalize()} these changes?"):
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
        approved = ApprovedEdits(fingerprint=request.approval.fingerprint, digests=digests)
        ledger.note(approved=approved)
    if request.revision:
        ledger.note(last_edit=request.revision)


def _note_after(decision: Decision, ledger: Ledger, results: Sequence[Result]) -> None:
    """
    Write down which edits rest.

    Forget the commit if none of its edits was performed, and an approval of which nothing is
    left to be done.
    """
    state = ledger.state
    ledger.note(rested=rested_by(decision.plan, state.rested))
    done = [result for result in results if isinstance(result.outcome, Done)]
    edited = any(result.change.reason.cause is Cause.EDIT for result in done)
    if not (edited or decision.plan.settings):
        ledger.note(last_edit=decision.state.last_edit)
    is_done = len(done) == len(results) >= len(decision.plan.pending)
    left = decision.wanted.digests - (decision.plan.digests if is_done else frozenset())
    if state.approved and left.isdisjoint(state.approved.digests):
        ledger.note(approved=None)


class _Application:
    """A decision that is performed, the results of it so far, and what comes due meanwhile."""

    def __init__(
        self, request: ApplyRequest, decision: Decision, locked: LockedState, session: Session
    ) -> None:
        self._request, self._decision = request, decision
        self._locked, self._ledger, self._session = locked, locked.ledger, session
        self._plan, self._observation = decision.plan, decision.observation
        self._before = locked.ledger.state
        self._results: list[Result] = []
        self._valid_until = valid_until(decision.plan)

    async def perform(self) -> StackOutcome:
        """Apply the plan, write its history, and say how it ended."""
        _note_before(self._request, self._decision, self._ledger)
        notes = Notes(self._ledger, self._decision.state, self._decision.brakes)
        with listening(self._stop_waiting) as interruption:
            try:
                await self._apply(notes, interruption)
            except asyncio.CancelledError:
                if not interruption.is_asked():
                    raise
            finally:
                self._show_results()
        if self._request.settings:
            _note_after(self._decision, self._ledger, self._results)
        summary = summary_line(self._results)
        if self._results or self._ledger.has_news:
            await self._locked.end(summary, fingerprint=self._plan.fingerprint)
        return self._outcome(summary, interruption)

    async def _apply(self, notes: Notes, interruption: Interruption) -> None:
        ledger, clients = self._ledger, self._decision.observation.clients
        request, quiet = self._request, self._session.is_quiet
        with progress(self._plan, self._results, colour=request.colour, quiet=quiet) as report:
            await apply(
                self._plan,
                clients,
                request.read,
                notes.record,
                self._save_and_publish,
                report,
                letters=_letters,
                due=self._refreshes_due,
                parallelism=request.parallelism,
                stopping=lambda: interruption.is_asked() or ledger.is_lost,
                renew_lock=ledger.renew_lock,
                probing=notes.probing,
                probed=notes.probed,
            )
            is_uncertain = any(client.uncertain_labels for client in clients.values())
            if is_uncertain and not interruption.is_asked():
                await ledger.save()
                await retire_surplus(
                    self._plan,
                    clients,
                    ledger.state,
                    ledger.record,
                    tell,
                    renew_lock=ledger.renew_lock,
                )

    def _stop_waiting(self) -> None:
        for client in self._decision.observation.clients.values():
            client.stop_waiting()

    async def _save_and_publish(self) -> None:
        observation = self._decision.observation
        await self._ledger.save()
        if handles := self._decision.request.location.publish:
            credible = believable(self._ledger.state, self._before, observation.live)
            hidden = {*self._request.hidden, *_dying(self._plan)}
            document = handles_bytes(credible, hidden=hidden, now=observation.present())
            await asyncio.to_thread(publish, handles.backend, handles.name, document)

    async def _refreshes_due(self) -> tuple[Refresh, ...]:
        """Once the plan is no longer valid: LIST and plan again, and refresh what is due."""
        if self._valid_until is None or self._observation.present() < self._valid_until:
            return ()
        self._session.clients.look_again()
        request, desired = self._decision.request, self._decision.desired
        state = self._ledger.state
        self._observation = await observe(
            self._session.clients,
            request.location,
            desired,
            state,
            accept_scope=request.accept_scope,
        )
        fresh = request.refine(plan_for(request, desired, state, self._observation))
        self._valid_until = valid_until(fresh)
        done = {result.change.name for result in self._results}
        to_come = {change.name for change in self._plan.pending} - done
        return tuple(
            change
            for change in fresh.changes
            if isinstance(change, Refresh) and change.want.name not in to_come
        )

    def _show_results(self) -> None:
        request, plan, results = self._request, self._plan, self._results
        page = result_page(plan, results, prices=request.prices, places=request.places)
        self._session.pages.append(page)
        if not self._session.is_quiet:
            show_results(plan, results, colour=request.colour)

    def _outcome(self, summary: str, interruption: Interruption) -> StackOutcome:
        observation, state = self._decision.observation, self._ledger.state
        return StackOutcome(
            status=_status(self._decision, self._results, interruption),
            summary=summary,
            state=state,
            stuck=_stuck(self._plan, self._results),
            dying=_dying(self._plan),
            cold=_cold(state, self._before, observation),
            labelled=labelled(observation.live, state),
            ahead=observation.present() - clock.now(),
        )


def _letters() -> str:
    number = secrets.randbelow(26**4)
    return "".join(ascii_lowercase[number // 26**place % 26] for place in range(4))


def _status(decision: Decision, results: Iterable[Result], interruption: Interruption) -> Status:
    refused = decision.plan.refused or decision.undone
    return first_of(
        interruption.status or Status.OK,
        Status.FAILED if decision.gaps else Status.OK,
        *(_status_of(result.outcome) for result in results),
        Status.REFUSED if refused else Status.OK,
    )


def _status_of(outcome: Outcome) -> Status:
    match outcome:
        case NotAttempted(refused=True):
            return Status.REFUSED
        case Failed() | NotAttempted():
            return Status.FAILED
        case Done():
            return Status.OK


def _stuck(plan: Plan, results: Iterable[Result]) -> frozenset[str]:
    """Names whose old cache goes on, because what was to take its place is not there."""
    failed = (result.change for result in results if isinstance(result.outcome, Failed))
    return frozenset(
        change.name
        for change in (*plan.blocked, *failed)
        if isinstance(change, Blocked | Create | Replace | Adopt | Annotate)
    )


def _cold(state: State, before: State, observation: Observation) -> frozenset[str]:
    """Names on record whose cache no provider showed, and that got no other in this run."""
    return frozenset(
        state.caches.keys() - believable(state, before, observation.live).caches.keys()
    )


def _dying(plan: Plan) -> frozenset[str]:
    """Names whose record this plan ends: applications must not begin to use them."""
    return frozenset(
        change.record.name
        for change in plan.changes
        if isinstance(change, Retire | Delete | Forget)
        and isinstance(change.record, RecordedCache | RecordedAnnotation)
    )
