"""Which caches are twins that a run made itself, and what becomes of them at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from msgspec.structs import replace as changed

from provisioner.applier.surplus import retire_surplus
from provisioner.cache import CacheContent, CachedContext, GeminiHandle
from provisioner.errors import CacheNotFound, NetworkError
from provisioner.model.attributes import Settings
from provisioner.model.facts import Fact, State, Surplus
from provisioner.model.plan import Plan
from provisioner.model.records import Recorded
from tests.builders import HOUR, NOW, STACK, annotation, desired, noted, recorded
from tests.world import MemoryCaches, held

WANT = desired("a")
LABEL = str(changed(WANT.label, letters="abcd"))
PLAN = Plan(stack=STACK, at=NOW, changes=(), edits=frozenset())


@dataclass
class Creator(MemoryCaches):
    """A provider in memory, some of whose creates had no answer."""

    uncertain_labels: frozenset[str] = frozenset({LABEL})
    lists: int = 0
    is_away: bool = False
    extended: int = 0

    async def extend(self, handle: GeminiHandle, **life: Any) -> CachedContext:  # noqa: ANN401
        self.extended += 1
        return await super().extend(handle, **life)

    async def list(self) -> list[CachedContext]:
        self.lists += 1
        if self.is_away:
            raise NetworkError("the connection broke")
        return await super().list()


@dataclass
class Desk:
    """A creator, what it made twice, and what the last look says of it."""

    creator: Creator = field(default_factory=lambda: Creator(lambda: NOW))
    facts: list[Fact] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    renew_lock: Callable[[], Awaitable[bool]] = held
    more: Mapping[str, Recorded] = field(default_factory=dict)
    """What is on record beside the entry's caches."""

    def make(self, label: str = LABEL, life: timedelta = 6 * HOUR) -> str:
        made = self.creator.create(CacheContent(), model=WANT.model, label=label, ttl=life)
        return asyncio.run(made).handle.cache_name

    def look(self, *on_record: str) -> list[str]:
        """Ids that were retired, with those *on_record* as the entry's cache."""
        caches = {name: recorded(WANT, id_) for name, id_ in zip("ab", on_record, strict=False)}
        state = State(stack=STACK, caches={**caches, **self.more})
        caches_of = {"gemini": self.creator}
        asyncio.run(
            retire_surplus(
                PLAN,
                caches_of,
                state,
                self.facts.append,
                self.warnings.append,
                renew_lock=self.renew_lock,
            )
        )
        return [fact.retiring.id for fact in self.facts if isinstance(fact, Surplus)]


def test_its_own_twin() -> None:
    """What bears the letters of an unanswered create and is not on record is cut short."""
    desk = Desk()
    kept, twin = desk.make(), desk.make()

    assert desk.look(kept) == [twin]

    assert desk.creator.caches[twin].expires_at == NOW + HOUR
    assert desk.creator.caches[kept].expires_at == NOW + 6 * HOUR
    (fact,) = desk.facts
    assert isinstance(fact, Surplus)
    assert fact.retiring.expires_at == NOW + HOUR


def test_what_is_not_its_own() -> None:
    """Other letters, no letters, and what is on record are left alone."""
    desk = Desk()
    kept = desk.make()
    desk.make(str(changed(WANT.label, letters="zzzz")))
    desk.make(str(WANT.label))
    desk.make("a text by hand")

    assert desk.look(kept) == []
    assert desk.creator.harmed == set()


def test_a_lost_lock() -> None:
    """A run that has lost its lock leaves a twin to the run that has it."""

    async def lost() -> bool:
        return False

    desk = Desk(renew_lock=lost)
    kept, _ = desk.make(), desk.make()

    assert desk.look(kept) == []
    assert desk.creator.harmed == set()


def test_what_was_changed() -> None:
    """A twin that was changed after it was made may be another run's, and stays a stray."""
    desk = Desk()
    twin = desk.make()
    seen = desk.creator.caches[twin]
    desk.creator.caches[twin] = replace(seen, updated_at=NOW + timedelta(seconds=3))

    assert desk.look() == []


def test_what_was_changed_within_two_seconds() -> None:
    """Times that a server rounds are the same moment."""
    desk = Desk()
    twin = desk.make()
    seen = desk.creator.caches[twin]
    desk.creator.caches[twin] = replace(seen, updated_at=NOW + timedelta(seconds=2))

    assert desk.look() == [twin]


def test_a_twin_of_an_entry_that_retires_at_once() -> None:
    """A twin lives for a minute at least, so that a mistake can be undone."""
    desk = Desk()
    twin = desk.make()
    at_once = Settings(retire_after=timedelta())
    desk.more = {"a": recorded(WANT, "cachedContents/9", settings=at_once)}

    assert desk.look() == [twin]
    assert desk.creator.caches[twin].expires_at == NOW + timedelta(minutes=1)


def test_a_twin_of_an_entry_without_a_record() -> None:
    """A twin of an entry that is not on record lives for an hour."""
    desk = Desk()
    twin = desk.make()

    assert desk.look() == [twin]
    assert desk.creator.caches[twin].expires_at == NOW + HOUR


def test_a_twin_that_is_gone() -> None:
    """A twin that dies between the list and the call is recorded as over."""

    @dataclass
    class Forgetful(Creator):
        async def extend(self, handle: GeminiHandle, **rest: Any) -> CachedContext:  # noqa: ANN401
            del rest
            raise CacheNotFound(handle)

    desk = Desk(Forgetful(lambda: NOW))
    twin = desk.make()

    assert desk.look() == [twin]
    (fact,) = desk.facts
    assert isinstance(fact, Surplus)
    assert fact.retiring.expires_at == NOW


def test_beside_an_annotation() -> None:
    """A stack may hold annotations, which are no caches."""
    desk = Desk()
    twin = desk.make()
    desk.more = {"n": noted(annotation("n"))}

    assert desk.look() == [twin]


def test_another_stack() -> None:
    """A create of another stack in the same run is that stack's to look after."""
    desk = Desk()
    label = str(changed(WANT.label, stack="other", letters="abcd"))
    desk.creator.uncertain_labels = frozenset({label})
    desk.make(label)

    assert desk.look() == []
    assert desk.creator.lists == 0


def test_what_dies_by_itself() -> None:
    """A twin that dies sooner by itself is recorded without a call."""
    desk = Desk()
    twins = [desk.make(life=life) for life in (HOUR / 2, HOUR)]

    assert desk.look() == twins
    assert desk.creator.extended == 0


def test_every_answer_was_heard() -> None:
    """Without a lost answer nothing is listed."""
    desk = Desk()
    desk.creator.uncertain_labels = frozenset()

    assert desk.look() == []
    assert desk.creator.lists == 0


def test_a_look_that_fails() -> None:
    """A provider that cannot be listed is a warning: in doubt a twin is a stray."""
    desk = Desk()
    desk.creator.is_away = True

    assert desk.look() == []
    assert "the connection broke" in desk.warnings[0]
