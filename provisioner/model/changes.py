"""
What a plan holds: a type for every change, each with a reason, each reason with a cause.

Changes say what to do and never how.  `record` is what was on record under the name
when the plan was made; `want`, `own`, `twin` and `old` are spelled as in the planner.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from types import MappingProxyType
from typing import TypeAlias

from msgspec import Struct, field

from provisioner.model.attributes import After, after_fields
from provisioner.model.records import (
    CACHING,
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)
from provisioner.model.stack_settings import SettingEdit


class Cause(StrEnum):
    """Who caused a change: somebody's edit, the clock, or somebody on the live side."""

    EDIT = auto()
    TIME = auto()
    DRIFT = auto()


class Reason(StrEnum):
    """Why a change was chosen.  For people: nothing branches on it, but its cause counts."""

    NEW = auto()
    IMPORTED = auto()
    MOVED = auto()
    FOUND = auto()
    PROVIDER = auto()
    MODEL = auto()
    CONTENT = auto()
    LIFE = auto()
    SETTINGS = auto()
    REQUESTED = auto()
    ENDED = auto()
    EXPIRED = auto()
    MISSING = auto()
    SHORTENED = auto()
    EXPIRING = auto()
    CURRENT = auto()
    UNDECLARED = auto()
    RETIRED = auto()
    RETIRING = auto()
    STRAY = auto()

    @property
    def cause(self) -> Cause | None:
        """None for what needs no cause, because nothing is to be done."""
        return _CAUSES.get(self)


_CAUSES: Mapping[Reason, Cause] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                Reason.NEW,
                Reason.IMPORTED,
                Reason.MOVED,
                Reason.PROVIDER,
                Reason.MODEL,
                Reason.CONTENT,
                Reason.LIFE,
                Reason.SETTINGS,
                Reason.REQUESTED,
                Reason.UNDECLARED,
            ),
            Cause.EDIT,
        ),
        **dict.fromkeys(
            (Reason.ENDED, Reason.EXPIRED, Reason.EXPIRING, Reason.RETIRED, Reason.RETIRING),
            Cause.TIME,
        ),
        **dict.fromkeys(
            (Reason.FOUND, Reason.MISSING, Reason.SHORTENED, Reason.STRAY), Cause.DRIFT
        ),
    }
)


class Create(Struct, frozen=True):
    """Make a cache; nothing alive stands in its place."""

    want: DesiredCache
    record: Recorded | None
    reason: Reason


class Replace(Struct, frozen=True):
    """Make a new cache, publish it, then let the old one die."""

    want: DesiredCache
    old: LiveCache
    record: RecordedCache
    reason: Reason


class Adopt(Struct, frozen=True):
    """Take over a live cache that is right already; the old one, if any, may die."""

    want: DesiredCache
    twin: LiveCache
    old: LiveCache | None
    record: Recorded | None
    reason: Reason


class Refresh(Struct, frozen=True):
    """Give our own cache the desired life, from now on."""

    want: DesiredCache
    own: LiveCache
    record: RecordedCache
    reason: Reason


class Note(Struct, frozen=True):
    """Only settings differ: write them down, call nobody."""

    want: DesiredCache
    own: LiveCache
    record: RecordedCache
    reason: Reason


class Annotate(Struct, frozen=True):
    """Write down an annotation; a live cache it stands in for may die."""

    want: DesiredAnnotation
    old: LiveCache | None
    record: Recorded | None
    reason: Reason


class Keep(Struct, frozen=True):
    """Nothing to do.  `own` is None for annotations and for what has ended."""

    want: Desired
    own: LiveCache | None
    record: Recorded | None
    reason: Reason


class Move(Struct, frozen=True):
    """What is on record under another name goes on under *name*; call nobody."""

    name: str
    record: Recorded
    reason: Reason


class Retire(Struct, frozen=True):
    """Let a live cache die soon."""

    live: LiveCache
    record: RecordedCache | RetiringCache
    reason: Reason


class Delete(Struct, frozen=True):
    """Delete a live cache at once.  `record` is None for a stray."""

    live: LiveCache
    record: RecordedCache | RetiringCache | None
    reason: Reason


class Forget(Struct, frozen=True):
    """Nothing is left to delete; drop the record."""

    record: Recorded | RetiringCache
    reason: Reason


class Leave(Struct, frozen=True):
    """Retiring, or labelled as ours but not on record: say so, and let it be."""

    live: LiveCache
    record: RetiringCache | None
    reason: Reason


class Blocked(Struct, frozen=True):
    """What the manifest asks for is refused; `why` is the sentence for people."""

    name: str
    want: Desired | None
    live: LiveCache | None
    """None where the creation of a cache that has disappeared is held back."""
    record: Recorded | None
    reason: Reason
    why: str


Change: TypeAlias = (
    Create
    | Replace
    | Adopt
    | Refresh
    | Note
    | Annotate
    | Keep
    | Move
    | Retire
    | Delete
    | Forget
    | Leave
    | Blocked
)


