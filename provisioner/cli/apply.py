"""
One run that changes things, from the lock to the last save.

`apply` and `destroy` differ in what is desired; from there on they are the same.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from string import ascii_lowercase

from msgspec import Struct, structs

from provisioner.applier import apply, retire_surplus
from provisioner.approval import Approval, Undone, approved_digests, undone
from provisioner.cache import CacheContent
from provisioner.cli import clock, console, terminal
from provisioner.cli.approvals import tell_undone
from provisioner.cli.brake import Notes, braked
from provisioner.cli.documents import (
    FindPlaces,
    Presentation,
    nowhere,
    result_page,
    show_plan,
    show_results,
)
from provisioner.cli.locked_state import LockedState, locked_state
from provisioner.cli.messages import tell
from provisioner.cli.observe import Observation, observe, touches_unrecorded
from provisioner.cli.older import performs_edits
from provisioner.cli.per_stack import Session, StackOutcome
from provisioner.cli.progress import progress
from provisioner.cli.signals import Interruption, listening
from provisioner.cli.status import Status, first_of
from provisioner.cli.target import StackLocation
from provisioner.cli.unrecorded import labelled
from provisioner.errors import Refused
from provisioner.handles import handles_bytes, publish
from provisioner.model import (
    Adopt,
    Annotate,
    ApprovedEdits,
    Blocked,
    Cause,
    Create,
    Delete,
    Desired,
    DesiredCache,
    Done,
    Failed,
    Forget,
    NotAttempted,
    Outcome,
    Plan,
    RecordedAnnotation,
    RecordedCache,
    Refresh,
    Replace,
    Result,
    Retire,
    Revision,
    StackSettings,
    State,
    setting_edits,
    with_settings,
)
from provisioner.planner import plan
from provisioner.planner.brake import Brake
from provisioner.planner.hypothetical import as_recorded
from provisioner.planner.live_index import remarks
from provisioner.planner.observations import believable, unsaved
from provisioner.planner.reasons import rested_by
from provisioner.planner.selection import without_content
from provisioner.planner.transitions import valid_until
from provisioner.pricing.rates import Lookup
from provisioner.render.result import summary_line
from provisioner.render.summary import gap_line
from provisioner.state.group_commit import Ledger

SHARED = (
    "Another checkout with the same stack name in the same project shares these caches: "
    "they would be gone for it as well."
)


class ApplyRequest(Struct, frozen=True, kw_only=True):
    """What a run is to do, and how."""

    operation: str
    stack: str
    commit: str | None
    """What is checked out, for the history."""
    location: StackLocation
    wishes: Callable[[State], tuple[Desired, ...]]
    """What is desired, given what is recorded."""
    read: Callable[[DesiredCache], CacheContent]
    prices: Lookup
    places: FindPlaces = nowhere
    approval: Approval | None = None
    """Given elsewhere: edits beyond it are left undone.  None if the person here approves."""
    check: Callable[[Plan, State], None] = lambda _plan, _state: None
    """Raises Refused if limits or the commit forbid the plan."""
    settings: StackSettings | None = None
    """What the manifest says of the stack; None leaves the recorded settings as they are."""
    settle: Callable[[StackSettings], StackLocation] | None = None
    """Where things are by other settings than the manifest's; None if the manifest decides."""
    revision: Revision | None = None
    """What is checked out, to be recorded if an edit is performed."""
    auto_approve: bool
    accept_scope: bool
    accept_missing: bool = False
    parallelism: int
    lock_timeout: timedelta
    colour: bool
    destroy: bool = False
    prune: bool = False
    replace: tuple[str, ...] = ()
    hidden: Collection[str] = ()
    """Names that applications are not told of, whatever the plan is."""
    recorded: bool = False
    """Whether what is on record is compared, and no manifest."""
    renames: tuple[tuple[str, str], ...] = ()
    owners: Callable[[], Mapping[str, str]] = dict
    """Which other stacks have live caches on record, by id; asked where a plan may touch them."""
    refine: Callable[[Plan], Plan] = lambda told: told
    """Makes the finished plan smaller."""


