"""
What a log shows, looked up: caches and their lives, runs and what each had read, files, texts.

Decides what the bytes of a state, of published handles and of a history say, and what a label
says of whose a cache is.  Judges nothing: `checker` does.  It imports nothing of `provisioner`,
so a misreading there is none here.  A moment is an event's position in the log, since several
events may happen in one instant.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import msgspec
from msgspec import Struct, field

from tests.simulate.log import (
    EPOCH,
    CacheCreated,
    CacheDeleted,
    CacheExpired,
    CachePatched,
    CachesListed,
    DeclaredEntry,
    FaultHappened,
    FaultsEnded,
    FileDeleted,
    FileRead,
    FileWritten,
    LockChanged,
    RequestAnswered,
    RunBegun,
    RunEnded,
    TextsChanged,
    WorldEvent,
)

TOLERANCE: Final = 2.0
"""Seconds that two moments may lie apart and still be the same."""
NEVER: Final = float("inf")

_LABEL = re.compile(r"ctxprov:([a-z0-9.-]+)/([a-z0-9-]+)@[0-9a-f]{16}(?:~[a-z]{4})?")
_DURATION = re.compile(r"(\d+)([smhd])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MISDATED: Final = 4_500.0
"""Seconds that a Date is wrong at most."""
_HARMLESS = frozenset({200, 201, 204, 403, 404, 412, 423})
"""Statuses of a server that is well."""

_GONE = frozenset({403, 404})

FileKey: TypeAlias = tuple[str, str]
"""A store, and a file in it."""


# --- documents ---------------------------------------------------------------------------------


class LifeDocument(Struct, frozen=True):
    ttl: str | None = None


class SettingsDocument(Struct, frozen=True):
    keep: str = "warm"
    protect: bool = False
    refresh_before: str = "1/3"
    retire_after: str = "1h"

    def window(self, granted: float) -> float:
        """Seconds before the expiry in which a refresh is due, of a life of *granted* seconds."""
        text = self.refresh_before
        if text.endswith("%"):
            asked = granted * float(text[:-1]) / 100
        elif "/" in text:
            above, _, below = text.partition("/")
            asked = granted * int(above) / int(below)
        else:
            asked = seconds_in(text)
        return min(asked, granted / 2)


class RecordDocument(Struct, frozen=True):
    provider: str
    id: str = ""
    """Empty of an annotation."""
    life: LifeDocument = LifeDocument()
    settings: SettingsDocument = SettingsDocument()
    expires_at: str | None = None

    @property
    def is_kept_warm(self) -> bool:
        return bool(self.id and self.life.ttl) and self.settings.keep == "warm"


class RetiringDocument(Struct, frozen=True):
    name: str
    until: str
    retire_after: str = "1h"


class StateDocument(Struct, frozen=True):
    stack: str
    serial: int
    caches: dict[str, RecordDocument]
    retiring: dict[str, RetiringDocument]
    run: str | None = None

    def names_of(self, cache: str) -> list[str]:
        return [name for name, record in self.caches.items() if record.id == cache]

    def promise(self, cache: str) -> float | None:
        """Until when the record says that *cache* lives; None if it is not on record."""
        for name in self.names_of(cache):
            return moment_in(self.caches[name].expires_at)
        return moment_in(self.retiring[cache].until) if cache in self.retiring else None


class HandleFields(Struct, frozen=True):
    provider: str
    cache_name: str = ""


class PreviousDocument(Struct, frozen=True):
    handle: HandleFields
    until: str


class HandleDocument(Struct, frozen=True):
    handle: HandleFields
    expires_at: str | None = None
    previous: PreviousDocument | None = None


class HandlesDocument(Struct, frozen=True):
    stack: str
    generated_at: str
    caches: dict[str, HandleDocument]

    def promises(self) -> Iterator[tuple[str, str, float]]:
        """Each entry, a cache that it names, and until when an application may use that."""
        for name, entry in self.caches.items():
            if entry.handle.cache_name:
                yield name, entry.handle.cache_name, moment_in(entry.expires_at)
            if entry.previous:
                yield name, entry.previous.handle.cache_name, moment_in(entry.previous.until)


class PastRunDocument(Struct, frozen=True):
    run: str
    outcome: str
    kept: int | None = None


class HistoryDocument(Struct, frozen=True):
    stack: str
    runs: list[PastRunDocument]


class LeaseDocument(Struct, frozen=True):
    free: bool = False
    id: str = ""


class OutputDocument(Struct, frozen=True):
    value: str


class WrappedDocument(Struct, frozen=True):
    """A file as a server of Terraform states keeps it."""

    outputs: dict[str, OutputDocument]


Document: TypeAlias = StateDocument | HandlesDocument | HistoryDocument | LeaseDocument

_STATE = msgspec.json.Decoder(StateDocument)
_HANDLES = msgspec.json.Decoder(HandlesDocument)
_HISTORY = msgspec.json.Decoder(HistoryDocument)
_LEASE = msgspec.json.Decoder(LeaseDocument)
_WRAPPED = msgspec.json.Decoder(WrappedDocument)


def document_of(file: str, content: bytes) -> Document | None:
    """What the *content* of *file* says; None if that is torn, or says nothing to the checker."""
    try:
        if is_lease(file):
            return _LEASE.decode(content)
        if ".history/" in file:
            return _HISTORY.decode(content) if file.endswith("/runs.json") else None
        if b'"terraform_version"' in content:
            content = _WRAPPED.decode(content).outputs["ctxprov"].value.encode()
        return _STATE.decode(content) if b'"serial"' in content else _HANDLES.decode(content)
    except (msgspec.MsgspecError, KeyError):
        return None


def is_lease(file: str) -> bool:
    return file.endswith(".lock.json")


def seconds_in(text: str) -> float:
    """A duration such as `1h30m`, in seconds."""
    return float(sum(int(number) * _UNITS[unit] for number, unit in _DURATION.findall(text)))


def moment_in(text: str | None) -> float:
    """A wire time in virtual seconds; no time is never."""
    if text is None:
        return NEVER
    return (datetime.fromisoformat(text) - EPOCH).total_seconds()


# --- what happened -----------------------------------------------------------------------------


class Life(Struct, frozen=True):
    """An expiry that a create or a PATCH gave to a cache."""

    position: int
    at: float
    expires_at: float
    run: int
    is_clamped: bool = False
    """Whether the provider granted less than it was asked for."""

    @property
    def granted(self) -> float:
        return self.expires_at - self.at


class Cache(Struct, eq=False):
    """A cache from its create to its end."""

    created: CacheCreated
    born: int
    stack: str = ""
    """Whose it is by its label; empty without one of ours."""
    entry: str = ""
    lives: list[Life] = field(default_factory=list)
    ended: int | None = None
    ended_at: float = NEVER
    ended_by: int | None = None
    """The run that deleted it, 0 another hand; None: it expired, or is alive."""

    @property
    def id(self) -> str:
        return self.created.cache

    @property
    def has_foreign_end(self) -> bool:
        """Whether another hand than a run's decided when it ended."""
        return self.ended_by == 0 or (self.ended_by is None and self.lives[-1].run == 0)

    def life(self, position: int) -> Life:
        """The last that was given up to *position*."""
        return next(life for life in reversed(self.lives) if life.position <= position)

    def is_alive(self, position: int, at: float) -> bool:
        if position < self.born or (self.ended is not None and self.ended <= position):
            return False
        return self.life(position).expires_at > at


