"""
What a plan holds: a type for every change, each with a reason, each reason with a cause.

Changes say what to do and never how.  What is only a fact of a type (its verb, its symbol,
whether it makes something) stands on the type; behaviour that differs is matched elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from hashlib import sha256
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

from msgspec import Struct, field

from provisioner.model.attributes import After, after_fields
from provisioner.model.records import (
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)
from provisioner.model.stack_settings import SettingEdit

ChangeVerb: TypeAlias = Literal[
    "create",
    "replace",
    "adopt",
    "refresh",
    "note",
    "move",
    "annotate",
    "keep",
    "retire",
    "delete",
    "forget",
    "leave",
    "blocked",
]
Tone: TypeAlias = Literal["good", "change", "bad", "quiet", "strong"]
"""How a change is to look: a format gives each tone its colour."""


class Cause(StrEnum):
    """Who caused a change: an edit of the repository, the clock, or a change on the live side."""

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
        return _CAUSES[self]


_TIME = (Reason.ENDED, Reason.EXPIRED, Reason.EXPIRING, Reason.RETIRED, Reason.RETIRING)
_DRIFT = (Reason.FOUND, Reason.MISSING, Reason.SHORTENED, Reason.STRAY)
_CAUSES: Mapping[Reason, Cause | None] = MappingProxyType(
    {
        **dict.fromkeys(Reason, Cause.EDIT),
        **dict.fromkeys(_TIME, Cause.TIME),
        **dict.fromkeys(_DRIFT, Cause.DRIFT),
        Reason.CURRENT: None,
    }
)


class DecisionRow(Struct, frozen=True, kw_only=True):
    """A row of the planner's table: what holds, what it leads to, and for which reasons."""

    id: str
    sentence: str
    """What held, as `explain` prints it."""
    verbs: tuple[str, ...]
    reasons: frozenset[Reason]
    """Those that may stand with it."""


class BaseChange(Struct, frozen=True, gc=False):
    """
    One thing to do about one name, or about one live cache.

    A type for every change, each with its reason and the row that decided; what else a type
    does not hold is None.  *live* is the live cache that the planner looked at, *old* the one
    that dies once another has its place.
    """

    verb: ClassVar[ChangeVerb]
    symbol: ClassVar[str]
    """One character that tells the kind of change apart even without colour."""
    tone: ClassVar[Tone]
    past: ClassVar[str]
    makes: ClassVar[bool] = False
    """Whether it belongs to what is done before the handles are published."""
    acts: ClassVar[bool] = True
    """Whether there is anything to perform."""

    @property
    def want(self) -> Desired | None:
        return None

    @property
    def record(self) -> Recorded | RetiringCache | None:
        """What was on record under the name when the plan was made."""
        return None

    @property
    def live(self) -> LiveCache | None:
        return None

    @property
    def old(self) -> LiveCache | None:
        return None

    @property
    def name(self) -> str:
        """In the stack; of a live cache without a record the name in its label, else its id."""
        if entry := self.want or self.record:
            return entry.name
        live = self._alive
        return live.label.name if live.label else live.id

    @property
    def provider(self) -> str:
        """The provider whose clock decides about it."""
        return (self.want or self.record or self._alive).provider

    @property
    def is_pending(self) -> bool:
        """Whether it changes something."""
        return self.acts

    @property
    def _alive(self) -> LiveCache:
        if self.live is None:
            raise AssertionError(f"{self!r} is about nothing")
        return self.live


class Create(BaseChange, frozen=True):
    """Make a cache; nothing alive stands in its place."""

    verb, symbol, tone, past = "create", "+", "good", "created"
    makes = True

    want: DesiredCache
    record: Recorded | None
    reason: Reason
    row: DecisionRow


