"""
What it means that nothing is on record: nothing was applied yet, or the state was lost.

Decides the sentence for it, and whether it is a failure.  An absent state is never health: a runner
that vanished may have taken the state along, and then every cache goes cold in silence.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct

from provisioner.manifest.types import Frame
from provisioner.model.facts import State
from provisioner.model.records import LiveCache
from provisioner.operations.session import Session
from provisioner.operations.stack_location import StackLocation
from provisioner.state import state_name

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