class View(Struct, frozen=True):
    """The state of its stack as a run read or wrote it."""

    position: int
    state: StateDocument
    is_written: bool = False


class Run(Struct, eq=False):
    """A run of an operation, and what it had seen at each moment."""

    begun: RunBegun
    begin: int
    ended: RunEnded | None = None
    end: int | None = None
    faults: list[FaultHappened] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    lists: list[tuple[int, CachesListed]] = field(default_factory=list)
    looks: list[int] = field(default_factory=list)
    """When a LIST of it ended, with or without success."""
    gone: set[str] = field(default_factory=set)
    """Caches of which a PATCH or GET of it was answered that they are not there."""
    creations: list[Cache] = field(default_factory=list)
    has_failed_calls: bool = False
    locked: float = NEVER
    """When it took the lock of its state."""

    @property
    def number(self) -> int:
        return self.begun.run

    @property
    def outcome(self) -> str:
        return self.ended.outcome if self.ended else ""

    @property
    def detail(self) -> str:
        return self.ended.detail if self.ended else ""

    @property
    def is_done(self) -> bool:
        return self.outcome == "done"

    @property
    def has_met_fault(self) -> bool:
        return bool(self.faults) or self.has_failed_calls

    @property
    def is_keeping(self) -> bool:
        """Whether it is of an operation that keeps caches alive."""
        return self.begun.operation in {"apply", "keepalive"}

    def view(self, position: int) -> StateDocument:
        """The state as it had read or written it last before *position*."""
        count = bisect_right(self.views, position - 1, key=lambda view: view.position)
        return self.views[count - 1].state if count else _nothing(self.begun.stack)

    def met(self, kind: str) -> bool:
        return any(fault.kind == kind for fault in self.faults)

    def lists_between(self, first: int, last: int) -> list[tuple[int, CachesListed]]:
        return [entry for entry in self.lists if first < entry[0] < last]


