"""
The scene of one plan: what is alive, indexed once, and which of it is spoken for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from msgspec.structs import replace

from provisioner.model import (
    DesiredCache,
    Label,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
    State,
)


@dataclass(kw_only=True)
class LiveIndex:
    """All that the rows of the table look at.  `taken` holds ids that no other entry may claim."""

    now: datetime
    ahead: Mapping[str, timedelta]
    state: State
    declared: frozenset[str]
    replace: Collection[str]
    former: Mapping[str, Sequence[str]]
    """The names that an entry had before, which live caches may still be labelled with."""
    owners: Mapping[str, str]
    """The stacks that have a live cache on record, other than this one, by its id."""
    alive: dict[tuple[str, str], LiveCache] = field(default_factory=dict)
    twins: dict[tuple[str, Label], list[LiveCache]] = field(
        default_factory=lambda: defaultdict(list)
    )
    taken: set[str] = field(default_factory=set)

    def show(self, live: Iterable[LiveCache]) -> None:
        for cache in live:
            self.alive[cache.provider, cache.id] = cache
            if cache.label is not None:
                self.twins[cache.provider, cache.label].append(cache)
        self.taken = {
            record.id
            for name, record in self.state.caches.items()
            if name in self.declared and isinstance(record, RecordedCache)
        }

    def now_of(self, provider: str) -> datetime:
        """The moment by the clock of *provider*."""
        return self.now + self.ahead.get(provider, timedelta())

    def own(self, record: Recorded | RetiringCache | None) -> LiveCache | None:
        match record:
            case (
                RecordedCache(provider=provider, id=id_) | RetiringCache(provider=provider, id=id_)
            ):
                return self.alive.get((provider, id_))
            case _:
                return None

    def twin(self, want: DesiredCache) -> LiveCache | None:
        names = (want.name, *self.former.get(want.name, ()))
        free = (
            cache
            for name in names
            for cache in self.twins.get((want.provider, replace(want.label, name=name)), ())
            if cache.id not in self.taken and self.owner(cache) is None
        )
        return max(free, key=lambda cache: (cache.expires_at, cache.id), default=None)

    def named(self, want: DesiredCache) -> LiveCache | None:
        """The live cache that `adopt` names, if it vouches for the content that *want* has."""
        if want.adopt is None or not want.adopt.vouches_for(want.label):
            return None
        return self.alive.get((want.provider, want.adopt.id))

    def owner(self, cache: LiveCache) -> str | None:
        """
        The other stack that owns *cache*, as far as records and labels show.

        A record of ours suffices; without one, that of another stack does, and then the label.
        """
        if cache.id in self._recorded:
            return None
        if cache.id in self.owners:
            return self.owners[cache.id]
        return cache.label.stack if cache.label and cache.label.stack != self.state.stack else None

    @cached_property
    def _recorded(self) -> frozenset[str]:
        records = self.state.caches.values()
        ids = (record.id for record in records if isinstance(record, RecordedCache))
        return frozenset((*ids, *self.state.retiring))