class Decision(Struct, frozen=True, kw_only=True):
    """What is done in a run, and what is not."""

    request: ApplyRequest
    """Without the edits that are left undone, where things are by the settings that hold."""
    desired: tuple[Desired, ...]
    """Likewise."""
    plan: Plan
    observation: Observation
    state: State
    """What was on record."""
    brakes: tuple[Brake, ...]
    """What is held back because a project shows none of its caches."""
    settings: StackSettings | None
    """Those that hold once it is done; None if they are left as they are."""
    approved: frozenset[str] = frozenset()
    """Digests of the approved edits."""
    undone: Undone = Undone()
    wanted: Plan
    """With the edits that are not approved."""
    gaps: tuple[Create, ...] = ()
    """What died, while its edit is not approved and its old content is not here any more."""


async def apply_stack(request: ApplyRequest, session: Session) -> StackOutcome:
    """Lock, plan, ask, apply, save."""
    async with locked_state(
        request.location.backend,
        stack=request.stack,
        operation=request.operation,
        timeout=request.lock_timeout,
        commit=request.commit,
    ) as held:
        state = held.ledger.state
        decision = await _settle_on(request, state, session)
        for fact in unsaved(state, decision.observation.live):
            held.ledger.record(fact)
        for provider, scope in decision.observation.scopes.items():
            held.ledger.note_scope(provider, scope)
        return await _perform(request, decision, held, session)


async def _settle_on(request: ApplyRequest, state: State, session: Session) -> Decision:
    """
    Plan, show and ask.

    If the plan has run out by the time of the answer, plan again; the answer holds if the
    edits are the same and no other cache is deleted.
    """
    decision = await _decide(request, state, session)
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
        decision = await _decide(request, state, session)
        if decision.plan.digests == asked.digests and _deleted(decision.plan) <= _deleted(asked):
            request.check(decision.plan, state)
            return decision


def _deleted(told: Plan) -> frozenset[str]:
    """Ids of the caches that *told* deletes."""
    return frozenset(change.live.id for change in told.changes if isinstance(change, Delete))


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


async def _decide(request: ApplyRequest, state: State, session: Session) -> Decision:
    desired = await asyncio.to_thread(request.wishes, state)
    settings, location = _settled(request, desired, state)
    request = structs.replace(request, location=location)
    observation = await observe(
        session.clients, location, desired, state, accept_scope=request.accept_scope
    )
    whole, brakes = _braked(request, desired, state, observation)
    wanted = request.refine(whole)
    decision = Decision(
        request=request,
        desired=desired,
        plan=wanted,
        observation=observation,
        state=state,
        brakes=brakes,
        settings=settings,
        wanted=wanted,
    )
    if request.approval is None:
        return decision
    approved = approved_digests(request.approval, [whole, wanted], state.approved)
    left = undone(request.approval, wanted, approved)
    decision = structs.replace(decision, approved=approved, undone=left)
    return _without(decision) if left else decision


def _settled(
    request: ApplyRequest, desired: tuple[Desired, ...], state: State
) -> tuple[StackSettings | None, StackLocation]:
    """The settings to be recorded, and where things are by the settings that hold."""
    recorded = state.stack_settings
    if request.settle is None or recorded is None:
        return request.settings, request.location
    if request.settings is None:
        return None, request.settle(recorded)
    if not setting_edits(recorded, request.settings):
        return request.settings, request.location
    draft = _plan(request, desired, state, None)
    edited = request.refine(draft)
    approved = edited.digests
    if request.approval:
        approved = approved_digests(request.approval, [draft, edited], state.approved)
    keys = {edit.key for edit in edited.settings if edit.digest(request.stack) in approved}
    settings = with_settings(recorded, request.settings, keys)
    return settings, request.settle(settings)


def _without(decision: Decision) -> Decision:
    """*decision* without the edits that it leaves undone: as if those had not been made."""
    request, state, left = decision.request, decision.state, decision.undone
    wishes, renames = as_recorded(decision.desired, state, left.names, request.renames)
    names = tuple(name for name in request.replace if name not in left.names)
    part = structs.replace(request, renames=renames, replace=names)
    whole, brakes = _braked(part, wishes, state, decision.observation)
    reduced = part.refine(whole)
    settings = tuple(edit for edit in reduced.settings if edit.key not in left.settings)
    at_hand = {want.digest for want in decision.desired}
    rest, gaps = without_content(structs.replace(reduced, settings=settings), at_hand)
    return structs.replace(
        decision, request=part, desired=wishes, plan=rest, brakes=brakes, gaps=gaps
    )


