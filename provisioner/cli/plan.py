"""`ctxprov plan`: what apply would do, without doing any of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from provisioner import planner
from provisioner.catalog import load_catalog
from provisioner.cli import clock, console, terminal
from provisioner.cli.brake import braked
from provisioner.cli.check_limits import beyond
from provisioner.cli.checkout import commit_here
from provisioner.cli.count_tokens import count, remember, remembered, uncounted, with_counts
from provisioner.cli.destinations import check_destinations
from provisioner.cli.documents import Presentation, places_of, plan_page, show_plan
from provisioner.cli.load import load_stack
from provisioner.cli.messages import tell, tell_error
from provisioner.cli.observe import observe, touches_unrecorded
from provisioner.cli.options import Out, check_names, choose, with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status, first_of
from provisioner.cli.target import StackLocation, location_of, project_in, writes_of
from provisioner.errors import CtxprovError, NetworkError, StateUnreadable
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Cause
from provisioner.model.facts import Revision, State
from provisioner.model.plan import Leftover, Plan
from provisioner.model.records import Desired, DesiredCache
from provisioner.model.stack_settings import StackSettings, setting_edits
from provisioner.planner.hypothetical import as_if_applied, moved, recorded_as_desired
from provisioner.planner.live_index import remarks
from provisioner.render.summary import headline
from provisioner.resolver import content_reader
from provisioner.state import read_state


class PlanRequest(Struct, frozen=True, kw_only=True):
    """What the command line asks of a plan."""

    environment: str | None
    emulator: bool
    address: str | None
    verbose: bool
    base: str | None
    at: datetime | timedelta | None
    exit_on: frozenset[Cause]
    count_tokens: bool
    prune: bool
    replace: tuple[str, ...]
    allow_empty: bool
    accept_scope: bool
    accept_missing: bool
    models: Path | None
    targets: tuple[str, ...]
    excludes: tuple[str, ...]
    overrides: tuple[str, ...]
    colour: bool


def plan_stacks(
    stacks: tuple[Path, ...],
    *,
    as_json: bool,
    outs: tuple[Out, ...],
    detailed_exitcode: bool,
    exit_on: frozenset[Cause],
    max_wait: timedelta,
    colour: bool | None,
    **given: Any,  # noqa: ANN401  # click checked them; PlanRequest names them
) -> Status:
    """Show what apply would do."""
    request = PlanRequest(
        exit_on=exit_on if detailed_exitcode else frozenset(),
        colour=terminal.wants_colour(colour),
        **given,
    )
    if request.base and (request.emulator or request.prune or request.replace):
        raise click.UsageError(
            "--base compares two revisions of the repository and asks no provider: "
            "leave out --emulator, --prune and --replace."
        )

    async def work(stack: Path, session: Session) -> StackOutcome:
        return await _plan_stack(stack, request, session)

    return over_stacks(stacks, work, outs=with_json(outs, as_json=as_json), max_wait=max_wait)


async def _plan_stack(stack: Path, request: PlanRequest, session: Session) -> StackOutcome:
    now = clock.locally(request.at)
    if request.base and (left := _left(stack, request)):
        return _without_stack(left, request, session, now)
    manifest, desired = await _read(stack, request, session, now)
    check_names(request.replace, desired)
    check_destinations(manifest, with_state=request.address is None)
    unreadable: CtxprovError | None = None
    unseen: CtxprovError | None = None
    last = None
    if request.base:
        plan, before = _review(stack, manifest, desired, request, session, now)
    else:
        location = location_of(manifest, address=request.address, emulator=request.emulator)
        state, unreadable = _recorded(location, manifest.stack)
        plan, unseen = await _compared(manifest, desired, location, state, request, session)
        before, last = state.stack_settings, state.last_edit
    plan = choose(plan, request.targets, request.excludes)
    exceeded = beyond(plan, manifest, before, models=request.models, overrides=request.overrides)
    shown = Presentation(
        plan=plan,
        prices=load_catalog(request.models).find,
        writes=writes_of(manifest, address=request.address, emulator=request.emulator),
        commit=commit_here(stack) if session.outs else None,
        timeless=request.base is not None or unseen is not None,
        breaches=exceeded,
    )
    page = plan_page(lambda: shown.whole, verbose=request.verbose, places=places_of(manifest))
    session.pages.append(page)
    if not session.is_quiet:
        show_plan(shown, colour=request.colour, verbose=request.verbose)
    for remark in remarks(plan):
        tell(f"warning: {remark}")
    is_older = _is_older(manifest, plan, last)
    refused = plan.refused or is_older or any(breach.refuses for breach in exceeded)
    pending = plan.causes & request.exit_on
    failures = [error for error in (unreadable, unseen) if error]
    session.failures += failures
    status = first_of(
        *map(tell_error, failures),
        Status.REFUSED if refused else Status.OK,
        Status.PENDING if pending else Status.OK,
    )
    return StackOutcome(status=status, summary=headline(shown.short))


def _is_older(manifest: Manifest, plan: Plan, last: Revision | None) -> bool:
    """Whether apply would refuse the edits of *plan* as older than *last*; warns if so."""
    if last is None or Cause.EDIT not in plan.causes:
        return False
    from provisioner.cli.commit_order import warn_of_older  # noqa: PLC0415  # for edits alone

    return warn_of_older(manifest.root, plan, last)


def _left(stack: Path, request: PlanRequest) -> Leftover | None:
    """What a stack leaves alive that the branch declares no longer; None if it declares it."""
    from provisioner.cli.leftovers import is_undeclared, leftover_at  # noqa: PLC0415  # for --base

    if not is_undeclared(stack, request.environment):
        return None
    return leftover_at(
        stack, request.base or "", environment=request.environment, address=request.address
    )


def _without_stack(
    left: Leftover, request: PlanRequest, session: Session, now: datetime
) -> StackOutcome:
    """The plan of a stack that the branch removes: apply cannot do anything about it."""
    shown = Presentation(
        plan=Plan(stack=left.stack, at=now, changes=(), edits=frozenset(), leftover=left),
        prices=load_catalog(request.models).find,
        writes=(),
        timeless=True,
    )
    session.pages.append(plan_page(lambda: shown.whole))
    if not session.is_quiet:
        show_plan(shown, colour=request.colour)
    return StackOutcome(status=Status.OK, summary="declared no longer")


async def _read(
    stack: Path, request: PlanRequest, session: Session, now: datetime
) -> tuple[Manifest, tuple[Desired, ...]]:
    """Read the stack, while the projects that it uses are listed."""
    loop = asyncio.get_running_loop()

    def begun(manifest: Manifest) -> None:
        if not request.base:
            loop.call_soon_threadsafe(_begin, manifest, request, session)

    return await asyncio.to_thread(
        load_stack,
        stack,
        environment=request.environment,
        models=request.models,
        now=now,
        allow_empty=request.allow_empty,
        begun=begun,
    )


def _begin(manifest: Manifest, request: PlanRequest, session: Session) -> None:
    """Let the LIST of each project begin.  What is wrong with one, the survey will say."""
    with suppress(CtxprovError, click.UsageError):
        location = location_of(manifest, address=request.address, emulator=request.emulator)
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


async def _compared(
    manifest: Manifest,
    desired: tuple[Desired, ...],
    location: StackLocation,
    state: State,
    request: PlanRequest,
    session: Session,
) -> tuple[Plan, CtxprovError | None]:
    """The plan; where the provider cannot be asked now, the edits alone, and why."""
    try:
        return await _compare(manifest, desired, location, state, request, session), None
    except NetworkError as error:
        if not error.retryable:
            raise
        unseen = NetworkError(
            f"Live side unknown: {error}. The plan shows the edits alone; run it again later.",
            status=error.status,
            words=error.words,
            retryable=True,
            retry_after=error.retry_after,
        )
    return _edits_alone(manifest, desired, location, state, clock.locally(request.at)), unseen


def _edits_alone(
    manifest: Manifest,
    desired: tuple[Desired, ...],
    location: StackLocation,
    state: State,
    now: datetime,
) -> Plan:
    """What differs between the manifest and the record, as if all of that were alive."""
    stack, counts = manifest.stack, remembered(location.backend, manifest.stack)
    applied, live = as_if_applied(recorded_as_desired(state), stack=stack, now=now)
    applied = replace(applied, rested=state.rested)
    wants = with_counts(desired, counts)
    whole = planner.plan(wants, applied, live, stack=stack, now=now, renames=manifest.moved)
    edits = tuple(change for change in whole.changes if change.reason.cause is Cause.EDIT)
    settings = setting_edits(state.stack_settings, manifest.settings)
    return replace(whole, changes=edits, settings=settings)


async def _compare(
    manifest: Manifest,
    desired: tuple[Desired, ...],
    location: StackLocation,
    state: State,
    request: PlanRequest,
    session: Session,
) -> Plan:
    observation = await observe(
        session.clients, location, desired, state, accept_scope=request.accept_scope
    )
    observation = observation.later(request.at)
    counts = remembered(location.backend, manifest.stack)
    if request.count_tokens:
        wants = uncounted(desired, moved(state, manifest.moved), counts)
        fresh = await count(wants, observation.clients, content_reader(manifest), _doubt)
        remember(location.backend, manifest.stack, counts := {**counts, **fresh})
    whole = planner.plan(
        with_counts(desired, counts),
        state,
        observation.live,
        stack=manifest.stack,
        now=observation.at,
        ahead=observation.ahead,
        prune=request.prune,
        replace=request.replace,
        renames=manifest.moved,
        owners=_owners(manifest, desired, state, request),
    )
    rest, _ = braked(
        whole,
        state,
        observation,
        accept_missing=request.accept_missing,
        accept_scope=request.accept_scope,
    )
    return replace(rest, settings=setting_edits(state.stack_settings, manifest.settings))


def _owners(
    manifest: Manifest, desired: tuple[Desired, ...], state: State, request: PlanRequest
) -> Mapping[str, str]:
    """Which other stacks have live caches on record, by id, where the plan may touch those."""
    if not touches_unrecorded(desired, state, prune=request.prune):
        return {}
    from provisioner.cli.other_environments import owners_beside  # noqa: PLC0415  # for --prune and `adopt`

    return owners_beside(
        manifest.root, manifest.stack, address=request.address, emulator=request.emulator
    )()


def _doubt(want: DesiredCache, tokens: int) -> None:
    tell(
        f"warning: {want.name}: the provider counts {tokens:,} tokens where about "
        f"{want.measure.tokens:,} are to be expected; the estimate stays."
    )


def _review(
    stack: Path,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    request: PlanRequest,
    session: Session,
    now: datetime,
) -> tuple[Plan, StackSettings | None]:
    """
    The edits since the merge base, and the settings of the stack there.

    With --verbose their texts too, on the terminal only.
    """
    from provisioner.cli.compare_revisions import compare_revisions  # noqa: PLC0415  # for --base
    from provisioner.render.difference import patch_text  # noqa: PLC0415  # likewise

    plan, before, patches = compare_revisions(
        stack,
        manifest,
        desired,
        request.base or "",
        environment=request.environment,
        address=request.address,
        models=request.models,
        now=now,
        with_patches=request.verbose and not session.is_quiet,
    )
    for patch in patches:
        console.say(patch_text(patch, colour=request.colour))
    return plan, before
