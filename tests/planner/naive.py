"""
A second planner, written from the design's tables and slow on purpose.

It shares the values of `provisioner.model` with the product, and none of its decisions: every
question scans whole lists, every table is a list of which the first true row decides, and a
change is a `Line` of plain texts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from provisioner.model.attributes import Ttl, Until
from provisioner.model.changes import Change
from provisioner.model.facts import State
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

SLACK = timedelta(seconds=2)


class Case(NamedTuple):
    """All that a planner looks at."""

    desired: Sequence[Desired]
    state: State
    live: Sequence[LiveCache]
    now: datetime
    ahead: Mapping[str, timedelta]
    destroy: bool
    prune: bool
    replace: frozenset[str]
    renames: Sequence[tuple[str, str]]
    owners: Mapping[str, str]
    accepted: frozenset[str]
    """The projects whose brake is lifted by hand."""

    def clock(self, provider: str) -> datetime:
        return self.now + self.ahead.get(provider, timedelta())


class Line(NamedTuple):
    """What a change comes to."""

    verb: str
    name: str
    live: str | None
    old: str | None
    reason: str


def line_of(change: Change) -> Line:
    """The same of a change of the product."""
    live, old = id_of(change.live), id_of(change.old)
    return Line(change.verb, change.name, live, old, change.reason.name)


def id_of(cache: LiveCache | None) -> str | None:
    return cache.id if cache else None


def first(*rows: tuple[object, str]) -> str:
    """Return the word of the first row that holds."""
    return next(word for holds, word in rows if holds)


class Naive:
    """One case, decided row by row; what an entry adopts, no later one can."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.moved = dict(moved_names(case))
        self.records = [
            (self.moved.get(name, name), record) for name, record in case.state.caches.items()
        ]
        self.retiring = [
            (self.moved.get(cache.name, cache.name), cache)
            for cache in case.state.retiring.values()
        ]
        self.declared = [want.name for want in case.desired]
        self.adopted: list[str] = []

    def lines(self) -> list[Line]:
        named = [*self._wanted(), *self._unwanted()]
        upkeep = [] if self.case.destroy else [line for line in self._upkeep(named) if line]
        moves = [Line("move", new, None, None, "MOVED") for new in self.moved.values()]
        return [*moves, *named, *upkeep, *self._leaving(), *self._strays()]

    def edits(self) -> set[Edit]:
        """(name, after) where after is not that of the record, and (name, removed)."""
        edits = set()
        for want in self.case.desired:
            record = self._record(want.name)
            if record is None or record.after != want.after or want.name in self.moved.values():
                edits.add(Edit(want.name, want.after))
        edits |= {Edit(name, None) for name, _ in self.records if name not in self.declared}
        return edits

    def resting(self) -> set[Edit]:
        stack, remembered = self.case.state.stack, self.case.state.rested
        return {
            edit
            for edit in self.edits()
            if remembered.get(edit.name) == edit.digest(stack)
            and edit.name not in self.case.replace
        }

    # What is declared.

    def _wanted(self) -> Iterator[Line]:
        for want in self.case.desired:
            record = self._record(want.name)
            if isinstance(want, DesiredCache):
                yield self._cache(want, record)
            else:
                yield self._annotation(want, record)

    def _cache(self, want: DesiredCache, record: Recorded | None) -> Line:
        own, asked = self._own(record), want.name in self.case.replace
        same = record is not None and identity(record) == identity(want) and not asked
        twin = None if asked or (own and same) else self._twin(want)
        named = self._named(want) if record is None and not asked and not twin else None
        refused = named is not None and self._is_refused(want, named)
        age = self._age(want, own, record)
        verb = first(
            (own and same and record and record.life != want.life, "refresh"),
            (own and same and age, "refresh"),
            (own and same and settings_of(record) != want.settings, "note"),
            (own and same, "keep"),
            (twin, "adopt"),
            (refused, "blocked"),
            (named, "adopt"),
            (own, "replace"),
            (self._is_over(want) or (same and self._ran_out_once(want, record)), "ended"),
            (True, "create"),
        )
        reason = first(
            (verb == "ended", "ENDED"),
            (record is None and twin, "FOUND"),
            (record is None and named, "IMPORTED"),
            (record is None, "NEW"),
            (edit_of(want, record), edit_of(want, record)),
            (asked, "REQUESTED"),
            (own is None and self._ran_out(record), "EXPIRED"),
            (own is None, "MISSING"),
            (age, age),
            (True, "CURRENT"),
        )
        taken = twin or named
        if verb == "adopt" and taken:
            self.adopted.append(taken.id)
        at = {"adopt": taken, "blocked": named, "create": None, "ended": None}.get(verb, own)
        old = own if verb in {"adopt", "replace"} else None
        line = Line(
            "keep" if verb == "ended" else verb,
            want.name,
            id_of(at),
            id_of(old),
            reason,
        )
        return self._braked(want, line)

    def _annotation(self, want: DesiredAnnotation, record: Recorded | None) -> Line:
        own = self._own(record)
        differs = record is None or record.after != want.after
        verb = first(
            (not differs, "keep"),
            (own and protected(record), "blocked"),
            (True, "annotate"),
        )
        reason = first((record is None, "NEW"), (differs, edit_of(want, record)), (True, "CURRENT"))
        old = own if verb == "annotate" else None
        return Line(verb, want.name, id_of(own), id_of(old), reason)

    # What is not.

    def _unwanted(self) -> Iterator[Line]:
        for name, record in self.records:
            if name in self.declared:
                continue
            own = self._own(record)
            verb = first(
                (own is None, "forget"),
                (own and own.id in self._claimed(), ""),
                (protected(record), "blocked"),
                (self.case.destroy, "delete"),
                (retires_at_once(record), "delete"),
                (True, "retire"),
            )
            if verb:
                yield Line(verb, name, id_of(own), None, "UNDECLARED")

    def _upkeep(self, lines: Sequence[Line]) -> Iterator[Line | None]:
        """What is protected and blocked is refreshed like any other."""
        for line in lines:
            record = self._record(line.name)
            if line.verb == "blocked" and isinstance(record, RecordedCache):
                own = self._own(record)
                age = self._age(record, own, record)
                yield Line("refresh", line.name, line.live, None, age) if own and age else None

    def _leaving(self) -> Iterator[Line]:
        for name, cache in self.retiring:
            own = self._own(cache)
            verb = first(
                (own is None, "forget"),
                (own and own.id in self._claimed(), ""),
                (self.case.destroy and name not in self.declared, "delete"),
                (cache.expires_at is None, "retire"),
                (own and cache.expires_at and own.expires_at > cache.expires_at + SLACK, "retire"),
                (True, "leave"),
            )
            reason = {"forget": "RETIRED", "delete": "UNDECLARED"}.get(verb, "RETIRING")
            if verb:
                yield Line(verb, name, id_of(own), None, reason)

    def _strays(self) -> Iterator[Line]:
        shown = set(self.adopted)
        for cache in self.case.live:
            ours = cache.label is not None and cache.label.stack == self.case.state.stack
            theirs = cache.id in self.case.owners or cache.id in self.case.state.given
            if ours and not theirs and cache.id not in shown and not self._on_record(cache.id):
                shown.add(cache.id)
                verb = "delete" if self.case.prune else "leave"
                yield Line(verb, cache.label.name if cache.label else "", cache.id, None, "STRAY")

    # Questions.

    def _record(self, name: str) -> Recorded | None:
        return dict(self.records).get(name)

    def _own(self, record: Recorded | RetiringCache | None) -> LiveCache | None:
        if record is None or isinstance(record, RecordedAnnotation):
            return None
        listed = [
            cache
            for cache in self.case.live
            if cache.provider == record.provider and cache.id == record.id
        ]
        return listed[-1] if listed else None

    def _on_record(self, id_: str) -> bool:
        ids = [record.id for _, record in self.records if isinstance(record, RecordedCache)]
        return id_ in ids or id_ in [cache.id for _, cache in self.retiring]

    def _claimed(self) -> list[str]:
        """Ids that other declared entries have on record or have adopted."""
        return self.adopted + [
            record.id
            for name, record in self.records
            if name in self.declared and isinstance(record, RecordedCache)
        ]

    def _is_foreign(self, cache: LiveCache) -> bool:
        if self._on_record(cache.id):
            return False
        if cache.id in self.case.owners or cache.id in self.case.state.given:
            return True
        return cache.label is not None and cache.label.stack != self.case.state.stack

    def _twin(self, want: DesiredCache) -> LiveCache | None:
        names = [want.name, *(old for old, new in self.case.renames if new == want.name)]
        texts = [f"ctxprov:{want.label.stack}/{name}@{want.digest[:16]}" for name in names]
        twins = [
            cache
            for cache in self.case.live
            if cache.provider == want.provider
            and str(cache.label).partition("~")[0] in texts
            and cache.id not in self._claimed()
            and not self._is_foreign(cache)
        ]
        twins.sort(key=lambda cache: (cache.expires_at, cache.id))
        return twins[-1] if twins else None

    def _named(self, want: DesiredCache) -> LiveCache | None:
        claim = want.adopt
        if claim is None or (claim.mark is not None and claim.mark != want.digest[:16]):
            return None
        listed = [
            cache
            for cache in self.case.live
            if cache.provider == want.provider and cache.id == claim.id
        ]
        return listed[-1] if listed else None

    def _is_refused(self, want: DesiredCache, named: LiveCache) -> bool:
        label, others = named.label, [name for name in self.declared if name != want.name]
        gap = abs(want.measure.tokens - named.tokens)
        larger = max(want.measure.tokens, named.tokens)
        return (
            self._is_foreign(named)
            or named.id in self._claimed()
            or (label is not None and label.name in others)
            or (label is not None and label.mark != want.digest[:16])
            or bool(want.measure.counted and named.tokens and gap > 16 and gap * 100 > larger)
        )

    def _age(
        self, want: DesiredCache | RecordedCache, own: LiveCache | None, record: Recorded | None
    ) -> str:
        if own is None or not isinstance(record, RecordedCache):
            return ""
        if own.expires_at + SLACK < record.expires_at:
            return "SHORTENED"
        if not isinstance(want.life, Ttl) or want.settings.keep != "warm":
            return ""
        left = own.expires_at - self.case.clock(want.provider)
        return "EXPIRING" if left <= want.settings.window(own.granted) else ""

    def _is_over(self, want: DesiredCache) -> bool:
        return isinstance(want.life, Until) and want.life.moment <= self.case.clock(want.provider)

    def _ran_out(self, record: Recorded | None) -> bool:
        return isinstance(record, RecordedCache) and (
            self.case.clock(record.provider) >= record.expires_at - SLACK
        )

    def _ran_out_once(self, want: DesiredCache, record: Recorded | None) -> bool:
        return want.settings.keep == "once" and self._ran_out(record)

    # The brake.

    def _braked(self, want: Desired, line: Line) -> Line:
        held = line.verb == "create" and line.reason == "MISSING" and self._holds(want.provider)
        return line._replace(verb="blocked") if held else line

    def _holds(self, provider: str) -> bool:
        now = self.case.clock(provider)
        ids = {cache.id for cache in self.case.live if cache.provider == provider}
        expected = [
            record.id
            for record in self.case.state.caches.values()
            if isinstance(record, RecordedCache)
            and record.provider == provider
            and record.expires_at - now > SLACK
        ]
        missing = [id_ for id_ in expected if id_ not in ids]
        half = len(expected) >= 5 and len(missing) * 2 >= len(expected)
        if not missing or provider in self.case.accepted:
            return False
        if len(missing) < len(expected) and not half:
            return False
        sight = self.case.state.disappeared.get(provider)
        if sight and (sight.failed or set(sight.remade) & set(missing)):
            return True
        return not (sight and sight.since and now >= sight.since + timedelta(minutes=10))


