"""What the applier does when: make, publish, retire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from provisioner.applier import HALF_WAY, INTERRUPTED, UNSHOWN, apply
from provisioner.applier.steps import MOST_CONTENT, LiveCaches
from provisioner.cache import BeforeSending, CacheContent, CachedContext, GeminiHandle
from provisioner.errors import CacheNotFound, ContentChanged, Interrupted, StateError
from provisioner.model.attributes import Measure, Settings, Ttl
from provisioner.model.changes import Adopt, Change, Create, Move, Reason, Refresh
from provisioner.model.facts import Done, Fact, Failed, Gone, NotAttempted, Renamed, Result
from provisioner.model.plan import Plan
from provisioner.model.records import Desired, DesiredCache
from provisioner.planner import decision_table as table
from tests.builders import HOUR, NOW, STACK, desired, live, recorded
from tests.world import Cut, MemoryCaches, World, held, lived, lost_answer, nothing_due, outcomes

A, B, C = desired("a"), desired("b"), desired("c")
EDITED = desired("a", "y")


def test_a_refusal_to_refresh_what_is_there() -> None:
    """A provider that calls a cache gone and still shows it to a GET gets no second one."""
    world = lived([A], hours=5.5)

    world.run([A], wrap=Unextendable)

    assert len(world.remote.created) == 1
    assert outcomes(world) == [("Refresh", Failed)]


def test_notes_where_content_is() -> None:
    """Files that moved are written down with a setting; the count stays the provider's."""
    world = lived([A])
    measure = replace(A.measure, paths=("content/moved.md",), tokens=7, counted=False)

    world.run([desired("a", settings=Settings(protect=True), measure=measure)])

    record = world.saved.caches["a"]
    assert record.measure == replace(measure, tokens=5_000, counted=True)


@pytest.mark.parametrize(("hours", "left"), [(0, 1.0), (5.5, 0.5)])
def test_what_is_still_to_be_retired(hours: float, left: float) -> None:
    """An old cache lives at least until it may be retired, or as long as it has."""
    world = lived([A], hours=hours)
    (old,) = world.remote.alive()

    world.run([EDITED], wrap=lambda remote: Cut(remote, 2, lost_answer))

    assert world.saved.retiring[old].until == world.now + left * HOUR


def test_destroys_all_but_the_protected() -> None:
    """Destroying deletes what is recorded or retiring, and leaves what is protected."""
    guarded = desired("g", settings=Settings(protect=True))
    world = lived([A, B, guarded], [EDITED, B, guarded])

    world.run([], destroy=True)

    assert set(world.saved.caches) == {"g"}
    assert len(world.remote.alive()) == 1


def test_failure_stops_nothing_else() -> None:
    """The other changes finish when one fails, and the result names the failure."""
    world = World()

    world.run([A, B], wrap=lambda remote: Cut(remote, 1, lost_answer))

    assert outcomes(world) == [("Create", Failed), ("Create", Done)]
    assert set(world.saved.caches) == {"b"}


def test_failed_retirement() -> None:
    """The result names a retirement that fails, and the next run retries it."""
    world = lived([A])

    world.run([EDITED], wrap=lambda remote: Cut(remote, 2, lost_answer))

    assert outcomes(world) == [("Replace", Failed)]
    assert [type(c).__name__ for c in world.plan([EDITED]).pending] == ["Retire"]
    world.run([EDITED])
    assert world.plan([EDITED]).pending == ()


def test_unsaved_retires_nothing() -> None:
    """A run that cannot save the state retires nothing and reports why."""
    world = lived([A, B])
    before = {id_: seen.expires_at for id_, seen in world.remote.alive().items()}

    with pytest.raises(StateError):
        world.run([EDITED], save_fails=True)

    assert outcomes(world) == [("Replace", NotAttempted), ("Retire", NotAttempted)]
    for id_, end in before.items():
        assert world.remote.caches[id_].expires_at == end


