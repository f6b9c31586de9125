"""
How a fact changes what is remembered.

An id is in one place at most: recorded under one name, or retiring.  Each fact is taken in
by a fixed number of steps, however much is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TypedDict, Unpack

from msgspec.structs import replace

from provisioner.model.facts import (
    ApprovedEdits,
    Disappearance,
    Dropped,
    Exists,
    Fact,
    Gone,
    Noted,
    Renamed,
    Retired,
    Revision,
    Scope,
    State,
    Surplus,
)
from provisioner.model.records import Recorded, RecordedCache, RetiringCache
from provisioner.model.stack_settings import StackSettings


class StateNotes(TypedDict, total=False):
    """Fields of a state that no fact is about; their values are not changed any more."""

    providers: Mapping[str, Scope]
    stack_settings: StackSettings
    disappeared: Mapping[str, Disappearance]
    """By provider: many caches that went missing together."""
    rested: Mapping[str, str]
    approved: ApprovedEdits | None
    """None once the approved edits are done."""
    last_edit: Revision | None
    """The commit of the last run that performed an edit."""


class Draft:
    """A state that is being written."""

    def __init__(self, state: State) -> None:
        self._before = state
        self._caches = dict(state.caches)
        self._retiring = dict(state.retiring)
        self._names = {
            record.id: name
            for name, record in state.caches.items()
            if isinstance(record, RecordedCache)
        }

    def state(self) -> State:
        """A copy that later facts do not touch; it costs as much as the state is large."""
        return replace(
            self._before,
            caches=MappingProxyType(dict(self._caches)),
            retiring=MappingProxyType(dict(self._retiring)),
        )

    def note_scope(self, provider: str, scope: Scope) -> bool:
        """Remember *scope*, and say whether that is news."""
        return self.note(providers={**self._before.providers, provider: scope})

    def note(self, **notes: Unpack[StateNotes]) -> bool:
        """Remember what no fact is about, and say whether that is news."""
        news = any(getattr(self._before, name) != value for name, value in notes.items())
        self._before = replace(self._before, **notes)
        return news

    def fold(self, fact: Fact) -> bool:
        """Take *fact* in, and say whether it is news."""
        match fact:
            case Exists(record, retiring) | Noted(record, retiring):
                return self._write(record, retiring)
            case Retired(id_, expires_at):
                return self._retire(id_, expires_at)
            case Gone(id_):
                return self._forget(id_)
            case Surplus(retiring):
                return self._keep_retiring(retiring)
            case Renamed(old, new):
                return self._rename(old, new)
            case Dropped(name):
                return self._erase(name)

    def _write(self, record: Recorded, retiring: RetiringCache | None) -> bool:
        if retiring is None and self._caches.get(record.name) == record:
            return False
        self._erase(record.name)
        if retiring:
            self._forget(retiring.id)
            self._retiring[retiring.id] = retiring
        if isinstance(record, RecordedCache):
            self._forget(record.id)
            self._names[record.id] = record.name
        self._caches[record.name] = record
        return True

    def _retire(self, id_: str, expires_at: datetime) -> bool:
        if retiring := self._retiring.get(id_):
            self._retiring[id_] = replace(retiring, until=expires_at, expires_at=expires_at)
            return self._retiring[id_] != retiring
        match self._caches.get(self._names.get(id_, "")):
            case RecordedCache() as record:
                self._erase(record.name)
                self._retiring[id_] = record.retiring(until=expires_at, expires_at=expires_at)
                return True
            case _:
                return False

    def _keep_retiring(self, retiring: RetiringCache) -> bool:
        if retiring.id in self._names or retiring.id in self._retiring:
            return False
        self._retiring[retiring.id] = retiring
        return True

    def _forget(self, id_: str) -> bool:
        name = self._names.get(id_)
        erased = self._erase(name) if name else False
        return self._retiring.pop(id_, None) is not None or erased

    def _rename(self, old: str, new: str) -> bool:
        record = self._caches.get(old)
        if record is None or new in self._caches:
            return self._erase(old)
        self._erase(old)
        for id_, cache in self._retiring.items():
            if cache.name == old:
                self._retiring[id_] = replace(cache, name=new)
        return self._write(replace(record, name=new), None)

    def _erase(self, name: str) -> bool:
        record = self._caches.pop(name, None)
        if isinstance(record, RecordedCache):
            del self._names[record.id]
        return record is not None
