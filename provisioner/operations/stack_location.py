"""
Where a stack keeps its things: state, published handles, the emulator's store.

The command line or the environment says where the state is, else the manifest, else it is in
the folder `state` beside that.  With the emulator everything lives in a folder of its own on
this machine, so that a trial never touches the record of real caches nor the handles that
applications read.

A stack that a manifest may no longer declare goes by its name alone, `STACK` or `STACK.ENV`: the
manifest of a folder says where its state is only while it declares that very stack.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from provisioner.errors import CtxprovError, ManifestError, Refused, StateError
from provisioner.files import leads_out, top_of
from provisioner.manifest import environments_of, load_frame
from provisioner.manifest.types import DEFAULT_STATE, Frame
from provisioner.model.facts import State
from provisioner.model.records import Desired, DesiredCache
from provisioner.model.stack_settings import StackSettings
from provisioner.operations.checkout import boundary_of
from provisioner.operations.session import Misuse, Ports, Session
from provisioner.state import read_state, state_name
from provisioner.storage import Backend, is_remote, split_file

_STORE = "gemini.sqlite3"
_CREDENTIAL = re.compile(r"//[^/]*@")

FindOwners: TypeAlias = Callable[..., Mapping[str, str]]
"""Which other stacks have live caches on record, by id, given what is desired and recorded."""


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


def recorded(session: Session, stack: Path) -> tuple[Frame, StackLocation, State]:
    """A stack's manifest as far as it says where things are, that place, and what is on record."""
    frame = load_frame(stack, environment=session.options.environment)
    location = location_of(session, frame)
    return frame, location, read_state(location.backend, stack=frame.stack)


def location_of(session: Session, frame: Frame) -> StackLocation:
    """
    The place of a stack whose state is where the options say, or else its manifest.

    A write checks the folder of the manifest, not this: so a run can read and keep alive what is on
    record.  Raises StateError for an address of no known form, and for an
    emulator's store outside of the repository; Refused for another stack than the options name.
    """
    if session.options.loaded_as not in {None, frame.stack}:
        raise Refused(
            f"The manifest in {frame.root} is of the stack {frame.stack} now: it was loaded as "
            f"{session.options.loaded_as} and has been edited since. Load it again."
        )
    address, emulator, ports = session.options.address, session.options.emulator, session.ports
    chosen = address or frame.state or DEFAULT_STATE
    # The command line and the environment may name any folder, a manifest those of its repository.
    is_trusted = bool(address) and not is_remote(chosen)
    root, top = (ports.folder, None) if is_trusted else (frame.root, boundary_of(frame))
    store, publish = None, None
    if emulator:
        trial = _trial_folder(root, chosen)
        backend = _backend(ports, str(trial), ports.folder, top)
        store = _trial_store(trial, top)
    else:
        backend = _backend(ports, chosen, root, top)
    if frame.publish is not None:
        folder, name = split_file(frame.publish)
        handles = backend if emulator else _backend(ports, folder, frame.root, boundary_of(frame))
        publish = HandlesLocation(backend=handles, name=name)
    return StackLocation(
        backend=backend,
        publish=publish,
        store=store,
        writes=writes_of(frame, address=address, emulator=emulator),
        key_envs=frame.providers,
        used=frame.used,
        is_folder=not (emulator or is_remote(chosen)),
    )


def location_by(session: Session, frame: Frame, settings: StackSettings) -> StackLocation:
    """The same, with the keys and the place of handles that *settings* name."""
    frame = replace(frame, publish=settings.publish, providers=settings.key_envs)
    return location_of(session, frame)


def owners_beside(session: Session, path: Path, stack: str) -> FindOwners:
    """
    What finds, once, which environment other than *stack* has a live cache on record, by its id.

    Only for a plan that may touch what is not on record: by an `adopt`, or by --prune.  A cache
    without a label, which was made by hand, is recognised by records alone: two
    environments that adopt one would end it for each other.  Their states are read and not
    locked.  A stack of another manifest cannot be seen from here.
    """

    @cache
    def owners() -> Mapping[str, str]:
        owners_by_id: dict[str, str] = {}
        for environment in environments_of(path):
            options = replace(session.options, environment=environment, loaded_as=None)
            try:
                _, _, state = recorded(replace(session, options=options), path)
            except CtxprovError as error:
                session.ports.console.warn(
                    f"whether {environment} has adopted caches that are adopted here "
                    f"is unknown: {error}"
                )
                continue
            if state.stack != stack:
                owners_by_id.update(dict.fromkeys(state.ids, state.stack))
        return owners_by_id

    def find(desired: Iterable[Desired], state: State, *, prune: bool = False) -> Mapping[str, str]:
        adopts = any(
            isinstance(want, DesiredCache) and want.adopt and want.name not in state.caches
            for want in desired
        )
        return owners() if prune or adopts else {}

    return find


def no_owners(desired: Iterable[Desired], state: State, *, prune: bool) -> Mapping[str, str]:
    """For a stack that is known by its name alone."""
    del desired, state, prune
    return {}


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


def store_of(folder: Path, frame: Frame | None) -> Path:
    """The emulator's store for a folder, which need not have a manifest."""
    if frame:
        trial = _trial_folder(frame.root, frame.state or DEFAULT_STATE)
        return _trial_store(trial, boundary_of(frame))
    root = folder if folder.is_dir() else folder.parent
    return _trial_store(_trial_folder(root, DEFAULT_STATE), top_of(root) or root)


