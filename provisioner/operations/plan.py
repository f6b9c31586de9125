"""
What apply would do with one stack, without doing any of it.

Compares the manifest with the record and the live side, or with another revision of the
repository, which asks no provider.  The planner decides what is held back where a project lists
none, or only some, of its recorded caches; here a person's acceptance is read, and why is said.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from provisioner import planner
from provisioner.catalog import load_catalog
from provisioner.errors import CtxprovError, NetworkError, Refused, StateUnreadable
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Cause
from provisioner.model.facts import Revision, State
from provisioner.model.plan import Plan
from provisioner.model.rates import Lookup
from provisioner.model.records import Desired, DesiredCache
from provisioner.model.stack_settings import Breach, StackSettings, setting_edits
from provisioner.operations.check_limits import breaches_of_any, excused
from provisioner.operations.checkout import check_destinations, why_older
from provisioner.operations.count_tokens import count, remember, remembered, uncounted, with_counts
from provisioner.operations.load import load_stack
from provisioner.operations.observe import Observation, observe
from provisioner.operations.session import Console, Misuse, Session
from provisioner.operations.stack_location import (
    StackLocation,
    location_of,
    owners_beside,
    project_in,
    writes_of,
)
from provisioner.planner.brake import SECOND_LOOK, Brake, Sight, brakes, held_back
from provisioner.planner.live_index import remarks
from provisioner.resolver.content import content_reader
from provisioner.state import read_state
from provisioner.times import duration_text
from provisioner.view.units import moment_short
from provisioner.view.wording import breach_text, way_out

if TYPE_CHECKING:
    from provisioner.render.difference import Patch


class PlanRequest(Struct, frozen=True, kw_only=True):
    """What is asked of a plan."""

    base: str | None = None
    """A git ref, to compare with its merge base instead of state and live side."""
    at: datetime | timedelta | None = None
    count_tokens: bool = False
    prune: bool = False
    replace: tuple[str, ...] = ()
    allow_empty: bool = False
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    with_patches: bool = False
    """Whether a comparison of revisions shows where texts differ."""


class PlannedStack(Struct, frozen=True, kw_only=True):
    """A plan, with what is to be known of it beside its changes."""

    plan: Plan
    prices: Lookup
    manifest: Manifest | None = None
    """None if the branch declares the stack no longer."""
    writes: tuple[str, ...] = ()
    timeless: bool = False
    """It compares revisions, or shows edits alone, so no clock ends it."""
    breaches: tuple[Breach, ...] = ()
    older: str | None = None
    """Why apply would refuse its edits as those of an older commit."""
    failures: tuple[CtxprovError, ...] = ()
    """Why it knows the record or the live side not, or only in part."""
    patches: tuple[Patch, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """What a person should know of it besides."""
        return (*remarks(self.plan), *([self.older] if self.older else []))

    @property
    def is_refused(self) -> bool:
        """Whether apply would refuse it, or a part of it, as far as a plan can know."""
        refuses = any(breach.refuses for breach in self.breaches)
        return bool(self.plan.refused or self.older or refuses)


async def plan_stack(session: Session, request: PlanRequest, stack: Path) -> PlannedStack:
    """Plan one stack.  Raises CtxprovError, and Misuse for names that it does not have."""
    ports, options = session.ports, session.options
    if base := request.base:
        removed = await ports.read(partial(_removed, session, stack, request, base))
        if removed:
            return removed
    manifest, desired = await _load(session, stack, request)
    check_names(request.replace, desired)
    check_destinations(manifest, with_state=options.address is None)
    if base:
        compare = partial(_against_base, session, stack, manifest, desired, request, base)
        return await ports.read(compare)
    location = location_of(session, manifest)
    state, unreadable = await ports.read(partial(_recorded, location, manifest.stack))
    observation, unseen = await _observed(session, location, desired, state)
    if observation is None:
        counts = await ports.read(partial(remembered, location.backend, manifest.stack))
        wants = with_counts(desired, counts)
        plan = _edits_alone(manifest, wants, state, ports.locally(request.at))
    else:
        observation = observation.later(request.at)
        wants = await _counted(
            session, manifest, desired, location, state, observation, asks=request.count_tokens
        )
        owners = owners_beside(session, manifest.root, manifest.stack)
        whole = planner.plan(
            wants,
            state,
            observation.live,
            stack=manifest.stack,
            now=observation.at,
            ahead=observation.ahead,
            prune=request.prune,
            replace=request.replace,
            renames=manifest.moved,
            owners=owners(desired, state, prune=request.prune),
        )
        plan, _ = braked(session, whole, state, observation)
    plan = replace(plan, settings=setting_edits(state.stack_settings, manifest.settings))
    planned = _finished(
        session, manifest, plan, request, settings=state.stack_settings, last=state.last_edit
    )
    failures = tuple(error for error in (unreadable, unseen) if error)
    return replace(planned, failures=failures, timeless=unseen is not None)


def _finished(
    session: Session,
    manifest: Manifest,
    plan: Plan,
    request: PlanRequest,
    *,
    settings: StackSettings | None,
    last: Revision | None = None,
) -> PlannedStack:
    """The chosen part of *plan*, held against the limits and the commit that was applied *last*."""
    options = session.options
    plan = choose(plan, request.targets, request.excludes)
    prices = load_catalog(options.models).find
    return PlannedStack(
        plan=plan,
        prices=prices,
        manifest=manifest,
        writes=writes_of(manifest, address=options.address, emulator=options.emulator),
        breaches=beyond(plan, manifest, settings, prices=prices, overrides=request.overrides),
        older=why_older(session.ports, manifest.root, plan, last),
    )


def check_names(names: Iterable[str], desired: Iterable[Desired]) -> None:
    """Raise Misuse for a name of `--replace` that no entry has."""
    if unknown := set(names) - {want.name for want in desired}:
        listed = ", ".join(sorted(unknown))
        raise Misuse(f"no such cache in this stack: {listed}", option="--replace")


def choose(plan: Plan, targets: Sequence[str], excludes: Sequence[str]) -> Plan:
    """The part of *plan* that patterns name.  Raises Misuse for one that matches nothing."""
    if not (targets or excludes):
        return plan
    from provisioner.planner.selection import select, unmatched  # noqa: PLC0415  # for --target

    for option, patterns in (("--target", targets), ("--exclude", excludes)):
        if wrong := unmatched(plan, patterns):
            raise Misuse(f"nothing in the plan matches {', '.join(wrong)}", option=option)
    return select(plan, targets=targets, excludes=excludes)


def _removed(session: Session, stack: Path, request: PlanRequest, base: str) -> PlannedStack | None:
    """The plan of a stack that the branch declares no longer: apply cannot do anything about it."""
    from provisioner.operations import compare_revisions  # noqa: PLC0415  # for --base

    if not compare_revisions.is_undeclared(stack, session.options.environment):
        return None
    left = compare_revisions.leftover_at(session, stack, base)
    if left is None:
        return None
    now = session.ports.locally(request.at)
    return PlannedStack(
        plan=Plan(stack=left.stack, at=now, changes=(), edits=frozenset(), leftover=left),
        prices=load_catalog(session.options.models).find,
        timeless=True,
    )


def _against_base(
    session: Session,
    stack: Path,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    request: PlanRequest,
    base: str,
) -> PlannedStack:
    """The edits since the merge base with *base*."""
    from provisioner.operations import compare_revisions  # noqa: PLC0415  # for --base

    plan, before, patches = compare_revisions.compare_revisions(
        session,
        stack,
        manifest,
        desired,
        base,
        now=session.ports.locally(request.at),
        with_patches=request.with_patches,
    )
    planned = _finished(session, manifest, plan, request, settings=before)
    return replace(planned, timeless=True, patches=patches)


async def _load(
    session: Session, stack: Path, request: PlanRequest
) -> tuple[Manifest, tuple[Desired, ...]]:
    """Read the stack, while the projects that it uses are listed."""
    loop = asyncio.get_running_loop()

    def begun(manifest: Manifest) -> None:
        if not request.base:
            loop.call_soon_threadsafe(_begin, session, manifest)

    load = partial(
        load_stack,
        session,
        stack,
        now=session.ports.locally(request.at),
        allow_empty=request.allow_empty,
        begun=begun,
    )
    return await session.ports.in_thread(load)


def _begin(session: Session, manifest: Manifest) -> None:
    """Let the LIST of each project begin.  What is wrong with one, `observe` says."""
    with suppress(CtxprovError, Misuse):
        location = location_of(session, manifest)
        session.clients.begin(
            (project_in(location.store, name), location.key_envs[name])
            for name in sorted(location.used)
        )


def _recorded(location: StackLocation, stack: str) -> tuple[State, StateUnreadable | None]:
    """What is on record; of a state that may be out of reach nothing, and why."""
    try:
        return read_state(location.backend, stack=stack), None
    except StateUnreadable as error:
        return State(stack=stack), error


async def _observed(
    session: Session, location: StackLocation, desired: tuple[Desired, ...], state: State
) -> tuple[Observation | None, NetworkError | None]:
    """What is live; where the provider cannot be asked now nothing, and why."""
    try:
        return await observe(session, location, desired, state), None
    except NetworkError as error:
        if not error.retryable:
            raise
        return None, NetworkError(
            f"Live side unknown: {error}. The plan shows the edits alone; run it again later.",
            status=error.status,
            words=error.words,
            retryable=True,
            retry_after=error.retry_after,
        )


def _edits_alone(
    manifest: Manifest, wants: tuple[Desired, ...], state: State, now: datetime
) -> Plan:
    """What differs between the manifest and the record, as if all of that were alive."""
    from provisioner.planner import hypothetical  # noqa: PLC0415  # without a live side

    stack, recorded = manifest.stack, hypothetical.recorded_as_desired(state)
    applied, live = hypothetical.as_if_applied(recorded, stack=stack, now=now)
    applied = replace(applied, rested=state.rested)
    whole = planner.plan(wants, applied, live, stack=stack, now=now, renames=manifest.moved)
    return replace(
        whole, changes=tuple(one for one in whole.changes if one.reason.cause is Cause.EDIT)
    )


async def _counted(
    session: Session,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    location: StackLocation,
    state: State,
    observation: Observation,
    *,
    asks: bool,
) -> tuple[Desired, ...]:
    """*desired* with the counts that are remembered, and if it *asks* with those of now."""
    ports = session.ports
    counts = await ports.read(partial(remembered, location.backend, manifest.stack))
    if asks:
        wants = uncounted(desired, planner.moved(state, manifest.moved), counts)

        def doubt(want: DesiredCache, tokens: int) -> None:
            ports.console.warn(
                f"{want.name}: the provider counts {tokens:,} tokens where about "
                f"{want.measure.tokens:,} are to be expected; the estimate stays."
            )

        fresh = await count(wants, observation.clients, content_reader(manifest, desired), doubt)
        counts = {**counts, **fresh}
        await ports.in_thread(partial(remember, location.backend, manifest.stack, counts))
    return with_counts(desired, counts)


def beyond(
    plan: Plan,
    manifest: Manifest,
    before: StackSettings | None,
    *,
    prices: Lookup,
    overrides: Collection[str],
) -> tuple[Breach, ...]:
    """
    What of *plan* goes beyond the limits of *manifest* or those *before* it.

    Nothing in *overrides* refuses.
    """
    several = [manifest.limits, *([before.limits] if before else [])]
    exceeded = breaches_of_any(plan, several, prices)
    return excused(exceeded, overrides)


def hold(console: Console, exceeded: Iterable[Breach]) -> None:
    """Warn of what goes beyond a limit.  Raises Refused if a limit refuses any of it."""
    refused = []
    for breach in exceeded:
        if breach.refuses:
            refused.append(breach)
        else:
            console.warn(breach_text(breach))
    if refused:
        sentences = map(breach_text, refused)
        raise Refused(
            " ".join(
                [*sentences, way_out(breach.limit for breach in refused), "Nothing was changed."]
            )
        )


ACCEPT_MISSING = "CTXPROV_ACCEPT_MISSING"


def braked(
    session: Session,
    plan: Plan,
    state: State,
    observation: Observation,
    *,
    accept_missing: bool = False,
) -> tuple[Plan, tuple[Brake, ...]]:
    """The whole *plan* without what is held back, and what is held back in which project."""
    accepted = (
        name
        for name, client in observation.clients.items()
        if accept_missing
        or session.options.accept_missing
        or session.ports.environ.get(ACCEPT_MISSING) == client.key_fingerprint
        or (session.options.accept_scope and state.providers.get(name) != observation.scopes[name])
    )
    held = brakes(plan, state, observation.live, accepted=frozenset(accepted))
    return held_back(plan, held, lambda brake: _why(brake, observation)), held


def _why(brake: Brake, observation: Observation) -> str:
    client = observation.clients[brake.provider]
    lost = f"{brake.missing} of {brake.expected} recorded caches at {client.endpoint} are missing"
    by_hand = f"--accept-missing, or {ACCEPT_MISSING}={client.key_fingerprint}, makes them again"
    if brake.sight is Sight.PERSON:
        return f"{lost}, and one that was made again did not show: check key and project; {by_hand}"
    if brake.sight is Sight.FIRST:
        later = duration_text(SECOND_LOOK)
        return (
            f"{lost}: a run that sees this notes it, and one {later} later makes one to try; "
            f"{by_hand} at once"
        )
    since = moment_short(brake.since, at=observation.now)
    next_look = moment_short(brake.since + SECOND_LOOK, at=observation.now)
    return f"{lost} since {since}: a run from {next_look} on makes one to try; {by_hand} at once"
