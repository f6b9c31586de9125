"""
How what is remembered goes from one stack to another: decided here, saved elsewhere.

The receiving state is saved first, so that a run that is cut off between the two saves leaves
every cache on record at least once.  Hence each decision also knows its own half: what the
receiving state has already is not an obstacle but the first half of the same move.
"""

from __future__ import annotations

from types import MappingProxyType

from msgspec import Struct
from msgspec.structs import replace

from provisioner.errors import Refused, StateError
from provisioner.model.facts import Scope, State
from provisioner.model.records import Recorded, RecordedCache
from provisioner.state import moved_away


class Transfer(Struct, frozen=True, kw_only=True):
    """Both states as they are to be remembered; None if that was done before."""

    receiving: State
    giving: State


def renamed_stack(old: State, new: State) -> Transfer | None:
    """
    Give all that *old* remembers to *new*, and leave behind where it went.

    Raises Refused if *new* has records of its own, StateError if there is nothing to give.
    """
    if old.moved_to == new.stack:
        return None
    if old.moved_to:
        raise moved_away(old)
    if not (old.caches or old.retiring or old.given):
        raise StateError(f"nothing is on record in {old.stack}, so there is nothing to rename.")
    interrupted = new.moved_from == old.stack
    if (new.caches or new.retiring) and not interrupted:
        raise Refused(
            f"{new.stack} has records of its own: two stacks do not become one. Nothing was "
            f"changed; destroy {new.stack} first, or take another name."
        )
    return Transfer(
        receiving=_merged(old, new),
        giving=State(stack=old.stack, serial=old.serial, run=old.run, moved_to=new.stack),
    )


def given_cache(
    source: State, target: State, name: str, new: str, *, accept: bool
) -> Transfer | None:
    """
    Give the record *name* of *source* to *target*, where it is called *new*.

    Unless *accept* says so, the two must have been in the same project.  Raises Refused.
    """
    record = source.caches.get(name)
    there = target.caches.get(new)
    if record is None:
        if isinstance(there, RecordedCache) and source.given.get(there.id) == target.stack:
            return None
        raise StateError(f"{name!r} is not on record in {source.stack}.")
    if there and _identity(there) != _identity(record):
        raise Refused(f"{new} is on record in {target.stack} already; nothing was changed.")
    if not isinstance(record, RecordedCache):
        return Transfer(
            receiving=_with(target, replace(record, name=new)), giving=_without(source, name)
        )
    scope = _scope(source, target, record.provider, accept=accept)
    received = there if isinstance(there, RecordedCache) else replace(record, name=new)
    given = {**source.given, record.id: target.stack}
    return Transfer(
        receiving=_with(target, received, scope),
        giving=replace(_without(source, name), given=MappingProxyType(given)),
    )


def _merged(old: State, new: State) -> State:
    """
    What both remember, under the new name.

    They differ only if runs under both names came between the two halves of a move: then the
    later word counts, and a cache that lost its name retires.
    """
    caches = {
        name: max(
            (one for one in (old.caches.get(name), new.caches.get(name)) if one),
            key=lambda one: one.updated_at,
        )
        for name in {**old.caches, **new.caches}
        if name in new.caches or _id(old.caches[name]) not in new.retiring
    }
    ids = {_id(record) for record in caches.values()}
    leaving = {
        record.id: record.retiring(until=record.expires_at)
        for record in (*old.live_records, *new.live_records)
        if record.id not in ids
    }
    retiring = {**leaving, **old.retiring, **new.retiring}
    return replace(
        old,
        stack=new.stack,
        serial=max(old.serial, new.serial),
        run=new.run,
        moved_from=old.stack,
        rested=MappingProxyType({}),  # digests of edits, as of approvals, are of the old name
        approved=None,
        providers=MappingProxyType({**old.providers, **new.providers}),
        caches=MappingProxyType(caches),
        retiring=MappingProxyType({id_: one for id_, one in retiring.items() if id_ not in ids}),
        given=MappingProxyType(
            {id_: at for id_, at in {**old.given, **new.given}.items() if id_ not in ids}
        ),
    )


def _scope(source: State, target: State, provider: str, *, accept: bool) -> dict[str, Scope]:
    """The project of *provider* as *target* is to remember it."""
    ours, theirs = source.providers.get(provider), target.providers.get(provider)
    if ours is None:
        return {}
    if theirs is None:
        return {provider: ours}
    alike = ours.endpoint == theirs.endpoint and not set(ours.keys).isdisjoint(theirs.keys)
    if not (alike or accept):
        raise Refused(
            f"{source.stack} and {target.stack} reach {provider} by other keys or another "
            "endpoint: a cache cannot leave its project. Nothing was changed; if it is one project "
            "with two keys, add --accept-scope."
        )
    return {}


def _with(state: State, record: Recorded, scope: dict[str, Scope] | None = None) -> State:
    id_ = _id(record)
    return replace(
        state,
        providers=MappingProxyType({**state.providers, **(scope or {})}),
        caches=MappingProxyType({**state.caches, record.name: record}),
        retiring=MappingProxyType({k: one for k, one in state.retiring.items() if k != id_}),
        given=MappingProxyType({k: at for k, at in state.given.items() if k != id_}),
    )


def _without(state: State, name: str) -> State:
    caches = {key: record for key, record in state.caches.items() if key != name}
    rested = {key: digest for key, digest in state.rested.items() if key != name}
    return replace(state, caches=MappingProxyType(caches), rested=MappingProxyType(rested))


def _identity(record: Recorded) -> tuple[str, str]:
    return (record.provider, _id(record) or record.digest)


def _id(record: Recorded) -> str | None:
    return record.id if isinstance(record, RecordedCache) else None
