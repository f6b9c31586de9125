"""
What a run that changes things does, and what it leaves undone.

Decides by the desired entries, the state, what is live and what was approved elsewhere.  It asks
no person and performs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from functools import partial

from msgspec import Struct, structs

from provisioner.approval import Approval, Undone, approved_digests, undone
from provisioner.cache import CacheContent
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Create
from provisioner.model.facts import Revision, State
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, DesiredCache
from provisioner.model.stack_settings import Breach, StackSettings, setting_edits, with_settings
from provisioner.operations.observe import Observation, observe
from provisioner.operations.plan import braked
from provisioner.operations.session import Session
from provisioner.operations.stack_location import FindOwners, StackLocation, no_owners
from provisioner.planner import plan
from provisioner.planner.brake import Brake
from provisioner.planner.hypothetical import as_recorded
from provisioner.planner.selection import without_content


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
    manifest: Manifest | None = None
    """Where what is desired is declared; None if what is on record is compared instead."""
    approval: Approval | None = None
    """Given elsewhere: edits beyond it are left undone.  None if the person here approves."""
    breaches: Callable[[Plan, State], tuple[Breach, ...]] = lambda _plan, _state: ()
    """What of the plan goes beyond a limit."""
    check: Callable[[Plan, State], None] = lambda _plan, _state: None
    """Raises Refused if limits or the commit forbid the plan."""
    settings: StackSettings | None = None
    """What the manifest says of the stack; None leaves the recorded settings as they are."""
    settle: Callable[[StackSettings], StackLocation] | None = None
    """Where things are by other settings than the manifest's; None if the manifest decides."""
    revision: Revision | None = None
    """What is checked out, to be recorded if an edit is performed."""
    auto_approve: bool
    parallelism: int
    lock_timeout: timedelta
    destroy: bool = False
    prune: bool = False
    replace: tuple[str, ...] = ()
    hidden: Collection[str] = ()
    """Names that no published handle has, under any plan."""
    renames: tuple[tuple[str, str], ...] = ()
    owners: FindOwners = no_owners
    """Which other stacks have live caches on record, where a plan may touch those."""
    refine: Callable[[Plan], Plan] = lambda plan: plan
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


async def decide(session: Session, request: ApplyRequest, state: State) -> Decision:
    """Plan for what is recorded in *state*; without the edits that were not approved."""
    desired = await session.ports.in_thread(partial(request.wishes, state))
    settings, location = _settled(session, request, desired, state)
    request = structs.replace(request, location=location)
    observation = await observe(session, location, desired, state)
    whole, brakes = _braked(session, request, desired, state, observation)
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
    decision = structs.replace(decision, approved=approved)
    return _approved(session, decision, request.approval)


def _approved(session: Session, decision: Decision, approval: Approval) -> Decision:
    """
    *decision* without the edits that are not approved.

    What was found under its label needs no approval; where another entry keeps that cache, since
    its edit is left undone, the entry is an edit like any other.  So the rest is looked at again.
    """
    reduced, left = decision, Undone()
    while (more := left | undone(approval, reduced.plan, decision.approved)) != left:
        left = more
        reduced = _without(session, structs.replace(decision, undone=left))
    return reduced


def _settled(
    session: Session, request: ApplyRequest, desired: tuple[Desired, ...], state: State
) -> tuple[StackSettings | None, StackLocation]:
    """The settings to be recorded, and where things are by the settings that hold."""
    recorded = state.stack_settings
    if request.settle is None or recorded is None:
        return request.settings, request.location
    if request.settings is None:
        return None, request.settle(recorded)
    if not setting_edits(recorded, request.settings):
        return request.settings, request.location
    draft = plan_for(session, request, desired, state, None)
    edited = request.refine(draft)
    approved = edited.digests
    if request.approval:
        approved = approved_digests(request.approval, [draft, edited], state.approved)
    keys = {edit.key for edit in edited.settings if edit.digest(request.stack) in approved}
    settings = with_settings(recorded, request.settings, keys)
    return settings, request.settle(settings)


def _without(session: Session, decision: Decision) -> Decision:
    """*decision* without the edits that it leaves undone: as if those had not been made."""
    request, state, left = decision.request, decision.state, decision.undone
    wishes, renames = as_recorded(decision.desired, state, left.names, request.renames)
    names = tuple(name for name in request.replace if name not in left.names)
    part = structs.replace(request, renames=renames, replace=names)
    whole, brakes = _braked(session, part, wishes, state, decision.observation)
    reduced = part.refine(whole)
    settings = tuple(edit for edit in reduced.settings if edit.key not in left.settings)
    at_hand = {want.digest for want in decision.desired}
    rest, gaps = without_content(structs.replace(reduced, settings=settings), at_hand)
    return structs.replace(
        decision, request=part, desired=wishes, plan=rest, brakes=brakes, gaps=gaps
    )


def _braked(
    session: Session,
    request: ApplyRequest,
    desired: tuple[Desired, ...],
    state: State,
    observation: Observation,
) -> tuple[Plan, tuple[Brake, ...]]:
    whole = plan_for(session, request, desired, state, observation)
    return braked(session, whole, state, observation, accept_missing=request.destroy)


def plan_for(
    session: Session,
    request: ApplyRequest,
    desired: tuple[Desired, ...],
    state: State,
    observation: Observation | None,
) -> Plan:
    """The whole plan of *request*; without an *observation*, only its edits are right."""
    whole = plan(
        desired,
        state,
        observation.live if observation else (),
        stack=request.stack,
        now=observation.at if observation else session.ports.now(),
        ahead=observation.ahead if observation else {},
        destroy=request.destroy,
        prune=request.prune,
        replace=request.replace,
        renames=request.renames,
        owners=request.owners(desired, state, prune=request.prune),
    )
    if request.settings is None:
        return whole
    return structs.replace(whole, settings=setting_edits(state.stack_settings, request.settings))
