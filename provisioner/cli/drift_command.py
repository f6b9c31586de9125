"""`ctxprov drift`: has somebody changed the live side?"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click
from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.cli import console, options, terminal
from provisioner.cli.outputs import Out, out_option, with_json
from provisioner.cli.place import place_of, settled, tell_waiting
from provisioner.cli.show_plan import Told, plan_page, show_plan
from provisioner.cli.stacks import Ended, Run, over_stacks
from provisioner.cli.status import Status
from provisioner.cli.survey import survey
from provisioner.manifest import load_frame
from provisioner.model import Cause, Plan, State
from provisioner.planner import plan, recorded_as_desired
from provisioner.pricing import Lookup
from provisioner.state import read_state


@click.command("drift")
@options.stacks_argument
@options.env_option
@options.emulator_option
@options.state_option
@options.accept_scope_option
@options.brief_max_wait_option
@options.models_option
@options.json_option
@out_option
@options.colour_option
@options.log_option
def command(
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
    """
    Say whether somebody changed the live side; changes nothing.

    Compares what is recorded with what is live. Tells of caches that are missing, were
    shortened, or carry this stack's label without being on record; is silent about what time
    does and about edits. Exits 2 on drift.

    \b
    Examples:
      ctxprov drift
      ctxprov drift --json
    """

    async def work(stack: Path, run: Run) -> Ended:
        frame = load_frame(stack, environment=environment)
        place = place_of(frame, address=address, emulator=emulator)
        state = read_state(place.backend, stack=frame.stack)
        if state.stack_settings:
            place = place_of(
                settled(frame, state.stack_settings), address=address, emulator=emulator
            )
            tell_waiting(frame, state.stack_settings)
        seen = await survey(run.reach, place, (), state, accept_scope=accept_scope)
        told = plan(
            recorded_as_desired(state),
            state,
            seen.live,
            stack=frame.stack,
            now=seen.at,
            ahead=seen.ahead,
        )
        prices = load_catalog(models).find
        calm = _calm(frame.stack, state)
        return _tell(_drifted(told), prices, calm, run, colour=terminal.wants_colour(colour))

    return over_stacks(stacks, work, outs=with_json(outs, as_json=as_json), max_wait=max_wait)


def _drifted(told: Plan) -> Plan:
    changes = tuple(c for c in told.changes if c.reason.cause is Cause.DRIFT)
    return replace(told, changes=changes)


def _calm(stack: str, state: State) -> str:
    """What to say without drift: nothing is as recorded where there is no record."""
    if state.caches or state.retiring:
        return f"No drift: the live side of {stack} is as recorded."
    return f"Nothing is on record of {stack}, and no live cache carries its label."


def _tell(told: Plan, prices: Lookup, calm: str, run: Run, *, colour: bool) -> Ended:
    shown = Told(plan=told, prices=prices, writes=())
    run.pages.append(plan_page(lambda: shown.whole))
    if told.changes and not run.is_quiet:
        show_plan(shown, colour=colour)
    if told.changes:
        return Ended(status=Status.PENDING, summary=f"{len(told.changes)} drifted")
    if not run.is_quiet:
        console.say(calm)
    return Ended(status=Status.OK, summary=calm)