def moved_names(case: Case) -> Iterator[tuple[str, str]]:
    """The names that a rename changes: what is on record, to a name that is not."""
    used = list(case.state.caches)
    done: list[str] = []
    for old, new in case.renames:
        if old in case.state.caches and old not in done and new not in used:
            done.append(old)
            used.append(new)
            yield old, new


def identity(entry: Desired | Recorded) -> tuple[str, str]:
    return entry.provider, entry.digest


def settings_of(record: Recorded | None) -> object:
    return record.settings if isinstance(record, RecordedCache) else None


def protected(record: Recorded | None) -> bool:
    return isinstance(record, RecordedCache) and record.settings.protect


def retires_at_once(record: Recorded | None) -> bool:
    return isinstance(record, RecordedCache) and not record.settings.retire_after


def edit_of(want: Desired, record: Recorded | None) -> str:
    """How the repository differs from the record: the first that does."""
    if record is None:
        return ""
    before, after = record.after, want.after
    both = before.settings is not None and after.settings is not None
    return first(
        (before.provider != after.provider, "PROVIDER"),
        (before.model != after.model, "MODEL"),
        (before.digest != after.digest, "CONTENT"),
        (before.life != after.life, "LIFE"),
        (both and before.settings != after.settings, "SETTINGS"),
        (True, ""),
    )
