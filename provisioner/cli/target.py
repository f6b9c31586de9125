"""
Where a stack keeps its things: state, published handles, the emulator's store.

The command line or the environment says where the state is, else the manifest, else it is in
the folder `state` beside that.  With the emulator everything lives in a folder of its own on
this machine, so that a trial never touches the record of real caches nor the handles that
applications read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from provisioner.cli import clock
from provisioner.cli.destinations import boundary_of
from provisioner.cli.messages import tell
from provisioner.environment import process_environment
from provisioner.errors import StateError
from provisioner.files import leads_out
from provisioner.git import top_of
from provisioner.manifest.types import DEFAULT_STATE, Frame
from provisioner.model.stack_settings import StackSettings, setting_edits
from provisioner.render.summary import setting_lines
from provisioner.state import state_name
from provisioner.storage import Backend, is_remote, open_backend, split_file

_STORE = "gemini.sqlite3"
_CREDENTIAL = re.compile(r"//[^/]*@")


class HandlesLocation(Struct, frozen=True, kw_only=True):
    """A file in a backend."""

    backend: Backend
    name: str


class StackLocation(Struct, frozen=True, kw_only=True):
    """Where one stack's things are; `store` is the emulator's, None for the real endpoint."""

    backend: Backend
    """Of the state, and of what is remembered beside it."""
    publish: HandlesLocation | None
    store: Path | None
    writes: tuple[str, ...]
    """The addresses of state and handles, as they are spelled."""
    key_envs: Mapping[str, str | None]
    """For each provider that keeps caches, the variable its key is in, if it has one."""
    used: frozenset[str]
    """Providers whose projects have to be looked at, even with nothing on record."""
    is_folder: bool
    """Whether the state is on this machine, which may be a runner that vanishes."""


def location_of(frame: Frame, *, address: str | None, emulator: bool) -> StackLocation:
    """
    The place of a stack whose state is at *address*, or where its manifest says.

    A write checks the folder of the manifest, not this: so a run can read and keep alive what is on
    record.  Raises StateError for an address of no known form, and for an
    emulator's store outside of the repository.
    """
    folder = _trial_folder(frame, address) if emulator else None
    top = _trial_top(frame, address) if emulator else None
    return StackLocation(
        backend=_backend(str(folder), Path(), top=top) if folder else backend_of(frame, address),
        publish=_publish(frame, folder, top),
        store=_trial_store(folder, top) if folder else None,
        writes=writes_of(frame, address=address, emulator=emulator),
        key_envs=frame.providers,
        used=frame.used,
        is_folder=not (emulator or is_remote(address or frame.state or DEFAULT_STATE)),
    )


def settled(frame: Frame, settings: StackSettings) -> Frame:
    """*frame* with the keys and the place of handles that *settings* name."""
    return replace(frame, publish=settings.publish, providers=settings.key_envs)


def writes_of(frame: Frame, *, address: str | None, emulator: bool) -> tuple[str, ...]:
    """Spell where apply writes the state and the handles of *frame*, without a credential."""
    chosen = address or frame.state or DEFAULT_STATE
    place = _CREDENTIAL.sub("//", chosen.rstrip("/") or chosen)
    if emulator:
        place = f"{DEFAULT_STATE if is_remote(chosen) else place}/emulator"
    state = f"{place}/{state_name(frame.stack)}"
    if frame.publish is None:
        return (state,)
    return state, f"{place}/{split_file(frame.publish)[1]}" if emulator else frame.publish


def tell_waiting(frame: Frame, recorded: StackSettings) -> None:
    """Name the keys and the place of handles that *frame* changes and no apply has recorded."""
    wanted = replace(recorded, publish=frame.publish, key_envs=frame.providers)
    for line in setting_lines(setting_edits(recorded, wanted)):
        tell(line)


def store_of(folder: Path, frame: Frame | None) -> Path:
    """The emulator's store for a folder, which need not have a manifest."""
    if frame:
        return _trial_store(_trial_folder(frame, None), boundary_of(frame))
    root = folder if folder.is_dir() else folder.parent
    return _trial_store(root / DEFAULT_STATE / "emulator", top_of(root) or root)


def project_in(store: Path | None, provider: str) -> Path | None:
    """The store of one provider beside the emulator's *store*: each is a project of its own."""
    return store and store.with_name(f"{provider}{store.suffix}")


def backend_of(frame: Frame, address: str | None) -> Backend:
    """
    The backend at *address*, or the one that the manifest names.

    A path is relative to where it is written; a branch is the stack's repository's.
    """
    if address:
        return _backend(address, frame.root if is_remote(address) else Path(), top=None)
    return _backend(frame.state or DEFAULT_STATE, frame.root, top=boundary_of(frame))


def _backend(address: str, root: Path, *, top: Path | None) -> Backend:
    """The backend at *address*; a folder is written to inside of *top* alone, if that is given."""
    environ = process_environment()
    if top and not is_remote(address):
        from provisioner.storage import local as disk  # noqa: PLC0415  # asyncio, for those who write

        return disk.backend_at(address, root=root, environ=environ, clock=clock.now, top=top)
    return open_backend(address, root=root, environ=environ, clock=clock.now)


def backend_at(address: str) -> Backend:
    """The backend at *address*, for a stack without a manifest."""
    return _backend(address, Path(), top=None)


def location_at(
    address: str, key_envs: Mapping[str, str | None], *, emulator: bool
) -> StackLocation:
    """The place of a stack without a manifest, whose handles nothing leads to."""
    trial = Path(address) / "emulator"
    return StackLocation(
        backend=backend_at(str(trial) if emulator else address),
        publish=None,
        store=trial / _STORE if emulator else None,
        writes=(_CREDENTIAL.sub("//", address),),
        key_envs=key_envs,
        used=frozenset({"gemini"}),
        is_folder=not (emulator or is_remote(address)),
    )


def address_of(frame: Frame, address: str | None) -> str:
    """What `--state` takes to lead to a stack's state without its manifest."""
    chosen = address or frame.state or DEFAULT_STATE
    return chosen if address or is_remote(chosen) else str(frame.root / chosen)


def _trial_folder(frame: Frame, address: str | None) -> Path:
    spoken = address or frame.state or DEFAULT_STATE
    if is_remote(spoken):
        return frame.root / DEFAULT_STATE / "emulator"
    return (Path() if address else frame.root) / spoken / "emulator"


def _trial_top(frame: Frame, address: str | None) -> Path | None:
    """What the trial's folder has to be in, unless the command line or the environment names it."""
    return None if address and not is_remote(address) else boundary_of(frame)


def _trial_store(folder: Path, top: Path | None) -> Path:
    """The emulator's store in *folder*.  Raises StateError if that leads out of *top*."""
    store = folder / _STORE
    if top and (reason := leads_out(store, top)):
        raise StateError(f"{store} {reason}: nothing is written there.")
    return store


def _publish(frame: Frame, trial: Path | None, trial_top: Path | None) -> HandlesLocation | None:
    if frame.publish is None:
        return None
    location, name = split_file(frame.publish)
    if trial:
        return HandlesLocation(backend=_backend(str(trial), Path(), top=trial_top), name=name)
    return HandlesLocation(
        backend=_backend(location, frame.root, top=boundary_of(frame)), name=name
    )
