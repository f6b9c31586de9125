"""`ctxprov show`: what is on record, and how long it has to live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from provisioner.catalog import load_catalog
from provisioner.cli import clock, console, options, terminal
from provisioner.cli.observe import observe
from provisioner.cli.per_stack import Session, StackOutcome, over_stacks
from provisioner.cli.status import Status
from provisioner.cli.target import StackLocation, location_of
from provisioner.errors import CtxprovError
from provisioner.manifest.stack import load_frame
from provisioner.model.facts import State
from provisioner.model.records import LiveCache, RecordedCache
from provisioner.pricing.costs import upkeep
from provisioner.pricing.rates import Lookup
from provisioner.render.show import show_one, show_text
from provisioner.state import read_state


def show_stacks(
    name: str | None,
    folders: tuple[Path, ...],
    *,
    environment: str | None,
    emulator: bool,
    address: str | None,
    live: bool,
    models: Path | None,
    colour: bool | None,
) -> Status:
    """Show what is on record: a line per cache, or one cache in full."""
    prices = load_catalog(models).find
    coloured = terminal.wants_colour(colour)

    async def work(stack: Path, session: Session) -> StackOutcome:
        frame = load_frame(stack, environment=environment)
        location = location_of(frame, address=address, emulator=emulator)
        state = read_state(location.backend, stack=frame.stack)
        seen, now = await _live(state, location, session) if live else (None, clock.now())
        text = _text(state, name, seen, prices, now, colour=coloured)
        console.show(text)
        return StackOutcome(status=Status.OK, summary=f"{len(state.caches)} on record")

    return over_stacks((options.the_only(folders),) if name else folders, work)


def _text(
    state: State,
    name: str | None,
    seen: Mapping[str, LiveCache] | None,
    prices: Lookup,
    now: datetime,
    *,
    colour: bool,
) -> str:
    rents = {
        record.name: upkeep(record, prices, at=now)
        for record in state.caches.values()
        if isinstance(record, RecordedCache)
    }
    width = terminal.width()
    if name is None:
        return show_text(state, seen, rents=rents, now=now, width=width, colour=colour)
    if name not in state.caches:
        raise CtxprovError(f"{name!r} is not on record in {state.stack}; ctxprov plan says why.")
    record, rent = state.caches[name], rents.get(name)
    return show_one(record, seen, rent=rent, now=now, width=width, colour=colour)


async def _live(
    state: State, location: StackLocation, session: Session
) -> tuple[Mapping[str, LiveCache], datetime]:
    """The live caches by id, and the moment by the clocks of their providers."""
    seen = await observe(session.clients, location, (), state, accept_scope=False)
    return {cache.id: cache for cache in seen.live}, seen.now
