"""
How a stack stands without an edit: what another program changed, what becomes due, what is lost.

An absent state is never health: a runner that vanished may have taken the state along, and then
every cache goes cold in silence.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from provisioner.manifest.types import Frame
from provisioner.model.changes import Cause
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.model.records import LiveCache
from provisioner.model.stack_settings import setting_edits
from provisioner.operations.observe import observe
from provisioner.operations.session import Session
from provisioner.operations.stack_location import StackLocation, location_by, recorded
from provisioner.planner import plan
from provisioner.planner.hypothetical import recorded_as_desired
from provisioner.planner.transitions import covered_until, next_run
from provisioner.render.summary import setting_lines
from provisioner.state import state_name


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
    frame, location, state = await session.ports.read(partial(recorded, session, stack))
    if settings := state.stack_settings:
        location = location_by(session, frame, settings)
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
    frame, location, state = await session.ports.read(partial(recorded, session, stack))
    cold = None
    if is_unrecorded(frame, state):
        observation = await observe(session, location, (), state)
        alive = labelled(observation.live, state)
        cold = finding(session, location, frame.stack, labelled=alive)
    return Due(
        stack=frame.stack, due=next_run(state, now), end=covered_until(state, now), cold=cold
    )


_COLD = "Nothing is on record: nothing is kept warm."
_ELSEWHERE = (
    "give the state a place that outlasts the run, such as --state git+branch:ctxprov-state"
)


class Finding(Struct, frozen=True, kw_only=True):
    """The sentence for a stack with nothing on record, and whether that is a failure."""

    sentence: str
    is_failure: bool = True


def is_unrecorded(frame: Frame, state: State) -> bool:
    """Whether the stack declares caches to be kept warm, and none is on record."""
    return frame.is_warm and not state.ids


def finding(session: Session, location: StackLocation, stack: str, *, labelled: int) -> Finding:
    """Judge a stack that `is_unrecorded` and has so many live caches with its label."""
    if labelled:
        carry = "1 live cache carries" if labelled == 1 else f"{labelled} live caches carry"
        sentence = (
            f"{_COLD} Yet {carry} the label of {stack}: a run was cut off before it saved, or the "
            "state is elsewhere. Run ctxprov apply, which adopts what is declared, or name the "
            "state's place with --state."
        )
        return Finding(sentence=sentence)
    if location.is_folder and session.ports.environ.get("CI"):
        where = location.backend.where(state_name(stack))
        sentence = (
            f"{_COLD} CI is set and the state would be the file {where}, which a runner takes "
            f"along when it ends: {_ELSEWHERE}, and run ctxprov apply."
        )
        return Finding(sentence=sentence)
    return Finding(sentence=f"{_COLD} Run ctxprov apply first.", is_failure=False)


def labelled(live: Iterable[LiveCache], state: State) -> int:
    """How many of the *live* caches carry the stack's label and were not given to another."""
    return sum(
        cache.label is not None and cache.label.stack == state.stack and cache.id not in state.given
        for cache in live
    )


def warn_of_folder(session: Session, location: StackLocation, stack: str) -> None:
    """Warn where what a run remembers may end with its machine."""
    if location.is_folder and session.ports.environ.get("CI"):
        where = location.backend.where(state_name(stack))
        session.ports.console.warn(
            f"CI is set and the state is the file {where}: unless something keeps that "
            "file, the next runner knows nothing of these caches. "
            f"Else {_ELSEWHERE}."
        )