@dataclass
class Desk:
    """An apply whose ports a test may replace one by one."""

    world: World = field(default_factory=World)
    read: Callable[[DesiredCache], CacheContent] = lambda _: CacheContent()
    slow: str = ""
    """The entry whose content takes longer to read than that of others."""
    stopping: Callable[[], bool] = lambda: False
    due: Callable[[], Awaitable[Iterable[Refresh]]] = nothing_due
    renew_lock: Callable[[], Awaitable[bool]] = held
    probing: Collection[str] = ()
    remotes: Mapping[str, LiveCaches] = field(default_factory=dict)
    """The providers by name; that of the world, called gemini, by default."""
    facts: list[Fact] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    probed: list[tuple[str, bool]] = field(default_factory=list)

    def apply(self, *changes: Change, parallelism: int = 1) -> None:
        plan = Plan(stack=STACK, at=NOW, changes=changes, edits=frozenset())

        async def publish() -> None:
            pass

        async def read(want: DesiredCache) -> CacheContent:
            for _ in range(5 if want.name == self.slow else 0):
                await asyncio.sleep(0)
            return self.read(want)

        asyncio.run(
            apply(
                plan,
                self.remotes or {"gemini": self.world.remote},
                read,
                self.facts.append,
                publish,
                self.results.append,
                letters=lambda: next(self.world.letters),
                due=self.due,
                parallelism=parallelism,
                stopping=self.stopping,
                renew_lock=self.renew_lock,
                probing=self.probing,
                probed=lambda provider, shown: self.probed.append((provider, shown)),
            )
        )

    def ends(self) -> list[tuple[str, str]]:
        """How each change ended, and why it was not attempted if it was not."""
        return [
            (r.change.name, r.outcome.why if isinstance(r.outcome, NotAttempted) else "")
            for r in self.results
        ]


def test_a_lost_lock_retires_nothing() -> None:
    """A run that finds its lock lost makes what it can, and retires and deletes nothing more."""
    world = lived([A, B, C])
    plan = world.plan([EDITED])
    asked: list[bool] = []

    async def lost_at_the_second() -> bool:
        asked.append(not asked)
        return asked[-1]

    desk = Desk(world, renew_lock=lost_at_the_second)
    desk.apply(*plan.changes)

    assert [type(r.outcome) for r in desk.results] == [Done, NotAttempted, NotAttempted]
    assert asked == [True, False, False]
    assert len(world.remote.harmed) == 1


def test_a_create_that_waited_while_the_run_was_ending() -> None:
    """A create that waits for its quota is not sent once nothing new may begin."""
    is_ending: list[bool] = []

    async def end() -> Iterable[Refresh]:
        is_ending.append(True)
        return ()

    desk = Desk(due=end, stopping=lambda: bool(is_ending))
    desk.apply(*desk.world.plan([A]).changes)

    assert desk.ends() == [("a", INTERRUPTED)]
    assert desk.world.remote.created == []


def test_a_refresh_that_waited_while_the_lock_was_lost() -> None:
    """It would give a cache that the next run retires its whole life again, so it is not sent."""
    world = lived([A], hours=5)
    before = dict(world.remote.caches)
    answers = iter(
        [False]
    )  # as it begins; by the time that its quota lets it out, the lock is lost
    desk = Desk(world, stopping=lambda: next(answers, True))
    changes = [change for change in world.plan([A]).changes if isinstance(change, Refresh)]

    desk.apply(*changes)

    assert [change.name for change in changes] == ["a"]
    assert desk.ends() == [("a", INTERRUPTED)]
    assert world.remote.caches == before


def test_content_that_changed_meanwhile() -> None:
    """Content that is no longer what was planned fails its own change only."""

    def read(want: DesiredCache) -> CacheContent:
        if want.name == "a":
            raise ContentChanged("content/a.md is not what it was when the plan was made")
        return CacheContent()

    desk = Desk(read=read)
    desk.apply(*desk.world.plan([A, B]).changes)

    assert [type(result.outcome) for result in desk.results] == [Failed, Done]


