"""What a schedule does unattended: keep alive what is recorded, leave every edit to a review."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from msgspec import Struct

from provisioner.catalog import load_catalog
from provisioner.errors import ManifestError
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Create
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.model.stack_settings import setting_edits
from provisioner.operations.apply import Applied, RunView, apply_stack
from provisioner.operations.checkout import commit_here
from provisioner.operations.decision import ApplyRequest
from provisioner.operations.drift import Finding, finding, is_unrecorded
from provisioner.operations.load import WorkingTree, working_tree
from provisioner.operations.plan import beyond, hold
from provisioner.operations.session import Session
from provisioner.operations.stack_location import location_by, location_of
from provisioner.planner import edits, moved, rested_among
from provisioner.planner.hypothetical import recorded_as_desired
from provisioner.planner.selection import part_of, without_content
from provisioner.planner.transitions import covered_until
from provisioner.render.summary import gap_line, setting_lines, waiting_lines


class KeepRequest(Struct, frozen=True, kw_only=True):
    """What is asked of a run that keeps alive."""

    parallelism: int
    lock_timeout: timedelta
    only: Collection[str] | None = None
    """Names, if not all that is on record is to be kept alive."""
    hidden: Collection[str] = ()
    """Names that no published handle has."""


class Kept(Struct, frozen=True, kw_only=True):
    """How a run ended that keeps alive what is recorded."""

    applied: Applied
    finding: Finding | None
    """What it means that nothing is on record, if that is so."""
    gaps: tuple[Create, ...]
    """What died, and whose content is not here any more."""
    lines: tuple[str, ...]
    """What the run left to others, in sentences."""
    now: datetime
    """The moment afterwards, by the clocks of the providers."""

    @property
    def has_failed(self) -> bool:
        """Whether a cache was not kept, or nothing is on record though it should be."""
        is_lost = self.finding is not None and self.finding.is_failure
        return self.applied.has_failed or bool(self.gaps) or is_lost

    @property
    def covered_until(self) -> datetime | None:
        """Until when all that is kept warm stays warm without a run, if all of it is."""
        return None if self.applied.cold else covered_until(self.applied.state, self.now)


async def keep_alive(session: Session, stack: Path, request: KeepRequest, view: RunView) -> Kept:
    """Keep alive the record of one stack, as far as the working tree still has its content."""
    ports = session.ports
    tree = await ports.read(partial(working_tree, stack, session.options, now=ports.now()))
    manifest = tree.manifest
    location = location_of(session, manifest)
    upkeep = _Upkeep(tree, request.only)
    applied = await apply_stack(
        session,
        ApplyRequest(
            operation="keepalive",
            stack=manifest.stack,
            commit=await ports.read(partial(commit_here, ports, stack)),
            location=location,
            wishes=recorded_as_desired,
            read=tree.reader(),
            check=lambda plan, state: _warn(session, plan, manifest, state),
            settle=partial(location_by, session, manifest),
            refine=upkeep.refine,
            auto_approve=True,
            parallelism=request.parallelism,
            lock_timeout=request.lock_timeout,
            hidden=request.hidden,
        ),
        view,
    )
    cold = None
    if is_unrecorded(manifest, applied.state):
        cold = finding(session, location, manifest.stack, labelled=applied.labelled)
    return Kept(
        applied=applied,
        finding=cold,
        gaps=upkeep.gaps,
        lines=(*([cold.sentence] if cold else []), *_left(upkeep, applied.state)),
        now=ports.now() + applied.ahead,
    )


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


def _warn(session: Session, plan: Plan, manifest: Manifest, state: State) -> None:
    """Warn of limits.  There is no edit to refuse, and a broken file of models stops nothing."""
    with suppress(ManifestError):
        prices = load_catalog(session.options.models).find
        exceeded = beyond(plan, manifest, state.stack_settings, prices=prices, overrides=())
        hold(session.ports.console, exceeded)


def _left(upkeep: _Upkeep, state: State) -> list[str]:
    """What a review or a person has to do."""
    lines = [gap_line(gap) for gap in upkeep.gaps]
    if upkeep.tree.desired is None:
        return [*lines, "The working tree has errors; ctxprov validate lists them."]
    lines += setting_lines(setting_edits(state.stack_settings, upkeep.tree.manifest.settings))
    waiting = edits(upkeep.tree.desired, moved(state, upkeep.tree.manifest.moved))
    return [*lines, *waiting_lines(waiting - rested_among(waiting, state, stack=state.stack))]
