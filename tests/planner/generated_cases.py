"""
Cases for two planners, drawn by a seeded generator from a world that is small and crowded.

Few names, ids and contents make collisions usual, and the moments stand on and beside every
edge that a rule has.  What an entry or a record is made of is built once and shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from random import Random

from msgspec.structs import replace

from provisioner.cache import ClaudeHandle
from provisioner.model.attributes import Adoption, Label, Life, Settings, Ttl, Until
from provisioner.model.facts import Disappearance, State
from provisioner.model.plan import Edit
from provisioner.model.records import (
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedAnnotation,
    RecordedCache,
    RetiringCache,
)
from tests.builders import FLASH, HOUR, NOW, STACK, annotation, desired
from tests.planner.naive import Case

SECOND = timedelta(seconds=1)
NAMES = ("a", "b", "c", "d", "e", "f")
IDS = tuple(f"cachedContents/{number}" for number in range(8))
PROVIDERS = ("gemini", "gemini", "gemini", "gemini-b")
LIVES: tuple[Life, ...] = (
    *(Ttl(6 * HOUR),) * 4,
    Ttl(12 * HOUR),
    Until(NOW + 6 * HOUR),
    Until(NOW + SECOND),
    Until(NOW),
    Until(NOW - HOUR),
)
SETTINGS = (
    *(Settings(refresh_before=HOUR, retire_after=HOUR),) * 3,
    Settings(refresh_before=HOUR, retire_after=timedelta()),
    Settings(refresh_before=HOUR, retire_after=HOUR, protect=True),
    Settings(refresh_before=HOUR, retire_after=HOUR, keep="once"),
    Settings(refresh_before=4 * HOUR, retire_after=2 * HOUR),
)
ENDS = tuple(
    NOW + end + edge
    for end in (-HOUR, timedelta(), HOUR, 3 * HOUR, 6 * HOUR)
    for edge in (-3 * SECOND, -2 * SECOND, -SECOND, timedelta(), SECOND, 2 * SECOND, 3 * SECOND)
)
DRIFTS = tuple(
    timedelta(seconds=seconds) for seconds in (0, 0, 0, 0, -1, -2, -3, 1, 2, 3, -4 * 3600, 3 * 3600)
)
COUNTS = (984, 1_000, 1_016, 1_017, 9_899, 9_900, 10_000)
"""Of tokens, a share or a number apart from each other on which an adoption turns."""
AHEAD = (timedelta(), timedelta(), timedelta(), HOUR, -HOUR, 6 * HOUR, SECOND)


@cache
def wanted(name: str, content: str, model: str, provider: str, life: Life, at: int) -> DesiredCache:
    cache = desired(name, content, model=model, provider=provider)
    return replace(cache, life=life, settings=SETTINGS[at])


@cache
def noted(name: str, content: str, model: str, span: timedelta) -> DesiredAnnotation:
    handle = ClaudeHandle({"type": "ephemeral"})
    return annotation(name, content, model=model, life=Ttl(span), handle=handle)


def cases(seed: int, count: int) -> Iterator[Case]:
    """Draw *count* cases; one seed draws the same ones on every machine."""
    draw = Draw(Random(seed))  # noqa: S311  # repeatable on purpose
    return (draw.case() for _ in range(count))


class Draw:
    """Draws the parts of a case."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def often(self, chance: float) -> bool:
        return self.random.random() < chance

    def case(self) -> Case:
        names = NAMES[: self.random.choice((2, 3, 3, 4, 6, 6))]
        destroy = self.often(0.1)
        free = self.random.sample(IDS, len(IDS))
        records = {name: self.record(name, free) for name in names if self.often(0.75)}
        wants = [] if destroy else [self.want(n, records) for n in names if self.often(0.8)]
        self.random.shuffle(wants)
        retiring = [self.retiring(free) for _ in range(self.random.choice((0, 0, 1, 2)))]
        state = State(
            stack=STACK,
            caches=records,
            retiring={cache.id: cache for cache in retiring},
            given={self.random.choice(IDS): "elsewhere"} if self.often(0.05) else {},
            disappeared=self.disappeared(),
            rested=self.rested(wants, names) if self.often(0.15) else {},
        )
        return Case(
            desired=wants,
            state=state,
            live=self.live(wants, state),
            now=NOW,
            ahead={name: self.random.choice(AHEAD) for name in ("gemini", "gemini-b")},
            destroy=destroy,
            prune=self.often(0.3),
            replace=frozenset(name for name in names if self.often(0.08)),
            renames=[self.pair() for _ in range(self.random.choice((0, 0, 0, 1, 2)))],
            owners={self.random.choice(IDS): "demo.prod"} if self.often(0.1) else {},
            accepted=frozenset({"gemini"} if self.often(0.1) else ()),
        )

    def pair(self) -> tuple[str, str]:
        old, new = self.random.sample((*NAMES, "g"), 2)
        return old, new

    def want(self, name: str, records: dict[str, Recorded]) -> Desired:
        """An entry: as it is on record, or one that is drawn apart from it."""
        record = records.get(name)
        if self.often(0.15):
            return self.annotated(name)
        if isinstance(record, RecordedCache) and self.often(0.6):
            cache = replace(
                self.cache(name),
                provider=record.provider,
                model=record.model,
                digest=record.digest,
                label=Label(STACK, name, record.digest[:16]),
            )
            if self.often(0.7):
                cache = replace(cache, life=record.life)
            return replace(cache, settings=record.settings) if self.often(0.7) else cache
        cache = self.cache(name)
        return self.claiming(cache) if self.often(0.3) else cache

    def claiming(self, cache: DesiredCache) -> DesiredCache:
        mark = self.random.choice((None, None, cache.label.mark, "0" * 16))
        counted = replace(cache.measure, counted=self.often(0.5))
        adopt = Adoption(self.random.choice(IDS), mark)
        return replace(
            cache, adopt=adopt, measure=replace(counted, tokens=self.random.choice(COUNTS))
        )

    def annotated(self, name: str) -> DesiredAnnotation:
        model = "claude-sonnet-5-5" if self.often(0.8) else "claude-opus-5"
        return noted(name, self.content(), model, HOUR if self.often(0.8) else HOUR / 12)

    def content(self) -> str:
        return "x" if self.often(0.7) else "y"

    def cache(self, name: str) -> DesiredCache:
        return wanted(
            name,
            self.content(),
            FLASH if self.often(0.85) else "gemini-2.5-pro",
            self.random.choice(PROVIDERS),
            self.random.choice(LIVES),
            self.random.randrange(len(SETTINGS)),
        )

    def record(self, name: str, free: list[str]) -> Recorded:
        if self.often(0.12):
            return RecordedAnnotation.of(self.annotated(name), NOW)
        want, end = self.cache(name), self.random.choice(ENDS)
        seen = self.alive(want.provider, free.pop(), want.label, end)
        return RecordedCache.of(want, seen, counted=True)

    def retiring(self, free: list[str]) -> RetiringCache:
        end = self.random.choice(ENDS)
        return RetiringCache(
            name=self.random.choice(NAMES),
            provider=self.random.choice(PROVIDERS),
            model=FLASH,
            id=free.pop(),
            retire_after=HOUR,
            until=end,
            expires_at=end if self.often(0.8) else None,
        )

    def live(self, wants: list[Desired], state: State) -> list[LiveCache]:
        """What is on record, unless it is gone, and others with and without a label."""
        records = [r for r in state.caches.values() if isinstance(r, RecordedCache)]
        share = self.random.choice((0.0, 0.5, 0.9, 1.0))
        listed = [
            self.alive(
                record.provider,
                record.id,
                self.label(record.name, record.digest),
                record.expires_at + self.random.choice(DRIFTS),
            )
            for record in records
            if self.often(share)
        ]
        for old in state.retiring.values():
            if self.often(0.7):
                end = old.until + self.random.choice(DRIFTS)
                label = self.label(old.name, desired(old.name).digest)
                listed.append(self.alive(old.provider, old.id, label, end))
        for want in wants:
            if isinstance(want, DesiredCache) and self.often(0.25):
                end = self.random.choice(ENDS)
                label = self.label(want.name, want.digest)
                listed.append(self.alive(want.provider, self.random.choice(IDS), label, end))
            if isinstance(want, DesiredCache) and want.adopt and self.often(0.6):
                end = self.random.choice(ENDS)
                label = None if self.often(0.7) else self.label(want.name, want.digest)
                listed.append(self.alive(want.provider, want.adopt.id, label, end))
        for _ in range(self.random.choice((0, 0, 1, 2))):
            end = self.random.choice(ENDS)
            label = self.label(self.random.choice(NAMES), "0" * 64)
            provider = self.random.choice(PROVIDERS)
            listed.append(self.alive(provider, self.random.choice(IDS), label, end))
        self.random.shuffle(listed)
        return list({(seen.provider, seen.id): seen for seen in listed}.values())

    def label(self, name: str, digest: str) -> Label | None:
        if self.often(0.12):
            return None
        letters = self.random.choice(("", "abcd", "wxyz"))
        stack = STACK if self.often(0.93) else "other"
        return Label(stack, name, digest[:16], letters)

    def disappeared(self) -> dict[str, Disappearance]:
        if self.often(0.6):
            return {}
        minutes = self.random.choice((None, 0, 9, 10, 11, 600))
        since = None if minutes is None else NOW - timedelta(minutes=minutes)
        remade = (self.random.choice(IDS),) if self.often(0.2) else ()
        return {"gemini": Disappearance(since=since, failed=self.often(0.2), remade=remade)}

    def rested(self, wants: list[Desired], names: tuple[str, ...]) -> dict[str, str]:
        edits = [Edit(want.name, want.after) for want in wants]
        edits += [Edit(name, None) for name in names]
        edit = self.random.choice(edits)
        return {edit.name: edit.digest(STACK)}

    def alive(self, provider: str, id_: str, label: Label | None, end: datetime) -> LiveCache:
        return alive(provider, id_, label, end, self.random.choice((0, *COUNTS)))


def alive(provider: str, id_: str, label: Label | None, end: datetime, tokens: int) -> LiveCache:
    return LiveCache(
        provider=provider,
        id=id_,
        label=label,
        model=FLASH,
        created_at=end - 6 * HOUR,
        updated_at=end - 6 * HOUR,
        expires_at=end,
        tokens=tokens,
    )
