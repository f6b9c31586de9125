"""One cache, from what was found to what will come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from provisioner.applier.steps import dry_run
from provisioner.catalog import load_catalog
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Change, Keep, Note, Refresh
from provisioner.model.plan import Plan
from provisioner.model.rates import Lookup
from provisioner.model.records import Desired, DesiredCache, LiveCache
from provisioner.operations.count_tokens import remembered, with_counts
from provisioner.operations.load import load_stack
from provisioner.operations.observe import observe
from provisioner.operations.plan import braked
from provisioner.operations.session import Misuse, Session
from provisioner.operations.stack_location import location_of, owners_beside
from provisioner.planner import plan
from provisioner.planner.decision_table import refresh_due
from provisioner.planner.transitions import about, flips
from provisioner.pricing import cost, price_list
from provisioner.render.explain import Explanation
from provisioner.state import read_state

Decide: TypeAlias = Callable[[datetime], Plan]

_FLIPS = 3
_SOME = 10
"""So many names are listed beside a name that is wrong."""


async def explain_cache(
    session: Session, stack: Path, name: str, *, at: datetime | timedelta | None
) -> tuple[str, list[Explanation]]:
    """
    Explain what a plan decides about the cache that *name* or id means; also the stack's name.

    Raises Misuse if the plan has nothing of that name.
    """
    prices = load_catalog(session.options.models).find
    now = session.ports.locally(at)
    manifest, desired = load_stack(session, stack, now=now, allow_empty=True)
    decide, now = await _planner(session, manifest, desired, at)
    plan = decide(now)
    changes = about(plan, name)
    if not changes:
        raise Misuse(_unknown(name, plan), option="NAME")
    return plan.stack, [await _explained(one, plan, decide, manifest, prices) for one in changes]


async def _planner(
    session: Session,
    manifest: Manifest,
    desired: tuple[Desired, ...],
    when: datetime | timedelta | None,
) -> tuple[Decide, datetime]:
    """What plans for any moment by the local clock, and the moment that is asked for."""
    location = location_of(session, manifest)
    state = read_state(location.backend, stack=manifest.stack)
    observation = await observe(session, location, desired, state)
    wants = with_counts(desired, remembered(location.backend, manifest.stack))
    owners = owners_beside(session, manifest.root, manifest.stack)

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
            owners=owners(wants, state),
        )
        return braked(session, whole, state, then)[0]

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
    return f"nothing in {plan.stack} is called {name!r}; {guess}"
