"""`ctxprov keepalive`: what a schedule runs unattended."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from provisioner.cli import clock, console, terminal
from provisioner.cli.absent_state import Finding, finding, is_unrecorded
from provisioner.cli.apply import apply_stack
from provisioner.cli.check_limits import beyond, hold
from provisioner.cli.checkout import commit_here
from provisioner.cli.decision import ApplyRequest
from provisioner.cli.load import prices_or_ours
from provisioner.cli.metrics import write_metrics
from provisioner.cli.options import Out, with_json
from provisioner.cli.per_stack import Session, StackOutcome, Work, rows_over, status_of
from provisioner.cli.status import Status, first_of
from provisioner.cli.target import location_of, settled
from provisioner.cli.working_tree import WorkingTree, working_tree
from provisioner.errors import ManifestError
from provisioner.escape import plain
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Create
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.model.stack_settings import setting_edits
from provisioner.planner.hypothetical import moved, recorded_as_desired
from provisioner.planner.reasons import edits, rested_among
from provisioner.planner.selection import part_of, without_content
from provisioner.planner.transitions import covered_until
from provisioner.render.summary import gap_line, setting_lines, waiting_lines
from provisioner.state import read_state
from provisioner.view.units import when


def keep_alive(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    accept_scope: bool,
    accept_missing: bool,
    parallelism: int,
    lock_timeout: timedelta,
    max_wait: timedelta,
    models: Path | None,
    metrics_file: Path | None,
    as_json: bool,
    outs: tuple[Out, ...],
    colour: bool | None,
) -> Status:
    """Keep alive what is recorded; leave every edit to a review."""
    work = keeping(
        environment=environment,
        emulator=emulator,
        address=address,
        accept_scope=accept_scope,
        accept_missing=accept_missing,
        parallelism=parallelism,
        lock_timeout=lock_timeout,
        models=models,
        colour=terminal.wants_colour(colour),
    )
    rows = rows_over(stacks, work, outs=with_json(outs, as_json=as_json), max_wait=max_wait)
    write_metrics(metrics_file, rows, models=models)
    return status_of(rows)


def keeping(
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    accept_scope: bool,
    accept_missing: bool,
    parallelism: int,
    lock_timeout: timedelta,
    models: Path | None,
    colour: bool,
    only: Collection[str] | None = None,
    hidden: Collection[str] = (),
) -> Work:
    """
    What keeps alive the record of one stack, or *only* some names of it.

    Published handles leave out those that are *hidden*.
    """

    async def work(stack: Path, session: Session) -> StackOutcome:
        tree = working_tree(stack, environment=environment, models=models, now=clock.now())
        location = location_of(tree.manifest, address=address, emulator=emulator)
        upkeep = _Upkeep(tree, only)
        request = ApplyRequest(
            operation="keepalive",
            stack=tree.manifest.stack,
            commit=commit_here(stack),
            location=location,
            wishes=recorded_as_desired,
            read=tree.read,
            check=lambda plan, state: _warn(plan, tree.manifest, state, models),
            settle=lambda settings: location_of(
                settled(tree.manifest, settings), address=address, emulator=emulator
            ),
            prices=prices_or_ours(models),
            refine=upkeep.refine,
            auto_approve=True,
            accept_scope=accept_scope,
            accept_missing=accept_missing,
            parallelism=parallelism,
            lock_timeout=lock_timeout,
            colour=colour,
            hidden=hidden,
            recorded=True,
        )
        outcome = await apply_stack(request, session)
        state = outcome.state or read_state(location.backend, stack=request.stack)
        cold = None
        if is_unrecorded(tree.manifest, state):
            cold = finding(location, request.stack, labelled=outcome.labelled)
        if not session.is_quiet:
            _tell(upkeep, state, cold)
            if not outcome.cold:
                _tell_cover(state, clock.now() + outcome.ahead)
        status = first_of(
            outcome.status,
            Status.FAILED if upkeep.gaps else Status.OK,
            cold.status if cold else Status.OK,
        )
        return replace(outcome, status=status, summary=cold.sentence if cold else outcome.summary)

    return work


class _Upkeep:
    """What the plan of this run had to leave out."""

    def __init__(self, tree: WorkingTree, only: Collection[str] | None) -> None:
        self.tree = tree
        self.only = only
        self.gaps: tuple[Create, ...] = ()

    def refine(self, plan: Plan) -> Plan:
        chosen = plan if self.only is None else part_of(plan, self.only)
        rest, self.gaps = without_content(chosen, self.tree.digests())
        return rest


def _warn(plan: Plan, manifest: Manifest, state: State, models: Path | None) -> None:
    """Warn of limits.  There is no edit to refuse, and a broken file of models stops nothing."""
    with suppress(ManifestError):
        hold(beyond(plan, manifest, state.stack_settings, models=models, overrides=()))


def _tell(upkeep: _Upkeep, state: State, cold: Finding | None) -> None:
    lines: list[str] = [cold.sentence] if cold else []
    lines += [gap_line(gap) for gap in upkeep.gaps]
    if upkeep.tree.desired is None:
        lines.append("The working tree has errors; ctxprov validate lists them.")
    else:
        lines += setting_lines(setting_edits(state.stack_settings, upkeep.tree.manifest.settings))
        waiting = edits(upkeep.tree.desired, moved(state, upkeep.tree.manifest.moved))
        lines += waiting_lines(waiting - rested_among(waiting, state, stack=state.stack))
    for line in lines:
        console.say(plain(line))


def _tell_cover(state: State, now: datetime) -> None:
    """Until when everything stays warm without another run."""
    end = covered_until(state, now)
    if end is not None:
        console.say(f"Covered until {when(end, at=now)}.")
