"""
What is on record of a stack, what of it is live, and what it costs from now on.

Asks the provider only if that is asked for; changes nothing and takes no lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec import Struct

from provisioner.cache import Json
from provisioner.catalog import load_catalog
from provisioner.errors import CtxprovError
from provisioner.handles import handles_fields
from provisioner.model.facts import State
from provisioner.model.money import Rent
from provisioner.model.records import LiveCache, Recorded
from provisioner.operations.observe import observe
from provisioner.operations.session import Session
from provisioner.operations.stack_location import recorded
from provisioner.pricing import upkeep


class Records(Struct, frozen=True, kw_only=True):
    """The state of a stack at one moment."""

    state: State
    now: datetime
    """By the provider's clock if it was asked, else by the local one."""
    live: Mapping[str, LiveCache] | None
    """By id; None if the provider was not asked."""
    rents: Mapping[str, Rent]
    """By name."""

    def named(self, name: str) -> Recorded:
        """The record of *name*.  Raises CtxprovError if there is none."""
        if name not in self.state.caches:
            raise CtxprovError(
                f"{name!r} is not on record in {self.state.stack}; ctxprov plan says why."
            )
        return self.state.caches[name]


async def read_records(session: Session, stack: Path, *, live: bool) -> Records:
    """Read what is on record; ask the provider as well if *live*."""
    prices = load_catalog(session.options.models).find
    _, location, state = await session.ports.read(partial(recorded, session, stack))
    by_id, now = None, session.ports.now()
    if live:
        observation = await observe(session, location, (), state)
        by_id, now = {cache.id: cache for cache in observation.live}, observation.now
    rents = {record.name: upkeep(record, prices, at=now) for record in state.live_records}
    return Records(state=state, now=now, live=by_id, rents=rents)


def handle_of(session: Session, state: State, name: str) -> Json:
    """The handle of *name* as it is published.  Raises CtxprovError if there is none alive."""
    match handles_fields(state, hidden=(), now=session.ports.now()):
        case {"caches": Mapping() as caches} if name in caches:
            entry: Json = caches[name]
            return entry
        case _:
            raise CtxprovError(
                f"{name!r} has no handle in {state.stack}: it is not on record or has expired. "
                "ctxprov plan shows why; ctxprov apply creates it."
            )
