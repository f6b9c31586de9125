"""
What a plan does: a type for every change, each with a reason, each reason with a cause.

Changes say what to do and never how.  What is only a fact of a type (its verb, its symbol,
whether it makes something) stands on the type; behaviour that differs is matched elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum, auto
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

from msgspec import Struct

from provisioner.model.records import (
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)

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
    that dies once another has its place: the same, if a type has no other.
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
        return self.old

    @property
    def old(self) -> LiveCache | None:
        return None

    @property
    def name(self) -> str:
        """In the stack; of a live cache without a record the name in its label, else its id."""
        return (self.want or self.record or self._alive).name

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