class Version(Struct, frozen=True):
    """A file from one change of it to the next."""

    position: int
    event: FileWritten | FileDeleted
    document: Document | None


class LogIndex:
    """A whole log."""

    def __init__(self, events: Sequence[WorldEvent]) -> None:
        self.events = events
        self.caches: dict[str, Cache] = {}
        self.runs: dict[int, Run] = {}
        self.answers: dict[int, tuple[int, RequestAnswered]] = {}
        """By request."""
        self.files: dict[FileKey, list[Version]] = defaultdict(list)
        self.locks: dict[FileKey, LockChanged] = {}
        """Of servers of states, as they are at the end."""
        self.states: dict[str, list[tuple[int, StateDocument]]] = defaultdict(list)
        """By stack, each from its position on; nothing is on record in a torn or lost one."""
        self.losses: dict[str, list[int]] = defaultdict(list)
        """By stack, when no run changed its state."""
        self.state_files: dict[FileKey, str] = {}
        """The stack of each."""
        self.texts: dict[tuple[str, str], list[tuple[int, TextsChanged]]] = defaultdict(list)
        """By checkout and stack."""
        self.calm: int | None = None
        """When faults ended."""
        self.misdated: list[float] = []
        """When a provider began to send a wrong Date, or none."""
        self._contents: dict[tuple[FileKey, str], Document | None] = {}
        self._holders: dict[FileKey, int] = {}
        """Who wrote last to a lease, or changed a lock."""
        self._former: dict[tuple[str, str], str] = {}
        for position, event in enumerate(events):
            self._take(position, event)

    def _take(self, position: int, event: WorldEvent) -> None:  # a case each
        match event:
            case FileRead():
                self._read(position, event)
            case FileWritten() | FileDeleted():
                self._change(position, event)
            case RequestAnswered():
                self._answer(position, event)
            case CachesListed():
                if run := self.runs.get(event.run):
                    run.lists.append((position, event))
            case CacheCreated():
                self._create(position, event)
            case CachePatched():
                is_clamped = event.asked is not None and event.expires_at < event.asked
                life = Life(position, event.at, event.expires_at, event.run, is_clamped)
                self.caches[event.cache].lives.append(life)
            case CacheDeleted() | CacheExpired():
                cache = self.caches[event.cache]
                cache.ended, cache.ended_at = position, event.at
                cache.ended_by = event.run if isinstance(event, CacheDeleted) else None
            case RunBegun():
                self.runs[event.run] = Run(event, position)
            case RunEnded():
                run = self.runs[event.run]
                run.ended, run.end = event, position
            case FaultHappened():
                if run := self.runs.get(event.run):
                    run.faults.append(event)
                if event.kind == "wrong_date":
                    self.misdated.append(event.at)
            case TextsChanged():
                self.texts[event.checkout, event.stack].append((position, event))
                for old, new in event.moved.items():
                    self._former.setdefault((event.stack, new), old)
            case LockChanged():
                self.locks[event.store, event.file] = event
                if event.owner is not None:
                    self._lock(position, event)
            case FaultsEnded():
                self.calm = position
            case _:
                pass

    def _create(self, position: int, event: CacheCreated) -> None:
        label = _LABEL.fullmatch(event.label)
        stack, entry = label.groups() if label else ("", "")
        life = Life(position, event.at, event.expires_at, event.run)
        cache = Cache(event, position, stack, entry, [life])
        self.caches[event.cache] = cache
        if run := self.runs.get(event.run):
            run.creations.append(cache)

    def _answer(self, position: int, event: RequestAnswered) -> None:
        self.answers[event.request] = (position, event)
        if run := self.runs.get(event.run):
            run.has_failed_calls |= not event.is_delivered or event.status not in _HARMLESS
            if event.method == "GET" and event.path.endswith("/cachedContents"):
                run.looks.append(position)
            if event.is_delivered and event.status in _GONE and event.method in {"PATCH", "GET"}:
                run.gone.add(f"cachedContents/{event.path.rpartition('/')[2]}")

    def _read(self, position: int, event: FileRead) -> None:
        key, run = (event.store, event.file), self.runs.get(event.run)
        if run and self.state_files.get(key) == run.begun.stack:
            if event.version is None:
                run.views.append(View(position, _nothing(run.begun.stack)))
            elif isinstance(state := self._contents.get((key, event.version)), StateDocument):
                run.views.append(View(position, state))

    def _lock(self, position: int, event: FileWritten | FileDeleted | LockChanged) -> None:
        """Note an acquisition, the last one of a run: who renews has written there before."""
        key = (event.store, event.file)
        run = self.runs.get(event.run)
        if run and self._holders.get(key) != event.run:
            run.locked = position
        self._holders[key] = event.run

    def _change(self, position: int, event: FileWritten | FileDeleted) -> None:
        key, document = (event.store, event.file), None
        if isinstance(event, FileWritten):
            document = document_of(event.file, event.content)
            self._contents[key, event.version] = document
        self.files[key].append(Version(position, event, document))
        if is_lease(event.file) and not (isinstance(document, LeaseDocument) and document.free):
            self._lock(position, event)
        if isinstance(document, StateDocument):
            self.state_files[key] = document.stack
        if stack := self.state_files.get(key):
            state = document if isinstance(document, StateDocument) else _nothing(stack)
            self.states[stack].append((position, state))
            if (run := self.runs.get(event.run)) and run.begun.stack == stack:
                run.views.append(View(position, state, is_written=True))
            elif event.run == 0:
                self.losses[stack].append(position)

    def at(self, position: int) -> float:
        return self.events[position].at

    @property
    def last(self) -> int:
        return len(self.events) - 1

    def state(self, stack: str, position: int) -> StateDocument:
        """What is on record at *position*, in the store."""
        states = self.states.get(stack, [])
        count = bisect_right(states, position, key=lambda state: state[0])
        return states[count - 1][1] if count else _nothing(stack)

    def first_name(self, stack: str, entry: str) -> str:
        """What *entry* was called at first, before its moves."""
        names = {entry}
        while (former := self._former.get((stack, entry))) and former not in names:
            names.add(former)
            entry = former
        return entry

    def names(self, run: Run, entry: str, position: int) -> set[str]:
        """*entry* and the names that it had, as the texts say that *run* may have read."""
        names = {entry}
        moves = [event.moved for event in self.declared(run, position)]
        while former := {old for moved in moves for old in moved if moved[old] in names} - names:
            names |= former
        return names

    def declared(self, run: Run, position: int) -> list[TextsChanged]:
        """The texts that *run* may have read by *position*, the last ones last."""
        texts = self.texts.get((run.begun.checkout, run.begun.stack), [])
        before = [event for at, event in texts if at <= run.begin][-1:]
        return before + [event for at, event in texts if run.begin < at <= position]

    def wanted(self, run: Run, position: int) -> Mapping[str, DeclaredEntry]:
        """The entries of those that it read last, at the latest."""
        texts = self.declared(run, position)
        return texts[-1].entries if texts else {}

    def is_answered(self, cache: Cache, position: int) -> bool:
        """Whether the answer to its create had reached its run by *position*."""
        when, answer = self.answers.get(cache.created.request, (position + 1, None))
        return bool(answer and answer.is_delivered and answer.is_success and when <= position)

    def is_misdated(self, run: Run) -> bool:
        """Whether a wrong Date may have reached *run*."""
        end = run.ended.at if run.ended else NEVER
        return any(at <= end and run.begun.at <= at + _MISDATED for at in self.misdated)

    def runs_of(self, stack: str) -> Iterator[Run]:
        return (run for run in self.runs.values() if run.begun.stack == stack)


def _nothing(stack: str) -> StateDocument:
    return StateDocument(stack=stack, serial=0, caches={}, retiring={})
