"""`ctxprov apply`, `destroy` and `keepalive`: what changes the live side, shown as it happens."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from provisioner import runtime
from provisioner.catalog import load_catalog
from provisioner.cli import console
from provisioner.cli.documents import Output, TerminalView
from provisioner.cli.messages import EXPECTED, tell_error
from provisioner.cli.per_stack import StackOutcome, StackRow, Work, rows_over, status_of
from provisioner.cli.status import Status, first_of
from provisioner.errors import CacheError, CtxprovError, StateError
from provisioner.escape import plain
from provisioner.operations.apply import Applied, apply_stack
from provisioner.operations.apply_manifest import RunRequest, apply_request, destroy_request
from provisioner.operations.keepalive import KeepRequest, Kept, keep_alive
from provisioner.operations.load import prices_or_ours
from provisioner.operations.session import Session
from provisioner.operations.stack_location import check_stack
from provisioner.view.units import when


def apply_stacks(*, watch: bool, every: timedelta | None, **given: Any) -> Status:  # noqa: ANN401  # click checked them
    """Create, refresh, replace and retire caches to match the manifest."""
    approved = given["plan_file"] or given["expect"]
    if given["prune"] and approved:
        raise click.UsageError("--prune deletes what no plan lists for approval: run it by itself.")
    if every and not watch:
        raise click.UsageError("--every sets how often --watch looks for edits: give both.")
    if not watch:
        return status_of(asyncio.run(rows_over(_prepare, given)))
    if given["replace"]:
        raise click.UsageError(
            "--watch would create the --replace caches again in every run: leave one of them out."
        )
    if not (given["auto_approve"] or approved):
        raise click.UsageError("--watch never prompts: add --auto-approve, --plan or --expect.")
    from provisioner.cli.watch import HOURLY, watched  # noqa: PLC0415  # for --watch

    turns = count()

    def turn() -> tuple[StackRow, ...]:
        prepare = partial(_prepare, watch=True, forgiving=next(turns) > 0)
        return asyncio.run(rows_over(prepare, given))

    return watched(turn, every=every or HOURLY, runtime=runtime.SYSTEM)


def _prepare(
    session: Session,
    output: Output,
    *,
    watch: bool = False,
    forgiving: bool = False,
    **given: Any,  # noqa: ANN401  # RunRequest names them
) -> Work:
    asked = RunRequest(**given)
    if not watch:
        return partial(_apply, session, output, asked)
    return partial(_apply_or_keep, session, output, asked, forgiving)


async def _apply(session: Session, output: Output, asked: RunRequest, stack: Path) -> StackOutcome:
    return _outcome(await _applied(session, output, asked, stack))


async def _applied(session: Session, output: Output, asked: RunRequest, stack: Path) -> Applied:
    request = apply_request(session, stack, asked)
    prices = load_catalog(session.options.models).find
    view = TerminalView(output=output, prices=prices, manifest=request.manifest)
    return await apply_stack(session, request, view)


async def _apply_or_keep(
    session: Session,
    output: Output,
    asked: RunRequest,
    forgiving: bool,  # noqa: FBT001  # bound by its name's caller
    stack: Path,
) -> StackOutcome:
    """
    Apply; and where that cannot do all that it should, keep alive what is recorded.

    Wrong usage is an error, unless it was right before: callers say so by *forgiving*.
    """
    pages = len(output.pages)
    applied = None
    try:
        applied = await _applied(session, output, asked, stack)
    except (CacheError, StateError):
        raise  # the upkeep would meet the same
    except EXPECTED as error:
        if not (forgiving or isinstance(error, CtxprovError)):
            raise
        status = tell_error(error)
    else:
        outcome = _outcome(applied)
        status = outcome.status
        if not applied.stuck:
            return outcome
    session.clients.look_again()
    request = KeepRequest(
        parallelism=asked.parallelism,
        lock_timeout=asked.lock_timeout,
        only=applied.stuck if applied else None,
        hidden=applied.dying if applied else (),
    )
    kept = await _keep(session, output, request, stack)
    del output.pages[pages + 1 :]
    return replace(kept, status=first_of(kept.status, status))


def _outcome(applied: Applied) -> StackOutcome:
    status = first_of(
        Status.FAILED if applied.has_failed else Status.OK,
        Status.REFUSED if applied.leaves_refused else Status.OK,
    )
    return StackOutcome(
        status=status,
        summary=applied.summary,
        state=applied.state,
        cold=applied.cold,
        ahead=applied.ahead,
    )


def destroy_stacks(**given: Any) -> Status:  # noqa: ANN401  # click checked them
    """Delete every recorded cache of a stack."""
    if given["name"]:
        check_stack(given["name"])
        if given["stacks"] != (Path(),) or given["environment"]:
            raise click.UsageError(
                "--stack names the stack and its environment: give neither besides."
            )
        if not given["address"]:
            raise click.UsageError("--stack needs the place of the state: --state ADDRESS.")
    return status_of(asyncio.run(rows_over(_destroy, given)))


async def _destroy(
    session: Session,
    output: Output,
    stack: Path,
    *,
    name: str | None,
    key_envs: Mapping[str, str],
    **given: Any,  # noqa: ANN401  # RunRequest names them
) -> StackOutcome:
    request = destroy_request(session, stack, RunRequest(**given), name=name, key_envs=key_envs)
    prices = load_catalog(session.options.models).find
    view = TerminalView(output=output, prices=prices)
    return _outcome(await apply_stack(session, request, view))


async def keep_stack(
    session: Session, output: Output, stack: Path, *, parallelism: int, lock_timeout: timedelta
) -> StackOutcome:
    """Keep alive what is recorded; leave every edit to a review."""
    request = KeepRequest(parallelism=parallelism, lock_timeout=lock_timeout)
    return await _keep(session, output, request, stack)


async def _keep(
    session: Session, output: Output, request: KeepRequest, stack: Path
) -> StackOutcome:
    prices = prices_or_ours(session.options.models)
    view = TerminalView(output=output, prices=prices)
    kept = await keep_alive(session, stack, request, view)
    if not output.is_quiet:
        _tell(kept)
    outcome, finding = _outcome(kept.applied), kept.finding
    status = first_of(outcome.status, Status.FAILED if kept.has_failed else Status.OK)
    return replace(outcome, status=status, summary=finding.sentence if finding else outcome.summary)


def _tell(kept: Kept) -> None:
    for line in kept.lines:
        console.say(plain(line))
    if end := kept.covered_until:
        console.say(f"Covered until {when(end, at=kept.now)}.")
