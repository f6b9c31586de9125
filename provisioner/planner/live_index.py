"""
The live caches of one plan, indexed once: whose each is, and what an entry may claim.

Decides what is an entry's own cache, its twin, or the one that its `adopt` names, and what
speaks against that adoption.  A label is proof, and so is a count of tokens by the server;
the model that a server reports is neither.  Knows nothing of the content itself, which no
provider shows.

Providers are believed about existence and time: where the record knows less than was seen, a
fact was never saved; where it promises more, applications must not rely on it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from types import MappingProxyType
from typing import TypeAlias

from msgspec.structs import replace

from provisioner.model.attributes import TOLERANCE, UNKNOWN, Label
from provisioner.model.changes import Adopt, Create, Reason
from provisioner.model.facts import Noted, State
from provisioner.model.plan import Plan
from provisioner.model.records import (
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)

_SHARE, _COUNT = 0.01, 16
"""Two counts by a server are of other content if they differ by more than both."""
_ROUGHLY = 2
"""An estimate is doubted where a count is more than so many times as high or as low."""


Alive: TypeAlias = dict[tuple[str, str], LiveCache]
"""By provider and id."""


@dataclass(kw_only=True)
class LiveIndex:
    """All that the rows of the table look at."""

    live: InitVar[Iterable[LiveCache]]
    now: datetime
    ahead: Mapping[str, timedelta]
    state: State
    declared: frozenset[str]
    replace: Collection[str]
    former: Mapping[str, Sequence[str]]
    """The names that an entry had before, which live caches may still be labelled with."""
    owners: Mapping[str, str]
    """The stacks that have a live cache on record, other than this one, by its id."""
    alive: Alive = field(default_factory=dict)
    twins: dict[tuple[str, Label], list[LiveCache]] = field(
        default_factory=lambda: defaultdict(list)
    )
    taken: set[str] = field(default_factory=set)
    """Ids that no other entry may claim."""

    def __post_init__(self, live: Iterable[LiveCache]) -> None:
        self.alive = by_id(live)
        self.taken = {
            record.id for record in self.state.live_records if record.name in self.declared
        }
        for cache in self.alive.values():
            if cache.label is not None and cache.id not in self.taken:
                self.twins[cache.provider, cache.label].append(cache)

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

    def objection(self, want: DesiredCache, named: LiveCache) -> str | None:
        """Why *want* may not adopt *named*, which its `adopt` names."""
        label = named.label
        if owner := self.owner(named):
            return f"{named.id} belongs to the stack {owner}"
        if named.id in self.taken or (label and label.name in self.declared - {want.name}):
            return f"{named.id} belongs to another entry of this stack"
        if label and label.mark != want.label.mark:
            return f"{named.id} has other content: its label ends in @{label.mark}"
        if want.measure.counted and _differ(want.measure.tokens, named.tokens):
            return (
                f"{named.id} has other content: the provider counts {named.tokens:,} tokens in it, "
                f"and {want.measure.tokens:,} in what is declared"
            )
        return None

    def owner(self, cache: LiveCache) -> str | None:
        """
        The other stack that owns *cache*, as far as records and labels show.

        A record of ours suffices; without one, that of another stack does, and then the label.
        """
        if cache.id in self.recorded:
            return None
        if cache.id in self.owners:
            return self.owners[cache.id]
        return cache.label.stack if cache.label and cache.label.stack != self.state.stack else None

    @cached_property
    def recorded(self) -> frozenset[str]:
        """The ids that this stack has on record, also of what is retiring."""
        return self.state.ids


def by_id(live: Iterable[LiveCache]) -> Alive:
    return {(cache.provider, cache.id): cache for cache in live}


def remarks(plan: Plan) -> Iterator[str]:
    """What a person should know of the adoptions of *plan*, and of claims that it ignores."""
    for change in plan.changes:
        match change:
            case Adopt(want, twin, reason=Reason.IMPORTED):
                yield from _of_import(want, twin)
            case Adopt(want, twin) if twin.model != want.model:
                yield from _ignored(want)
                yield f"{want.name}: {_another_model(want, twin)}"
            case Adopt(want, record=None) | Create(want, None):
                yield from _ignored(want)
            case _:
                pass


def unsaved(state: State, live: Iterable[LiveCache]) -> Iterator[Noted]:
    """
    Lives that were given and never written down: of caches that live longer than recorded.

    The run that gave them died, or lost the answer.
    """
    alive = by_id(live)
    for record in state.live_records:
        own = alive.get((record.provider, record.id))
        if own and own.expires_at - record.expires_at > TOLERANCE:
            yield Noted(replace(record, updated_at=own.updated_at, expires_at=own.expires_at))


def believable(state: State, before: State, live: Iterable[LiveCache]) -> State:
    """
    *state* as far as applications may rely on it.

    Of all that lives as it did *before*, when *live* was seen, what is gone is left out, and
    nothing lives longer than its provider says.
    """
    alive, every = by_id(live), (*before.caches.values(), *before.retiring.values())
    unchanged = {_life(record) for record in every}
    records = {
        name: _as_seen(record, alive) if _life(record) in unchanged else record
        for name, record in state.caches.items()
    }
    return replace(
        state,
        caches=MappingProxyType({name: record for name, record in records.items() if record}),
        retiring=MappingProxyType(
            {
                id_: retiring
                for id_, retiring in state.retiring.items()
                if _life(retiring) not in unchanged or (retiring.provider, id_) in alive
            }
        ),
    )


def _life(record: Recorded | RetiringCache) -> Hashable:
    """Which cache it is and how long it lives, under any name; None of an annotation."""
    match record:
        case RecordedCache():
            return record.provider, record.id, record.updated_at, record.expires_at
        case RetiringCache():
            return record.provider, record.id, record.until, record.expires_at
        case _:
            return None


def _as_seen(record: Recorded, alive: Alive) -> Recorded | None:
    if not isinstance(record, RecordedCache):
        return record
    own = alive.get((record.provider, record.id))
    if own is None:
        return None
    return replace(record, expires_at=min(own.expires_at, record.expires_at))


def _of_import(want: DesiredCache, twin: LiveCache) -> Iterator[str]:
    if want.adopt and want.adopt.mark is None:
        yield (
            f"{want.name}: write adopt: {twin.id}@{want.label.mark}, which vouches for this "
            "content alone. Whether another stack adopted that cache cannot be seen."
        )
    if twin.model != want.model:
        yield f"{want.name}: {_another_model(want, twin)}"
    is_estimated = want.measure.tokens != UNKNOWN and not want.measure.counted
    if is_estimated and _is_doubtful(want.measure.tokens, twin.tokens):
        yield (
            f"{want.name}: {twin.id} has {twin.tokens:,} tokens where about "
            f"{want.measure.tokens:,} are expected: check that it has this content."
        )


def _another_model(want: DesiredCache, twin: LiveCache) -> str:
    return f"the provider reports {twin.model} as the model of {twin.id}, not {want.model}."


def _ignored(want: DesiredCache) -> Iterator[str]:
    if want.adopt and not want.adopt.vouches_for(want.label):
        yield (
            f"{want.name}: adopt is ignored, for it vouches for @{want.adopt.mark}, and the "
            f"content is @{want.label.mark} now."
        )


def _differ(expected: int, counted: int) -> bool:
    """Whether two counts by a server are of other content; 0 is no count."""
    gap = abs(expected - counted)
    return counted > 0 and gap > _COUNT and gap > _SHARE * max(expected, counted)


def _is_doubtful(estimate: int, count: int) -> bool:
    return count > 0 and not estimate / _ROUGHLY <= count <= estimate * _ROUGHLY
