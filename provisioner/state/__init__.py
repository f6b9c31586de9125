"""
What is remembered of a stack between runs: a file of a backend, `STACK.json`.

A command that only looks reads it here, without a lock; `group_commit.open_ledger` is for the one
run that changes things.

A state belongs to the project that an API key reaches.  A key does not name its project, but
its LIST shows which caches are there.  Keys are recorded by fingerprint; neither a key nor a
network is seen here.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress

import orjson

from provisioner.documents import utf8
from provisioner.errors import ScopeRefused, StackMoved
from provisioner.model.facts import Scope, State
from provisioner.state.state_file import parse_state
from provisioner.storage import Backend, StoredFile

_STACK = re.compile(rb'"stack"\s*:\s*"([^"]*)"')
_SERIAL = re.compile(rb'"serial"\s*:\s*([0-9]{1,15})\b')


def state_name(stack: str) -> str:
    return f"{stack}.json"


def read_state(backend: Backend, *, stack: str) -> State:
    """
    What is remembered of *stack*; nothing, if its file is absent.  Needs no lock.

    Raises `StateUnreadable` if the file may be out of reach rather than absent.
    """
    name = state_name(stack)
    file = backend.read(name)
    if file is None:
        backend.confirm(name)
    return state_of(file, where=backend.where(name), stack=stack)


def state_of(file: StoredFile | None, *, where: str, stack: str, moved: bool = False) -> State:
    """
    The *file* as a state of *stack*; an empty one if there is none.

    Raises StackMoved if that has another name now, unless *moved* says that this is meant.
    """
    if file is None:
        return State(stack=stack)
    state = parse_state(file.content, where=where, stack=stack)
    if state.moved_to and not moved:
        raise moved_away(state)
    return state


def moved_away(state: State) -> StackMoved:
    """The refusal of every run of a stack that has another name now."""
    return StackMoved(
        f"The stack {state.stack} was renamed: it is {state.moved_to} now, and so is its state. "
        "Nothing was changed. Write that name into the manifest; or take the old one back with "
        f"ctxprov state rename-stack {state.moved_to} {state.stack}."
    )


def admit(
    recorded: Scope | None,
    seen: Scope,
    *,
    expected: Collection[str],
    shown: Collection[str],
    accept: bool,
) -> Scope:
    """
    The scope to remember from now on.

    *expected* are the ids that should be alive by the record, *shown* those that the LIST
    shows.  A key or endpoint seen for the first time is welcome if one of them is shown.
    Raises ScopeRefused if any is expected and none is shown, unless *accept* is set.
    """
    if recorded and recorded.endpoint == seen.endpoint and set(seen.keys) <= set(recorded.keys):
        return recorded
    if not accept and expected and set(shown).isdisjoint(expected):
        raise ScopeRefused(_refusal(recorded, seen, len(expected)))
    if recorded is None or recorded.endpoint != seen.endpoint:
        return seen
    return Scope(endpoint=seen.endpoint, keys=tuple(dict.fromkeys((*recorded.keys, *seen.keys))))


def _refusal(recorded: Scope | None, seen: Scope, expected: int) -> str:
    news = (
        f"at {seen.endpoint}, where the state knows them at {recorded.endpoint}"
        if recorded and recorded.endpoint != seen.endpoint
        else "under this API key, which the state has not seen before"
    )
    count = (
        f"none of the {expected} caches that should be alive is"
        if expected > 1
        else "the one cache that should be alive is not"
    )
    return (
        f"{count} to be found {news}: this is "
        "probably another project.  Nothing has been changed.  Use the key and the endpoint of "
        "the project that the caches are in; or give --accept-scope to go on without them, "
        "which makes every cache again here and leaves the old ones to expire."
    )


def remains_of(file: StoredFile | None, *, stack: str) -> State | None:
    """
    What remains of a state that cannot be read: no more than the highest serial it names.

    None if it names another stack than *stack*.
    """
    content = _text(file.content) if file else b""
    if set(_STACK.findall(content)) - {stack.encode()}:
        return None
    return State(stack=stack, serial=max(map(int, _SERIAL.findall(content)), default=0))


def serial_of(file: StoredFile | None) -> int | None:
    """The serial of the state in *file*; None if no run has written it."""
    if file is None:
        return None
    try:
        match orjson.loads(_text(file.content)):
            case {"serial": int(serial)}:
                return serial
            case _:
                return None
    except orjson.JSONDecodeError:
        return None


def _text(raw: bytes) -> bytes:
    with suppress(ValueError):
        return utf8(raw)
    return raw
