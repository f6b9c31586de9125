"""
The scene of one plan: what is alive, indexed once, and which of it is spoken for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

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
class Scene:
    """All that the rows of the table look at.  `taken` holds ids that no other entry may claim."""

    now: datetime
    state: State
    declared: frozenset[str]
    replace: Collection[str]
    former: Mapping[str, Sequence[str]]
    """The names that an entry had before, which live caches may still be labelled with."""
    alive: dict[tuple[str, str], LiveCache] = field(default_factory=dict)
    twins: dict[tuple[str, Label], list[LiveCache]] = field(
        default_factory=lambda: defaultdict(list)
    )
    taken: set[str] = field(default_factory=set)

    def show(self, live: Iterable[LiveCache]) -> None:
        for cache in live:
            if cache.expires_at > self.now:
                self.alive[cache.provider, cache.id] = cache
                if cache.label is not None:
                    self.twins[cache.provider, cache.label].append(cache)
        self.taken = {
            record.id
            for name, record in self.state.caches.items()
            if name in self.declared and isinstance(record, RecordedCache)
        }
        self.taken.update(self.state.given)

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
            if cache.id not in self.taken
        )
        return max(free, key=lambda cache: (cache.expires_at, cache.id), default=None)
