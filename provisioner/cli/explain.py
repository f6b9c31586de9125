"""`ctxprov explain`: one cache, from what was found to what will come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import click

from provisioner.applier.steps import dry_run
from provisioner.catalog import load_catalog
from provisioner.cli import clock, console, terminal
from provisioner.cli.brake import braked
from provisioner.cli.clients import Clients
from provisioner.cli.count_tokens import remembered, with_counts
from provisioner.cli.load import load_stack
from provisioner.cli.observe import observe, touches_unrecorded
from provisioner.cli.options import with_json
from provisioner.cli.other_environments import owners_beside
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.cli.target import StackLocation, location_of
from provisioner.escape import plain
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Change, Keep, Note, Refresh
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, DesiredCache, LiveCache
from provisioner.planner import plan
from provisioner.planner.reasons import refresh_due
from provisioner.planner.transitions import about, flips
from provisioner.pricing.costs import cost, price_list
from provisioner.pricing.rates import Lookup
from provisioner.render.explain import Explanation, explain_json, explain_text
from provisioner.state import read_state

Decide: TypeAlias = Callable[[datetime], Plan]

_FLIPS = 3
_SOME = 10
"""So many names are listed beside a name that is wrong."""


def explain_cache(
    name: str,
    folders: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    at: datetime | timedelta | None,
    accept_scope: bool,
    models: Path | None,
    as_json: bool,
    colour: bool | None,
) -> Status:
    """Explain what plan decides about one cache, and from what."""
    prices = load_catalog(models).find

    async def work(stack: Path, session: Session) -> StackOutcome:
        manifest, desired = load_stack(
            stack,
            environment=environment,
            models=models,
            now=clock.locally(at),
            allow_empty=True,
        )
        location = location_of(manifest, address=address, emulator=emulator)
        decide, now = await _planner(
            session.clients,
            manifest,
            desired,
            location,
            at,
            address=address,
            accept_scope=accept_scope,
        )
        plan = decide(now)
        changes = about(plan, name)
        if not changes:
            raise click.BadParameter(_unknown(name, plan), param_hint="NAME")
        explained = [await _explained(one, plan, decide, manifest, prices) for one in changes]
        page = explain_json(plan.stack, explained)
        session.pages.append(lambda _: page)
        if not session.is_quiet:
            width, coloured = terminal.width(), terminal.wants_colour(colour)
            text = explain_text(explained, width=width, colour=coloured)
            console.show(text)
        return StackOutcome(status=Status.OK, summary=", ".join(change.verb for change in changes))

    return over_stacks(folders, work, outs=with_json((), as_json=as_json))


async def _planner(
    clients: Clients,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    location: StackLocation,
    when: datetime | timedelta | None,
    *,
    address: str | None,
    accept_scope: bool,
) -> tuple[Decide, datetime]:
    """What plans for any moment by the local clock, and the moment that is asked for."""
    state = read_state(location.backend, stack=manifest.stack)
    observation = await observe(clients, location, desired, state, accept_scope=accept_scope)
    wants = with_counts(desired, remembered(location.backend, manifest.stack))
    owners = owners_beside(
        manifest.root, manifest.stack, address=address, emulator=location.store is not None
    )

    def decide(at: datetime) -> Plan:
        then = observation.at_local(at)
        whole = plan(
            wants,
            state,
            then.live,
            stack=manifest.stack,
            now=at,
            ahead=then.ahead,
            renames=manifest.moved,
            owners=owners() if touches_unrecorded(wants, state, prune=False) else {},
        )
        rest, _ = braked(whole, state, then, accept_missing=False, accept_scope=accept_scope)
        return rest

    return decide, observation.later(when).at


async def _explained(
    change: Change, plan: Plan, decide: Decide, manifest: Manifest, prices: Lookup
) -> Explanation:
    entry = manifest.caches.get(change.name)
    now = plan.now_of(change.provider)
    return Explanation(
        change=change,
        at=now,
        declared=entry.places[0].address if entry and change.want else None,
        window=_window(change),
        calls=await dry_run(change, at=now),
        flips=tuple(islice(flips(decide, plan, change), _FLIPS)),
        cost=cost(change, prices, at=now),
        prices=price_list(change, prices, at=now),
    )


def _window(change: Change) -> datetime | None:
    match change:
        case (
            Refresh(want, own) | Note(want, own) | Keep(DesiredCache() as want, LiveCache() as own)
        ):
            return refresh_due(want, own)
        case _:
            return None


def _unknown(name: str, plan: Plan) -> str:
    names = dict.fromkeys(change.name for change in plan.changes)
    close = get_close_matches(name, names, 1)
    some = ", ".join(islice(names, _SOME)) or "nothing"
    more = f" and {len(names) - _SOME:,} more" if len(names) > _SOME else ""
    guess = f"did you mean {close[0]}?" if close else f"it has {some}{more}"
    return plain(f"nothing in {plan.stack} is called {name!r}; {guess}")
