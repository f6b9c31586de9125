"""What another program changed on the live side of a stack; and what becomes due, by its state."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.changes import Cause
from provisioner.model.plan import Plan
from provisioner.model.stack_settings import setting_edits
from provisioner.operations.absent_state import Finding, finding, is_unrecorded, labelled
from provisioner.operations.observe import observe
from provisioner.operations.session import Session
from provisioner.operations.stack_location import location_of, recorded, settled
from provisioner.planner import plan
from provisioner.planner.hypothetical import recorded_as_desired
from provisioner.planner.transitions import covered_until, next_run
from provisioner.render.summary import setting_lines


class Drift(Struct, frozen=True, kw_only=True):
    """The part of a plan that is drift, and what to say where there is none."""

    plan: Plan
    calm: str


class Due(Struct, frozen=True, kw_only=True):
    """When a stack wants a run, and until when it is warm without one; None is never."""

    stack: str
    due: datetime | None
    end: datetime | None
    cold: Finding | None
    """What it means that nothing is on record, if that is so."""


async def drift_of(session: Session, stack: Path) -> Drift:
    """
    Compare what is on record with the live side.

    Names the keys and the place of handles that the manifest changes and no apply has recorded.
    """
    frame, location, state = recorded(session, stack)
    if settings := state.stack_settings:
        location = location_of(session, settled(frame, settings))
        wanted = replace(settings, publish=frame.publish, key_envs=frame.providers)
        for line in setting_lines(setting_edits(settings, wanted)):
            session.ports.console.note(line)
    observation = await observe(session, location, (), state)
    whole = plan(
        recorded_as_desired(state),
        state,
        observation.live,
        stack=frame.stack,
        now=observation.at,
        ahead=observation.ahead,
    )
    calm = f"No drift: the live side of {frame.stack} is as recorded."
    if not (state.caches or state.retiring):
        calm = f"Nothing is on record of {frame.stack}, and no live cache carries its label."
    changes = tuple(one for one in whole.changes if one.reason.cause is Cause.DRIFT)
    return Drift(plan=replace(whole, changes=changes), calm=calm)


async def due_of(session: Session, stack: Path, now: datetime) -> Due:
    """When the stack wants a run; asks its provider only if nothing is on record."""
    frame, location, state = recorded(session, stack)
    cold = None
    if is_unrecorded(frame, state):
        observation = await observe(session, location, (), state)
        alive = labelled(observation.live, state)
        cold = finding(session, location, frame.stack, labelled=alive)
    return Due(
        stack=frame.stack, due=next_run(state, now), end=covered_until(state, now), cold=cold
    )
