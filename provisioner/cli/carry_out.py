"""
One run that changes things, from the lock to the last save.

`apply` and `destroy` differ in what is desired; from there on they are the same.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from string import ascii_lowercase

import click
from msgspec import Struct

from provisioner.applier import apply
from provisioner.cache import CacheContent
from provisioner.cli import clock, terminal
from provisioner.cli.brake import Notes, braked
from provisioner.cli.holding import Held, held_state
from provisioner.cli.interruption import Interruption, listening
from provisioner.cli.place import Place
from provisioner.cli.progress import progress
from provisioner.cli.show_plan import Told, result_page, show_plan, show_results
from provisioner.cli.spots import Spotter, nowhere
from provisioner.cli.stacks import Ended, Run
from provisioner.cli.status import Status, first_of
from provisioner.cli.survey import Survey, survey
from provisioner.cli.unrecorded import labelled
from provisioner.errors import Refused
from provisioner.handles import handles_bytes, publish
from provisioner.model import (
    Adopt,
    Annotate,
    Blocked,
    Create,
    Delete,
    Desired,
    DesiredCache,
    Done,
    Failed,
    Forget,
    NotAttempted,
    Outcome,
    Plan,
    RecordedAnnotation,
    RecordedCache,
    Refresh,
    Replace,
    Result,
    Retire,
    State,
    name_of_change,
)
from provisioner.planner import believable, plan, unsaved, valid_until
from provisioner.pricing import Lookup
from provisioner.render.result import summary_line
from provisioner.state import Ledger

SHARED = (
    "Another checkout with the same stack name in the same project shares these caches: "
    "they would be gone for it as well."
)


class Errand(Struct, frozen=True, kw_only=True):
    """What a run is to do, and how."""

    operation: str
    stack: str
    commit: str | None
    """What is checked out, for the history."""
    place: Place
    wishes: Callable[[State], tuple[Desired, ...]]
    """What is desired, given what is recorded."""
    read: Callable[[DesiredCache], CacheContent]
    prices: Lookup
    spots: Spotter = nowhere
    approve: Callable[[Plan], None] = lambda _: None
    """Raises Refused if the plan does more than was approved elsewhere, or than limits allow."""
    auto_approve: bool
    accept_scope: bool
    accept_missing: bool = False
    parallelism: int
    lock_timeout: timedelta
    colour: bool
    destroy: bool = False
    prune: bool = False
    replace: tuple[str, ...] = ()
    hidden: Collection[str] = ()
    """Names that applications are not told of, whatever the plan is."""
    recorded: bool = False
    """Whether what is on record is compared, and no manifest."""
    renames: tuple[tuple[str, str], ...] = ()
    refine: Callable[[Plan], Plan] = lambda told: told
    """Makes the finished plan smaller."""


async def carry_out(errand: Errand, run: Run) -> Ended:
    """Lock, plan, ask, apply, save."""
    async with held_state(
        errand.place.home,
        stack=errand.stack,
        operation=errand.operation,
        timeout=errand.lock_timeout,
        commit=errand.commit,
    ) as held:
        state = held.ledger.state
        desired = await asyncio.to_thread(errand.wishes, state)
        seen = await survey(
            run.reach, errand.place, desired, state, accept_scope=errand.accept_scope
        )
        told, found = braked(
            _plan(errand, desired, state, seen),
            state,
            seen,
            accept_missing=errand.accept_missing or errand.destroy,
            accept_scope=errand.accept_scope,
        )
        told = errand.refine(told)
        if not run.is_quiet:
            show_plan(
                Told(plan=told, prices=errand.prices),
                colour=errand.colour,
                recorded=errand.recorded,
            )
        errand.approve(told)
        if told.pending and not errand.auto_approve:
            await _ask(errand)
        for fact in unsaved(state, seen.live):
            held.ledger.record(fact)
        for provider, scope in seen.scopes.items():
            held.ledger.note_scope(provider, scope)
        notes = Notes(held.ledger, state, found)
        return await _perform(errand, told, desired, held, seen, notes, run)


def _plan(errand: Errand, desired: tuple[Desired, ...], state: State, seen: Survey) -> Plan:
    return plan(
        desired,
        state,
        seen.live,
        stack=errand.stack,
        now=seen.at,
        ahead=seen.ahead,
        destroy=errand.destroy,
        prune=errand.prune,
        replace=errand.replace,
        renames=errand.renames,
    )


async def _ask(errand: Errand) -> None:
    if not terminal.is_interactive():
        raise Refused(
            f"{errand.operation} changes things and there is no terminal to ask on: "
            "read the plan above and add --auto-approve. Nothing was changed."
        )
    if errand.destroy or errand.prune:
        click.echo(SHARED)
    if not await terminal.confirm(f"{errand.operation.capitalize()} these changes?"):
        raise Refused("Declined; nothing was changed.")


async def _perform(
    errand: Errand,
    told: Plan,
    desired: tuple[Desired, ...],
    held: Held,
    seen: Survey,
    notes: Notes,
    run: Run,
) -> Ended:
    ledger = held.ledger
    before, hidden = ledger.state, {*errand.hidden, *_dying(told)}

    async def save_and_publish() -> None:
        await ledger.save()
        if spot := errand.place.publish:
            known = believable(ledger.state, before, seen.live)
            document = handles_bytes(known, hidden=hidden, now=seen.present())
            await asyncio.to_thread(publish, spot.home, spot.name, document)

    def stop_waiting() -> None:
        for client in seen.clients.values():
            client.stop_waiting()

    results: list[Result] = []
    due = _Due(errand, run, ledger, desired, told, seen, results)
    with listening(stop_waiting) as interruption:
        try:
            with progress(told, results, colour=errand.colour, quiet=run.is_quiet) as report:
                await apply(
                    told,
                    seen.clients,
                    errand.read,
                    notes.record,
                    save_and_publish,
                    report,
                    letters=_letters,
                    due=due.refreshes,
                    parallelism=errand.parallelism,
                    stopping=lambda: interruption.is_asked() or ledger.is_lost,
                    probing=notes.probing,
                    probed=notes.probed,
                )
        except asyncio.CancelledError:
            if not interruption.is_asked():
                raise
        finally:
            run.pages.append(result_page(told, results, prices=errand.prices, spots=errand.spots))
            if not run.is_quiet:
                show_results(told, results, colour=errand.colour)
    summary = summary_line(results)
    if results or ledger.has_news:
        await held.end(summary, fingerprint=told.fingerprint)
    return Ended(
        status=_status(told, results, interruption),
        summary=summary,
        state=ledger.state,
        stuck=_stuck(told, results),
        dying=_dying(told),
        labelled=labelled(seen.live, ledger.state),
        ahead=seen.present() - clock.now(),
    )


class _Due:
    """What comes due while a plan is carried out that takes longer than it is valid."""

    def __init__(
        self,
        errand: Errand,
        run: Run,
        ledger: Ledger,
        desired: tuple[Desired, ...],
        told: Plan,
        seen: Survey,
        results: list[Result],
    ) -> None:
        self._errand, self._run, self._ledger = errand, run, ledger
        self._desired, self._told, self._seen, self._results = desired, told, seen, results
        self._valid_until = valid_until(told)

    async def refreshes(self) -> tuple[Refresh, ...]:
        """Once the plan is no longer valid: LIST and plan again, and refresh what is due."""
        if self._valid_until is None or self._seen.present() < self._valid_until:
            return ()
        self._run.reach.look_again()
        errand, state = self._errand, self._ledger.state
        self._seen = await survey(
            self._run.reach, errand.place, self._desired, state, accept_scope=errand.accept_scope
        )
        fresh = errand.refine(_plan(errand, self._desired, state, self._seen))
        self._valid_until = valid_until(fresh)
        under_way = self._under_way()
        return tuple(
            change
            for change in fresh.changes
            if isinstance(change, Refresh) and change.want.name not in under_way
        )

    def _under_way(self) -> set[str]:
        """Names whose turn in this run is still to come."""
        done = {name_of_change(result.change) for result in self._results}
        return {name_of_change(change) for change in self._told.pending} - done


def _letters() -> str:
    return "".join(secrets.choice(ascii_lowercase) for _ in range(4))


def _status(told: Plan, results: Iterable[Result], interruption: Interruption) -> Status:
    return first_of(
        interruption.status or Status.OK,
        *(_status_of(result.outcome) for result in results),
        Status.REFUSED if told.blocked else Status.OK,
    )


def _status_of(outcome: Outcome) -> Status:
    match outcome:
        case NotAttempted(refused=True):
            return Status.REFUSED
        case Failed() | NotAttempted():
            return Status.FAILED
        case Done():
            return Status.OK


def _stuck(told: Plan, results: Iterable[Result]) -> frozenset[str]:
    """Names whose old cache goes on, because what was to take its place is not there."""
    failed = (result.change for result in results if isinstance(result.outcome, Failed))
    return frozenset(
        name_of_change(change)
        for change in (*told.blocked, *failed)
        if isinstance(change, Blocked | Create | Replace | Adopt | Annotate)
    )


def _dying(told: Plan) -> frozenset[str]:
    """Names whose record this plan ends: applications must not begin to use them."""
    return frozenset(
        change.record.name
        for change in told.changes
        if isinstance(change, Retire | Delete | Forget)
        and isinstance(change.record, RecordedCache | RecordedAnnotation)
    )
