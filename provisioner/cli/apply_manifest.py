"""`ctxprov apply`: change the live side to match the manifest."""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import click
from msgspec import Struct
from msgspec.structs import replace

from provisioner.approval import Approval
from provisioner.catalog import load_catalog
from provisioner.cli import clock, terminal
from provisioner.cli.absent_state import warn_of_folder
from provisioner.cli.apply import apply_stack
from provisioner.cli.approvals import approval_by
from provisioner.cli.check_limits import beyond, hold
from provisioner.cli.commit_order import performs_edits, refuse_older, revision_here
from provisioner.cli.count_tokens import remembered, with_counts
from provisioner.cli.decision import ApplyRequest
from provisioner.cli.destinations import check_destinations
from provisioner.cli.documents import places_of
from provisioner.cli.keepalive import keeping
from provisioner.cli.load import load_stack
from provisioner.cli.messages import tell_error, tell_usage
from provisioner.cli.metrics import write_metrics
from provisioner.cli.options import Out, check_names, choose, with_json
from provisioner.cli.other_environments import owners_beside
from provisioner.cli.per_stack import Session, StackOutcome, StackRow, Work, rows_over, status_of
from provisioner.cli.status import Status, first_of
from provisioner.cli.target import location_of, settled
from provisioner.cli.watch import HOURLY, watched
from provisioner.errors import CacheError, CtxprovError, StateError
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.resolver import content_reader


class Asked(Struct, frozen=True, kw_only=True):
    """What the command line asks of an apply."""

    environment: str | None
    emulator: bool
    address: str | None
    auto_approve: bool
    plan_file: Path | None
    expect: Approval | None
    prune: bool
    replace: tuple[str, ...]
    allow_empty: bool
    accept_scope: bool
    accept_missing: bool
    parallelism: int
    lock_timeout: timedelta
    targets: tuple[str, ...]
    excludes: tuple[str, ...]
    overrides: tuple[str, ...]
    allow_older: bool
    models: Path | None
    colour: bool


def apply_stacks(
    stacks: tuple[Path, ...],
    *,
    as_json: bool,
    outs: tuple[Out, ...],
    colour: bool | None,
    watch: bool,
    every: timedelta | None,
    metrics_file: Path | None,
    max_wait: timedelta,
    **given: Any,  # noqa: ANN401  # click checked them; Asked names them
) -> Status:
    """Create, refresh, replace and retire caches to match the manifest."""
    asked = Asked(colour=terminal.wants_colour(colour), **given)
    if asked.prune and (asked.plan_file or asked.expect):
        raise click.UsageError("--prune deletes what no plan lists for approval: run it by itself.")
    _check_watch(asked, watch=watch, every=every)
    documents = with_json(outs, as_json=as_json)

    async def work(stack: Path, session: Session) -> StackOutcome:
        return await apply_stack(_request(stack, asked), session)

    turns = count()

    def turn() -> tuple[StackRow, ...]:
        chosen = _or_keep(work, asked, forgiving=next(turns) > 0) if watch else work
        rows = rows_over(stacks, chosen, outs=documents, max_wait=max_wait)
        write_metrics(metrics_file, rows, models=asked.models)
        return rows

    return watched(turn, every=every or HOURLY) if watch else status_of(turn())


def _check_watch(asked: Asked, *, watch: bool, every: timedelta | None) -> None:
    if every and not watch:
        raise click.UsageError("--every sets how often --watch looks for edits: give both.")
    if watch and asked.replace:
        raise click.UsageError(
            "--watch would create the --replace caches again in every run: leave one of them out."
        )
    if watch and not (asked.auto_approve or asked.plan_file or asked.expect):
        raise click.UsageError("--watch never prompts: add --auto-approve, --plan or --expect.")


def _or_keep(work: Work, asked: Asked, *, forgiving: bool) -> Work:
    """
    *work*; and, where it cannot do all that it should, the upkeep of what is recorded.

    Wrong usage is an error, unless it was right before: callers say so by *forgiving*.
    """

    async def both(stack: Path, session: Session) -> StackOutcome:
        pages = len(session.pages)
        outcome = None
        try:
            outcome = await work(stack, session)
        except (CacheError, StateError):
            raise  # the upkeep would meet the same
        except CtxprovError as error:
            status = tell_error(error)
        except click.UsageError as error:
            if not forgiving:
                raise
            status = tell_usage(error)
        else:
            status = outcome.status
            if not outcome.stuck:
                return outcome
        session.clients.look_again()
        kept = await _keeping(asked, outcome)(stack, session)
        del session.pages[pages + 1 :]
        return replace(kept, status=first_of(kept.status, status))

    return both


def _keeping(asked: Asked, outcome: StackOutcome | None) -> Work:
    """The upkeep of all, or of what an apply that *ended* left behind."""
    return keeping(
        environment=asked.environment,
        emulator=asked.emulator,
        address=asked.address,
        accept_scope=asked.accept_scope,
        accept_missing=asked.accept_missing,
        parallelism=asked.parallelism,
        lock_timeout=asked.lock_timeout,
        models=asked.models,
        colour=asked.colour,
        only=outcome.stuck if outcome else None,
        hidden=outcome.dying if outcome else (),
    )


def _request(stack: Path, asked: Asked) -> ApplyRequest:
    manifest, desired = load_stack(
        stack,
        environment=asked.environment,
        models=asked.models,
        now=clock.now(),
        allow_empty=asked.allow_empty,
    )
    check_names(asked.replace, desired)
    check_destinations(manifest, with_state=asked.address is None)
    approval = approval_by(asked.plan_file, asked.expect, stack=manifest.stack)
    overrides = {*asked.overrides, *(approval.limits if approval else ())}
    revision = revision_here(manifest.root)

    def check(plan: Plan, state: State) -> None:
        before = state.stack_settings
        hold(beyond(plan, manifest, before, models=asked.models, overrides=overrides))
        if performs_edits(plan) and revision and state.last_edit and not asked.allow_older:
            refuse_older(manifest.root, revision, state.last_edit)

    location = location_of(manifest, address=asked.address, emulator=asked.emulator)
    warn_of_folder(location, manifest.stack)
    return ApplyRequest(
        operation="apply",
        stack=manifest.stack,
        commit=revision.commit if revision else None,
        location=location,
        wishes=lambda _: with_counts(desired, remembered(location.backend, manifest.stack)),
        read=content_reader(manifest),
        places=places_of(manifest),
        prices=load_catalog(asked.models).find,
        approval=approval,
        check=check,
        settings=manifest.settings,
        settle=lambda settings: location_of(
            settled(manifest, settings), address=asked.address, emulator=asked.emulator
        ),
        revision=revision,
        auto_approve=asked.auto_approve or approval is not None,
        accept_scope=asked.accept_scope,
        accept_missing=asked.accept_missing,
        parallelism=asked.parallelism,
        lock_timeout=asked.lock_timeout,
        colour=asked.colour,
        prune=asked.prune,
        replace=asked.replace,
        renames=manifest.moved,
        owners=owners_beside(stack, manifest.stack, address=asked.address, emulator=asked.emulator),
        refine=lambda plan: choose(plan, asked.targets, asked.excludes),
    )
