"""`ctxprov drift`: what another program changed on the live side."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.cli import console, terminal
from provisioner.cli.documents import Presentation, plan_page, show_plan
from provisioner.cli.observe import observe
from provisioner.cli.options import Out, with_json
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.cli.target import location_of, settled, tell_waiting
from provisioner.manifest.stack import load_frame
from provisioner.model.changes import Cause
from provisioner.model.facts import State
from provisioner.model.plan import Plan
from provisioner.planner import plan
from provisioner.planner.hypothetical import recorded_as_desired
from provisioner.pricing.rates import Lookup
from provisioner.state import read_state


def report_drift(
    stacks: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    accept_scope: bool,
    max_wait: timedelta,
    models: Path | None,
    as_json: bool,
    outs: tuple[Out, ...],
    colour: bool | None,
) -> Status:
    """Report what another program changed on the live side; change nothing."""

    async def work(stack: Path, session: Session) -> StackOutcome:
        frame = load_frame(stack, environment=environment)
        location = location_of(frame, address=address, emulator=emulator)
        state = read_state(location.backend, stack=frame.stack)
        if state.stack_settings:
            location = location_of(
                settled(frame, state.stack_settings), address=address, emulator=emulator
            )
            tell_waiting(frame, state.stack_settings)
        observation = await observe(session.clients, location, (), state, accept_scope=accept_scope)
        whole = plan(
            recorded_as_desired(state),
            state,
            observation.live,
            stack=frame.stack,
            now=observation.at,
            ahead=observation.ahead,
        )
        prices = load_catalog(models).find
        calm = _calm(frame.stack, state)
        return _tell(_drifted(whole), prices, calm, session, colour=terminal.wants_colour(colour))

    return over_stacks(stacks, work, outs=with_json(outs, as_json=as_json), max_wait=max_wait)


def _drifted(plan: Plan) -> Plan:
    changes = tuple(c for c in plan.changes if c.reason.cause is Cause.DRIFT)
    return replace(plan, changes=changes)


def _calm(stack: str, state: State) -> str:
    """What to say without drift: nothing is as recorded where there is no record."""
    if state.caches or state.retiring:
        return f"No drift: the live side of {stack} is as recorded."
    return f"Nothing is on record of {stack}, and no live cache carries its label."


def _tell(plan: Plan, prices: Lookup, calm: str, session: Session, *, colour: bool) -> StackOutcome:
    shown = Presentation(plan=plan, prices=prices, writes=())
    session.pages.append(plan_page(lambda: shown.whole))
    if plan.changes and not session.is_quiet:
        show_plan(shown, colour=colour)
    if plan.changes:
        return StackOutcome(status=Status.PENDING, summary=f"{len(plan.changes)} drifted")
    if not session.is_quiet:
        console.say(calm)
    return StackOutcome(status=Status.OK, summary=calm)