class Replace(BaseChange, frozen=True):
    """Make a new cache, publish it, then let the old one die."""

    verb, symbol, tone, past = "replace", "±", "change", "replaced"
    makes = True

    want: DesiredCache
    old: LiveCache
    record: RecordedCache
    reason: Reason
    row: DecisionRow

    @property
    def live(self) -> LiveCache:
        return self.old


class Adopt(BaseChange, frozen=True):
    """Take over a live cache that is right already; the old one, if any, may die."""

    verb, symbol, tone, past = "adopt", "←", "good", "adopted"
    makes = True

    want: DesiredCache
    live: LiveCache
    old: LiveCache | None
    record: Recorded | None
    reason: Reason
    row: DecisionRow


class Refresh(BaseChange, frozen=True):
    """Give our own cache the desired life, from now on."""

    verb, symbol, tone, past = "refresh", "~", "change", "refreshed"
    makes = True

    want: DesiredCache
    live: LiveCache
    record: RecordedCache
    reason: Reason
    row: DecisionRow


class Note(BaseChange, frozen=True):
    """Only settings differ: record them, without a call."""

    verb, symbol, tone, past = "note", "=", "change", "noted"
    makes = True

    want: DesiredCache
    live: LiveCache
    record: RecordedCache
    reason: Reason
    row: DecisionRow


class Annotate(BaseChange, frozen=True):
    """Record an annotation; a live cache it stands in for may die."""

    verb, symbol, tone, past = "annotate", "*", "good", "annotated"
    makes = True

    want: DesiredAnnotation
    old: LiveCache | None
    record: Recorded | None
    reason: Reason
    row: DecisionRow

    @property
    def live(self) -> LiveCache | None:
        return self.old


class Keep(BaseChange, frozen=True):
    """Nothing to do.  `live` is None for annotations and for what has ended."""

    verb, symbol, tone, past = "keep", " ", "quiet", "kept"
    acts = False

    want: Desired
    live: LiveCache | None
    record: Recorded | None
    reason: Reason
    row: DecisionRow


class Move(BaseChange, frozen=True):
    """What is on record under another name goes on under *name*, without a call."""

    verb, symbol, tone, past = "move", ">", "change", "moved"
    makes = True

    name: str
    record: Recorded
    reason: Reason
    row: DecisionRow


class Retire(BaseChange, frozen=True):
    """Let a live cache die soon."""

    verb, symbol, tone, past = "retire", "↓", "bad", "retired"

    live: LiveCache
    record: RecordedCache | RetiringCache
    reason: Reason
    row: DecisionRow


class Delete(BaseChange, frozen=True):
    """Delete a live cache at once.  `record` is None for a stray."""

    verb, symbol, tone, past = "delete", "-", "bad", "deleted"

    live: LiveCache
    record: RecordedCache | RetiringCache | None
    reason: Reason
    row: DecisionRow


class Forget(BaseChange, frozen=True):
    """Nothing is left to delete; drop the record."""

    verb, symbol, tone, past = "forget", ".", "quiet", "forgotten"

    record: Recorded | RetiringCache
    reason: Reason
    row: DecisionRow

    @property
    def is_pending(self) -> bool:
        """Forgetting what has retired is housekeeping."""
        return not isinstance(self.record, RetiringCache)


class Leave(BaseChange, frozen=True):
    """Retiring, or labelled as ours but not on record: report it, change nothing."""

    verb, symbol, tone, past = "leave", "?", "quiet", "left alone"
    acts = False

    live: LiveCache
    record: RetiringCache | None
    reason: Reason
    row: DecisionRow


class Blocked(BaseChange, frozen=True):
    """What the manifest asks for is refused; `why` is the sentence for people."""

    verb, symbol, tone, past = "blocked", "!", "bad", "refused"
    acts = False

    want: Desired | None
    live: LiveCache | None
    """None where the creation of a cache that has disappeared is held back."""
    record: Recorded | None
    reason: Reason
    why: str
    row: DecisionRow


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
        return tuple(change for change in self.changes if change.is_pending)

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