def project_in(store: Path | None, provider: str) -> Path | None:
    """The store of one provider beside the emulator's *store*: each is a project of its own."""
    return store and store.with_name(f"{provider}{store.suffix}")


def _backend(ports: Ports, address: str, root: Path, top: Path | None = None) -> Backend:
    """
    The backend at *address*, a path from *root*; a branch is the repository's around *root*.

    A folder is written to inside of *top* alone, if that is given.
    """
    return ports.open_backend(address, root=root, environ=ports.environ, runtime=ports, top=top)


def backend_at(ports: Ports, address: str) -> Backend:
    """The backend at *address*, for a stack without a manifest."""
    return _backend(ports, address, ports.folder)


def location_named(session: Session, stack: str, key_envs: Mapping[str, str]) -> StackLocation:
    """
    The place of a stack without a manifest, whose handles nothing leads to.

    Warns if nothing is on record there.  Raises Refused for a provider whose key is named nowhere.
    """
    console, emulator = session.ports.console, session.options.emulator
    address = session.options.address or ""
    trial = Path(address) / "emulator"
    backend = backend_at(session.ports, str(trial) if emulator else address)
    state = read_state(backend, stack=stack)
    keys = keys_of(state, key_envs)
    if not (state.caches or state.retiring or state.stack_settings):
        where = backend.where(state_name(stack))
        console.warn(f"Nothing is on record in {where}: check the name.")
    else:
        published = state.stack_settings.publish if state.stack_settings else None
        console.note(
            f"The handles that {stack} published{f' in {published}' if published else ''} are not "
            "rewritten: delete that file once no program reads it."
        )
    return StackLocation(
        backend=backend,
        publish=None,
        store=trial / _STORE if emulator else None,
        writes=(_CREDENTIAL.sub("//", address),),
        key_envs=keys,
        used=frozenset({"gemini"}),
        is_folder=not (emulator or is_remote(address)),
    )


def address_of(frame: Frame, address: str | None) -> str:
    """What `--state` takes to lead to a stack's state without its manifest."""
    chosen = address or frame.state or DEFAULT_STATE
    return chosen if address or is_remote(chosen) else str(frame.root / chosen)


def _trial_folder(root: Path, address: str) -> Path:
    """The emulator's folder beside a state at *address*, or in *root* if that is elsewhere."""
    return root / (DEFAULT_STATE if is_remote(address) else address) / "emulator"


def _trial_store(folder: Path, top: Path | None) -> Path:
    """The emulator's store in *folder*.  Raises StateError if that leads out of *top*."""
    store = folder / _STORE
    if top and (reason := leads_out(store, top)):
        raise StateError(f"{store} {reason}: nothing is written there.")
    return store


_STACK = re.compile(r"[a-z0-9][a-z0-9-]{0,31}(\.[a-z0-9][a-z0-9-]{0,15})?")

_VARIABLE = re.compile(r"([A-Z_][A-Z0-9_]*)?(GEMINI|GOOGLE)[A-Z0-9_]*")
"""What a manifest may name."""


def check_stack(name: str) -> str:
    """Return *name* if it is a stack's, else raise Misuse."""
    if not _STACK.fullmatch(name):
        raise Misuse(f"{name!r} is not a stack name: give STACK or STACK.ENV.")
    return name


def backends_of(session: Session, stacks: Sequence[str], folder: Path) -> Sequence[Backend]:
    """
    The backend of each state: where the options say, or the manifest of *folder*.

    A stack that the manifest does not declare (any more, or yet) is where the others are.
    Raises Refused if it declares none of them.
    """
    for stack in stacks:
        check_stack(stack)
    options = session.options
    if options.address and not options.emulator:
        return [backend_at(session.ports, options.address) for _ in stacks]
    frames = [_frame(folder, stack) for stack in stacks]
    declared = [one for one in frames if one]
    if not declared:
        raise Refused(
            f"{folder} declares neither {' nor '.join(stacks)}: name the stack's folder with -C, "
            "or the place of the state with --state."
        )
    return [location_of(session, one or declared[0]).backend for one in frames]


def keys_of(state: State, given: Mapping[str, str]) -> Mapping[str, str | None]:
    """
    The variable with the key of each provider that *state* remembers, as *given* or recorded.

    A recorded name is taken only if a manifest could have it, so that a state from elsewhere
    leads to no other secret.  Raises Refused with what to give for the others.
    """
    settings = state.stack_settings.key_envs if state.stack_settings else {}
    recorded = {
        name: variable
        for name, variable in settings.items()
        if variable is None or _VARIABLE.fullmatch(variable)
    }
    variables = {"gemini": None, **recorded, **given}
    needed = {record.provider for record in state.live_records}
    needed.update(retiring.provider for retiring in state.retiring.values())
    if missing := sorted(needed - variables.keys()):
        options = " ".join(f"--key-env {name}=VARIABLE" for name in missing)
        raise Refused(
            f"The state of {state.stack} has caches of {', '.join(missing)}: say which variable "
            f"has the key of that project with {options}. Nothing was changed."
        )
    return variables


def _frame(folder: Path, stack: str) -> Frame | None:
    try:
        frame = load_frame(folder, environment=stack.partition(".")[2] or None)
    except ManifestError:
        return None
    return frame if frame.stack == stack else None