def _braked(
    request: ApplyRequest, desired: tuple[Desired, ...], state: State, observation: Observation
) -> tuple[Plan, tuple[Brake, ...]]:
    return braked(
        _plan(request, desired, state, observation),
        state,
        observation,
        accept_missing=request.accept_missing or request.destroy,
        accept_scope=request.accept_scope,
    )


def _plan(
    request: ApplyRequest,
    desired: tuple[Desired, ...],
    state: State,
    observation: Observation | None,
) -> Plan:
    """With nothing *seen*, only its edits are right."""
    found = plan(
        desired,
        state,
        observation.live if observation else (),
        stack=request.stack,
        now=observation.at if observation else clock.now(),
        ahead=observation.ahead if observation else {},
        destroy=request.destroy,
        prune=request.prune,
        replace=request.replace,
        renames=request.renames,
        owners=request.owners() if touches_unrecorded(desired, state, prune=request.prune) else {},
    )
    if request.settings is None:
        return found
    return structs.replace(found, settings=setting_edits(state.stack_settings, request.settings))


async def _ask(request: ApplyRequest) -> None:
    if not terminal.is_interactive():
        raise Refused(
            f"{request.operation} changes things and there is no terminal to ask on: "
            "read the plan above and add --auto-approve. Nothing was changed."
        )
    if request.destroy or request.prune:
        console.say(SHARED)
    if not await terminal.confirm(f"{request.operation.capitalize()} these changes?"):
        raise Refused("Declined; nothing was changed.")


def _note_before(request: ApplyRequest, decision: Decision, held: LockedState) -> None:
    """Write down by which approval and at which commit edits are performed."""
    plan, ledger = decision.plan, held.ledger
    if decision.settings and not plan.is_partial:
        ledger.note_settings(decision.settings)
    if not performs_edits(plan):
        return
    if request.approval:
        ledger.note_approved(
            ApprovedEdits(
                fingerprint=request.approval.fingerprint, digests=tuple(sorted(decision.approved))
            )
        )
    if request.revision:
        ledger.note_revision(request.revision)


def _note_after(decision: Decision, held: LockedState, results: Sequence[Result]) -> None:
    """
    Write down which edits rest.

    Forget the commit if none of its edits was performed, and an approval of which nothing is
    left to be done.
    """
    ledger = held.ledger
    state = ledger.state
    ledger.note_rested(rested_by(decision.plan, state.rested))
    done = [result for result in results if isinstance(result.outcome, Done)]
    edited = any(result.change.reason.cause is Cause.EDIT for result in done)
    if not (edited or decision.plan.settings):
        ledger.note_revision(decision.state.last_edit)
    is_done = len(done) == len(results) >= len(decision.plan.pending)
    left = decision.wanted.digests - (decision.plan.digests if is_done else frozenset())
    if state.approved and left.isdisjoint(state.approved.digests):
        ledger.note_approved(None)


