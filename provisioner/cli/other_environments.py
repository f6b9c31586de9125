"""
Which live caches the manifest's other environments have on record.

A cache without a label, which was made by hand, is recognised by records alone: two environments
that adopt one would end it for each other.  Their states are read and not locked.  A stack of
another manifest cannot be seen from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

from provisioner.cli.messages import tell
from provisioner.cli.target import location_of
from provisioner.errors import CtxprovError
from provisioner.manifest.stack import environments_of, load_frame
from provisioner.model.facts import State
from provisioner.model.records import RecordedCache
from provisioner.state import read_state


def owners_beside(
    path: Path, stack: str, *, address: str | None, emulator: bool
) -> Callable[[], Mapping[str, str]]:
    """What finds, once, which stack has a cache on record, by its id, other than *stack*."""

    @cache
    def owners() -> Mapping[str, str]:
        owners_by_id: dict[str, str] = {}
        for environment in environments_of(path):
            try:
                state = _state(path, environment, address, emulator=emulator)
            except CtxprovError as error:
                tell(
                    f"warning: whether {environment} has adopted caches that are adopted here "
                    f"is unknown: {error}"
                )
                continue
            if state.stack != stack:
                owners_by_id.update(dict.fromkeys(_ids(state), state.stack))
        return owners_by_id

    return owners


def _state(path: Path, environment: str, address: str | None, *, emulator: bool) -> State:
    frame = load_frame(path, environment=environment)
    backend = location_of(frame, address=address, emulator=emulator).backend
    return read_state(backend, stack=frame.stack)


def _ids(state: State) -> Iterable[str]:
    records = state.caches.values()
    ids = (record.id for record in records if isinstance(record, RecordedCache))
    return (*ids, *state.retiring)
