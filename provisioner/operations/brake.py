"""
What a run does about a project that lists none, or only some, of its recorded caches.

The planner decides what is held back; here a person's acceptance is read, the sentence is
written, and what became of it goes into the state.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from provisioner.model.facts import Disappearance, Exists, Fact, State
from provisioner.model.plan import Plan
from provisioner.operations.observe import Observation
from provisioner.operations.session import Session
from provisioner.planner.brake import (
    SECOND_LOOK,
    Brake,
    Sight,
    brakes,
    held_back,
    noted,
    probing,
)
from provisioner.times import duration_text
from provisioner.view.units import moment_short

if TYPE_CHECKING:
    from provisioner.state.group_commit import Ledger


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


class Notes:
    """What a run remembers of its projects, as it happens."""

    def __init__(self, ledger: Ledger, state: State, held: Iterable[Brake]) -> None:
        self._ledger = ledger
        self._brakes = tuple(held)
        self._notes = dict(noted(state, self._brakes))
        ledger.note(disappeared=dict(self._notes))
        self.probing = probing(self._brakes)

    def record(self, fact: Fact) -> None:
        """Record *fact*; remembers a cache that is made again as such."""
        self._ledger.record(fact)
        match fact:
            case Exists(record) if record.name in self.probing:
                note = self._notes[record.provider]
                self._note(record.provider, replace(note, remade=(*note.remade, record.id)))
            case _:
                pass

    def probed(self, provider: str, shown: bool) -> None:  # noqa: FBT001  # as apply calls it
        """Remember whether the first cache that this run made in *provider* shows."""
        self._note(provider, replace(self._notes[provider], failed=not shown))

    def _note(self, provider: str, note: Disappearance) -> None:
        self._notes[provider] = note
        self._ledger.note(disappeared=dict(self._notes))