def name_of_change(change: Change) -> str:
    """The name in the stack that *change* is about."""
    match change:
        case Retire(record=record) | Forget(record=record):
            return record.name
        case Delete(live, record) | Leave(live, record):
            return record.name if record else live.label.name if live.label else live.id
        case Blocked(name=name) | Move(name):
            return name
        case _:
            return change.want.name


def provider_of_change(change: Change) -> str:
    """The provider whose clock decides about *change*."""
    match change:
        case Retire(live=live) | Delete(live=live) | Leave(live=live):
            return live.provider
        case Forget(record=record) | Move(record=record):
            return record.provider
        case Blocked(want=None, record=record):
            return record.provider if record else CACHING
        case _:
            return change.want.provider if change.want else CACHING


def is_pending(change: Change) -> bool:
    """Whether *change* changes something; forgetting what has retired is housekeeping."""
    match change:
        case Keep() | Leave() | Blocked() | Forget(record=RetiringCache()):
            return False
        case _:
            return True


class Edit(Struct, frozen=True):
    """The repository says something else of a name; `after` is None if it removed the name."""

    name: str
    after: After | None

    def digest(self, stack: str) -> str:
        """
        SHA-256 over stack and environment, name and after.

        The same wherever and whenever it is computed; an approval names edits by it.
        """
        after = after_fields(self.after) if self.after else None
        return sha256(json.dumps([stack, self.name, after], sort_keys=True).encode()).hexdigest()


def digests_of(
    stack: str, edits: Iterable[Edit], settings: Iterable[SettingEdit]
) -> frozenset[str]:
    """Of each edit of *stack*."""
    every: tuple[Edit | SettingEdit, ...] = (*edits, *settings)
    return frozenset(edit.digest(stack) for edit in every)


def fingerprint_of(stack: str, digests: Iterable[str]) -> str:
    """SHA-256 over the name of the stack and the sorted digests of its edits."""
    return sha256(json.dumps([stack, sorted(digests)]).encode()).hexdigest()


class Leftover(Struct, frozen=True, kw_only=True):
    """What a branch leaves alive, since it declares a stack no longer."""

    stack: str
    successor: str | None
    """The name that the stack has from now on, if it has another one."""
    caches: tuple[str, ...]
    state: str
    """Where its state is, as `--state` takes it."""
    usual: bool
    """Whether that is only where a state is if neither apply nor the manifest said a place."""
    key_envs: Mapping[str, str]
    """By provider, the variable with the key of each project that has a name."""


class Plan(Struct, frozen=True, kw_only=True):
    """What to do, decided at one moment."""

    stack: str
    at: datetime
    """By the local clock, aware UTC."""
    changes: tuple[Change, ...]
    edits: frozenset[Edit]
    settings: tuple[SettingEdit, ...] = ()
    """Edits of the settings of the stack, by key."""
    leftover: Leftover | None = None
    """Of a stack that was declared where this one, or nothing, is now."""
    ahead: Mapping[str, timedelta] = field(default_factory=lambda: MappingProxyType({}))
    """How far each provider's clock is ahead of the local one; a missing one agrees."""
    rested: frozenset[Edit] = frozenset()
    """Edits that an apply could not do, and that are open no longer."""
    left_out: tuple[Change, ...] = ()
    """What selecting names took from it: all that stays as it is."""

    @property
    def now(self) -> datetime:
        """The moment by the clocks of the providers, which are the ones to show."""
        return self.at + self.furthest

    @property
    def furthest(self) -> timedelta:
        """How far the foremost of the providers' clocks is ahead of the local one."""
        return max(self.ahead.values(), default=timedelta())

    def now_of(self, provider: str) -> datetime:
        """The moment by the clock of one provider."""
        return self.at + self.ahead.get(provider, timedelta())

    @property
    def is_partial(self) -> bool:
        return bool(self.left_out)

    @property
    def pending(self) -> tuple[Change, ...]:
        return tuple(filter(is_pending, self.changes))

    @property
    def causes(self) -> frozenset[Cause]:
        """Of all that is pending."""
        edited = {Cause.EDIT} if self.settings else set()
        causes = {change.reason.cause for change in self.pending}
        return frozenset(cause for cause in (*causes, *edited) if cause)

    @property
    def blocked(self) -> tuple[Blocked, ...]:
        return tuple(change for change in self.changes if isinstance(change, Blocked))

    @property
    def refused(self) -> tuple[Blocked, ...]:
        """What is blocked and does not rest."""
        rested = {edit.name for edit in self.rested}
        return tuple(change for change in self.blocked if change.name not in rested)

    @property
    def digests(self) -> frozenset[str]:
        """Of each of its edits."""
        return digests_of(self.stack, self.edits, self.settings)

    @property
    def fingerprint(self) -> str:
        """
        Of its edits: the same wherever and whenever it is computed.

        What is approved for one environment is not for another.
        """
        return fingerprint_of(self.stack, self.digests)