def test_large_contents_take_turns() -> None:
    """Contents that are large together are held one after the other; small ones side by side."""

    class Slow(Counting):
        async def create(self, content: CacheContent, **rest: Any) -> CachedContext:  # noqa: ANN401
            for _ in range(5):
                await asyncio.sleep(0)
            return await super().create(content, **rest)

    def most(size: int) -> int:
        wants = [desired(f"n{n}", str(n), measure=Measure(size=size)) for n in range(6)]
        remote = Slow(lambda: NOW)
        desk = Desk(read=remote.read)
        desk.world.remote = remote
        desk.apply(*desk.world.plan(wants).changes, parallelism=6)
        assert [type(result.outcome) for result in desk.results] == [Done] * 6
        return remote.most

    assert [most(size) for size in (1_000, MOST_CONTENT // 2, 2 * MOST_CONTENT)] == [6, 2, 1]


def test_what_dies_first_is_refreshed_first() -> None:
    """Refreshes and adoptions go first, the nearest expiry before all, and then creates."""
    early = Settings(refresh_before=3 * HOUR)
    manifest: list[Desired] = [
        desired("a", life=Ttl(7 * HOUR), settings=early),
        desired("b", settings=early),
    ]
    world = lived(manifest, hours=4)

    world.run([desired("0", "new"), *manifest])

    names = [result.change.name for result in world.results]
    assert names == ["b", "a", "0"]


def test_the_order_of_changes() -> None:
    """Names change first, then what dies first is kept alive, and last what is new is made."""
    remote = MemoryCaches(lambda: NOW)
    ids = [asyncio.run(made(remote, hours)) for hours in (6, 5)]
    own, twin = live(A, ids[0]), live(B, ids[1], expires_at=NOW + 5 * HOUR)
    desk = Desk()
    desk.world.remote = remote
    desk.apply(
        Create(C, None, Reason.NEW, table.NOTHING_ALIVE),
        Refresh(A, own, recorded(A, ids[0]), Reason.EXPIRING, table.DUE),
        Adopt(B, twin, None, None, Reason.FOUND, table.TWIN),
        Move("new", recorded(desired("old")), Reason.MOVED, table.MOVED),
    )

    assert [name for name, _ in desk.ends()] == ["new", "b", "a", "c"]
    assert desk.facts[0] == Renamed("old", "new")


def test_creates_go_out_in_the_order_of_the_plan() -> None:
    """The first create goes out first, also if its content takes longer to read."""
    desk = Desk(slow="a")
    desk.apply(*desk.world.plan([A, B, C]).changes, parallelism=3)
    labels = [seen.display_name for seen in desk.world.remote.caches.values()]
    assert [label.partition("~")[0] for label in labels] == [str(want.label) for want in (A, B, C)]


async def made(remote: MemoryCaches, hours: float) -> str:
    seen = await remote.create(CacheContent(), model=A.model, label="", ttl=hours * HOUR)
    return seen.handle.cache_name


def test_what_is_kept_is_no_work() -> None:
    """What stays as it is has no result."""
    world = lived([A], [A])

    assert outcomes(world) == []


def test_a_retirement_that_finds_its_cache_gone() -> None:
    """What is gone when it is to be retired is recorded as gone, and the change is done."""
    world = lived([A])
    plan = world.plan([])
    (only,) = world.remote.alive()
    world.remote.caches.clear()
    desk = Desk(world)
    desk.apply(*plan.changes)

    assert [change.verb for change in plan.changes] == ["retire"]
    assert desk.facts == [Gone(only)]
    assert [type(result.outcome) for result in desk.results] == [Done]


def test_what_a_lost_answer_cannot_have_made() -> None:
    """A create is given the ids of all live caches that the plan has seen, old ones too."""

    class Listening(MemoryCaches):
        known: Collection[str] = ()

        async def create(self, content: CacheContent, **rest: Any) -> CachedContext:  # noqa: ANN401
            self.known = rest["known"]
            return await super().create(content, **rest)

    world = lived([A, B])
    plan = world.plan([EDITED, B])
    remote = Listening(lambda: NOW, caches=world.remote.caches)
    Desk(remotes={"gemini": remote}).apply(*plan.changes)

    assert set(remote.known) == {"cachedContents/1", "cachedContents/2"}


def test_two_that_came_due() -> None:
    """Of what came due meanwhile the one that dies first goes first."""
    world = lived([A, B])
    world.now += 5.5 * HOUR
    refreshes = [change for change in world.plan([A, B]).changes if isinstance(change, Refresh)]
    last = replace(refreshes[0], live=replace(refreshes[0].live, expires_at=NOW + 9 * HOUR))
    pending = [(last, refreshes[1]), ()]

    async def due() -> Iterable[Refresh]:
        return pending.pop(0)

    desk = Desk(world, due=due)
    desk.apply(*world.plan([C]).changes[:1])

    assert [name for name, _ in desk.ends()] == ["b", "a", "c"]


def test_what_came_due_and_is_gone() -> None:
    """A cache that came due and is gone is made while a create waits, however large both are."""
    large = desired("a", measure=Measure(size=MOST_CONTENT))
    world = lived([large])
    world.now += 5.5 * HOUR
    [refresh] = [change for change in world.plan([large]).changes if isinstance(change, Refresh)]
    world.remote.caches.clear()
    pending = [(refresh,), ()]

    async def due() -> Iterable[Refresh]:
        return pending.pop(0)

    desk = Desk(world, due=due)
    desk.apply(*world.plan([replace(large, name="b")]).changes[:1])

    assert desk.ends() == [("a", ""), ("b", "")]


def probes(desk: Desk, *wants: DesiredCache) -> None:
    """Make *wants*, of which one for each provider is to show first."""
    desk.probing = frozenset("abx")
    desk.apply(*(Create(want, None, Reason.MISSING, table.NOTHING_ALIVE) for want in wants))


class Blind(MemoryCaches):
    """A provider that shows nothing to a GET."""

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None:
        del handle
        return None


class Away(MemoryCaches):
    """A provider that answers no GET."""

    async def get_cache(self, handle: GeminiHandle) -> CachedContext | None:
        del handle
        raise lost_answer()


@pytest.mark.parametrize(
    ("remote", "probed", "why"),
    [
        (MemoryCaches, [("gemini", True)], ""),
        (Blind, [("gemini", False)], UNSHOWN),
        (Away, [], UNSHOWN),
    ],
)
def test_a_probe(remote: type[MemoryCaches], probed: list[tuple[str, bool]], why: str) -> None:
    """One of several is made at once; the others wait, and are left if it does not show."""
    desk = Desk(remotes={"gemini": remote(lambda: NOW)})
    probes(desk, A, B, C)

    assert desk.ends() == [("a", ""), ("c", ""), ("b", why)]
    assert desk.probed == probed
    refused = [r.outcome.refused for r in desk.results if isinstance(r.outcome, NotAttempted)]
    assert refused == ([True] if why else [])


def test_a_probe_in_each_project() -> None:
    """Each project has a probe of its own, and what shows in one proves nothing of another."""
    x = desired("x", provider="gemini-b")
    y = desired("b", provider="gemini-b")
    z = desired("z", provider="gemini-b")
    desk = Desk(remotes={"gemini": MemoryCaches(lambda: NOW), "gemini-b": Blind(lambda: NOW)})
    desk.probing = frozenset({"a", "c", "x", "b"})
    wants = (A, x, y, C, z)
    desk.apply(*(Create(want, None, Reason.MISSING, table.NOTHING_ALIVE) for want in wants))

    assert dict(desk.ends()) == {"a": "", "x": "", "z": "", "b": UNSHOWN, "c": ""}
    assert desk.probed == [("gemini", True), ("gemini-b", False)]


def test_a_probe_that_fails() -> None:
    """If the probe cannot be made nothing is proven, and the others are not attempted."""
    remote = Cut(MemoryCaches(lambda: NOW), 1, lost_answer)
    desk = Desk(remotes={"gemini": remote})
    probes(desk, A, B)

    assert [type(result.outcome) for result in desk.results] == [Failed, NotAttempted]
    assert desk.probed == []


def test_an_interruption_while_an_old_cache_is_retired() -> None:
    """What was made stays made; what was only to be retired was not begun."""

    class Ending(MemoryCaches):
        async def extend(self, handle: GeminiHandle, **rest: Any) -> CachedContext:  # noqa: ANN401
            del handle, rest
            raise Interrupted("the run is ending; this was not sent")

    world = lived([A, B])
    plan = world.plan([EDITED])
    desk = Desk(remotes={"gemini": Ending(lambda: NOW, caches=world.remote.caches)})
    desk.apply(*plan.changes)

    assert desk.ends() == [("a", HALF_WAY), ("b", INTERRUPTED)]


def test_stopping_before_anything_is_retired() -> None:
    """A run that is to stop says of each change how far it came."""
    world = lived([A, B])
    plan = world.plan([EDITED])
    desk = Desk(world)
    desk.stopping = lambda: len(desk.facts) == 1
    desk.apply(*plan.changes)

    assert desk.ends() == [("a", HALF_WAY), ("b", INTERRUPTED)]


def test_what_came_due_meanwhile_goes_before_a_create() -> None:
    """When the plan is no longer valid, what came due is refreshed before the next create."""
    world = lived([A])
    desk = Desk(world=world)
    world.now += 5.5 * HOUR
    [refresh] = [change for change in world.plan([A]).changes if isinstance(change, Refresh)]
    pending = [(refresh,), ()]

    async def due() -> Iterable[Refresh]:
        return pending.pop(0)

    desk.due = due
    desk.apply(*(change for change in world.plan([A, B]).changes if change != refresh))

    assert [type(result.change) for result in desk.results] == [Refresh, Create]
    assert [type(result.outcome) for result in desk.results] == [Done, Done]


def test_a_wait_that_an_interruption_ends() -> None:
    """What waited for a quota when the run was interrupted was not attempted."""

    class Waiting(MemoryCaches):
        async def create(self, content: CacheContent, **rest: Any) -> CachedContext:  # noqa: ANN401
            del content, rest
            raise Interrupted("the run is ending; this was not sent")

    desk = Desk()
    desk.world.remote = Waiting(lambda: NOW)
    desk.apply(*desk.world.plan([A]).changes)

    assert [type(result.outcome) for result in desk.results] == [NotAttempted]


def test_a_bug_is_no_failure() -> None:
    """An error that no provider may raise cancels the run instead of being reported."""

    def read(want: DesiredCache) -> CacheContent:
        raise ZeroDivisionError(want.name)

    desk = Desk(read=read)
    with pytest.raises(ExceptionGroup) as raised:
        desk.apply(*desk.world.plan([A, B]).changes)

    assert raised.group_contains(ZeroDivisionError)


def test_stopping() -> None:
    """A run that is asked to stop begins nothing more and lists what it did not begin."""
    desk = Desk()
    desk.stopping = lambda: len(desk.facts) == 1
    desk.apply(*desk.world.plan([A, B]).changes)

    assert [type(result.outcome) for result in desk.results] == [Done, NotAttempted]
    assert len(desk.world.remote.caches) == 1


def test_stopping_half_way() -> None:
    """A replacement that is stopped half way is recorded, and the old cache is left alone."""
    world = lived([A])
    (old,) = world.remote.alive()
    desk = Desk(world=world)
    desk.stopping = lambda: len(desk.facts) == 1
    desk.apply(*world.plan([EDITED]).changes)

    assert [type(result.outcome) for result in desk.results] == [NotAttempted]
    assert world.remote.caches[old].expires_at == NOW + 6 * HOUR


@dataclass
class Unextendable(Cut):
    """Says of every cache that it is gone, but only to a PATCH."""

    def __init__(self, inner: MemoryCaches) -> None:
        super().__init__(inner, calls_left=-1, loss=lost_answer)

    async def extend(
        self,
        handle: GeminiHandle,
        *,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        before: BeforeSending | None = None,
    ) -> CachedContext:
        del ttl, expires_at, before
        raise CacheNotFound(handle)


@dataclass
class Counting(MemoryCaches):
    """Counts contents that were read and not yet taken."""

    held: int = 0
    most: int = 0

    def read(self, want: DesiredCache) -> CacheContent:
        del want
        self.held += 1
        self.most = max(self.most, self.held)
        return CacheContent()

    async def create(
        self,
        content: CacheContent,
        *,
        model: str,
        label: str,
        ttl: timedelta | None = None,
        expires_at: datetime | None = None,
        known: Collection[str] = (),
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> CachedContext:
        await asyncio.sleep(0)
        self.held -= 1
        return await super().create(
            content,
            model=model,
            label=label,
            ttl=ttl,
            expires_at=expires_at,
            known=known,
            before=before,
        )


@pytest.mark.parametrize("parallelism", [1, 3, 8])
def test_at_most_so_many_at_a_time(parallelism: int) -> None:
    """No more contents are in memory than changes may run at a time."""
    remote = Counting(lambda: NOW)
    desk = Desk(read=remote.read)
    desk.world.remote = remote
    desk.apply(
        *desk.world.plan([desired(f"n{i}") for i in range(20)]).changes, parallelism=parallelism
    )

    assert remote.most == parallelism
    assert len(remote.caches) == 20