async def _perform(
    request: ApplyRequest, decision: Decision, held: LockedState, session: Session
) -> StackOutcome:
    told, observation, ledger = decision.plan, decision.observation, held.ledger
    _note_before(request, decision, held)
    notes = Notes(ledger, decision.state, decision.brakes)
    before, hidden = ledger.state, {*request.hidden, *_dying(told)}

    async def save_and_publish() -> None:
        await ledger.save()
        if spot := decision.request.location.publish:
            known = believable(ledger.state, before, observation.live)
            document = handles_bytes(known, hidden=hidden, now=observation.present())
            await asyncio.to_thread(publish, spot.backend, spot.name, document)

    def stop_waiting() -> None:
        for client in observation.clients.values():
            client.stop_waiting()

    results: list[Result] = []
    due = _Due(decision.request, session, ledger, decision.desired, told, observation, results)
    with listening(stop_waiting) as interruption:
        try:
            with progress(told, results, colour=request.colour, quiet=session.is_quiet) as report:
                await apply(
                    told,
                    observation.clients,
                    request.read,
                    notes.record,
                    save_and_publish,
                    report,
                    letters=_letters,
                    due=due.refreshes,
                    parallelism=request.parallelism,
                    stopping=lambda: interruption.is_asked() or ledger.is_lost,
                    renew_lock=ledger.renew_lock,
                    probing=notes.probing,
                    probed=notes.probed,
                )
                if _may_look_back(observation, interruption):
                    await ledger.save()
                    await retire_surplus(
                        told,
                        observation.clients,
                        ledger.state,
                        ledger.record,
                        tell,
                        renew_lock=ledger.renew_lock,
                    )
        except asyncio.CancelledError:
            if not interruption.is_asked():
                raise
        finally:
            session.pages.append(
                result_page(told, results, prices=request.prices, places=request.places)
            )
            if not session.is_quiet:
                show_results(told, results, colour=request.colour)
    if request.settings:
        _note_after(decision, held, results)
    summary = summary_line(results)
    if results or ledger.has_news:
        await held.end(summary, fingerprint=told.fingerprint)
    return StackOutcome(
        status=_status(decision, results, interruption),
        summary=summary,
        state=ledger.state,
        stuck=_stuck(told, results),
        dying=_dying(told),
        cold=_cold(ledger.state, before, observation),
        labelled=labelled(observation.live, ledger.state),
        ahead=observation.present() - clock.now(),
    )


class _Due:
    """What comes due while a plan is carried out that takes longer than it is valid."""

    def __init__(
        self,
        request: ApplyRequest,
        session: Session,
        ledger: Ledger,
        desired: tuple[Desired, ...],
        told: Plan,
        observation: Observation,
        results: list[Result],
    ) -> None:
        self._request, self._session, self._ledger = request, session, ledger
        self._desired, self._told, self._seen, self._results = desired, told, observation, results
        self._valid_until = valid_until(told)

    async def refreshes(self) -> tuple[Refresh, ...]:
        """Once the plan is no longer valid: LIST and plan again, and refresh what is due."""
        if self._valid_until is None or self._seen.present() < self._valid_until:
            return ()
        self._session.clients.look_again()
        request, state = self._request, self._ledger.state
        self._seen = await observe(
            self._session.clients,
            request.location,
            self._desired,
            state,
            accept_scope=request.accept_scope,
        )
        fresh = request.refine(_plan(request, self._desired, state, self._seen))
        self._valid_until = valid_until(fresh)
        under_way = self._under_way()
        return tuple(
            change
            for change in fresh.changes
            if isinstance(change, Refresh) and change.want.name not in under_way
        )

    def _under_way(self) -> set[str]:
        """Names whose turn in this run is still to come."""
        done = {result.change.name for result in self._results}
        return {change.name for change in self._told.pending} - done


def _may_look_back(observation: Observation, interruption: Interruption) -> bool:
    """Whether an answer to a create was lost in a run that has the time to look for twins."""
    lost = any(client.uncertain_labels for client in observation.clients.values())
    return lost and not interruption.is_asked()


def _letters() -> str:
    return "".join(secrets.choice(ascii_lowercase) for _ in range(4))


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


def _stuck(told: Plan, results: Iterable[Result]) -> frozenset[str]:
    """Names whose old cache goes on, because what was to take its place is not there."""
    failed = (result.change for result in results if isinstance(result.outcome, Failed))
    return frozenset(
        change.name
        for change in (*told.blocked, *failed)
        if isinstance(change, Blocked | Create | Replace | Adopt | Annotate)
    )


def _cold(state: State, before: State, observation: Observation) -> frozenset[str]:
    """Names on record whose cache no provider showed, and that got no other in this run."""
    return frozenset(
        state.caches.keys() - believable(state, before, observation.live).caches.keys()
    )


def _dying(told: Plan) -> frozenset[str]:
    """Names whose record this plan ends: applications must not begin to use them."""
    return frozenset(
        change.record.name
        for change in told.changes
        if isinstance(change, Retire | Delete | Forget)
        and isinstance(change.record, RecordedCache | RecordedAnnotation)
    )
