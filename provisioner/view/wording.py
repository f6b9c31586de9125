"""
What changes are called, marked and coloured, and the sentence that says why.

Everything a person reads about a change is chosen here, and about what of a plan goes beyond
the limits of its stack.  Sentences may hold foreign text
(models, ids); a format escapes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, auto
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias, get_args

from msgspec import Struct, convert

from provisioner.cache import Json
from provisioner.documents import ShownText, must
from provisioner.model.attributes import After, Life, Ttl, Until, life_fields, settings_fields
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Cause,
    Change,
    Create,
    Delete,
    Forget,
    Keep,
    Leave,
    Move,
    Note,
    Reason,
    Refresh,
    Replace,
    Retire,
    Tone,
)
from provisioner.model.money import NANO, Money
from provisioner.model.plan import Plan
from provisioner.model.records import DesiredCache, RecordedAnnotation, RecordedCache
from provisioner.model.stack_settings import Breach, Limit, TooDear, TooMany
from provisioner.times import moment_text
from provisioner.view.units import listed, span_text, usd

_NAMED = 5
"""So many caches that go beyond a limit are named; the rest is counted."""

DeclaredChange: TypeAlias = Create | Replace | Adopt | Refresh | Note | Annotate | Keep
"""A change of something that is declared."""
ViewFields: TypeAlias = Mapping[str, Json]

_TYPES: Mapping[str, type[Change]] = MappingProxyType(
    {kind.verb: kind for kind in get_args(Change)}
)

PAST_TENSE: Mapping[str, str] = MappingProxyType({verb: kind.past for verb, kind in _TYPES.items()})
"""By what is to be done."""


class Section(StrEnum):
    """Where a change is shown, in the order of the sections."""

    EDITS = auto()
    LIFECYCLE = auto()
    DRIFT = auto()
    REFUSED = auto()
    UNCHANGED = auto()

    @property
    def heading(self) -> str:
        """What stands above its changes."""
        return _HEADINGS[self]


_HEADINGS: Mapping[Section, str] = MappingProxyType(
    {
        Section.EDITS: "Edits: the repository changed",
        Section.LIFECYCLE: "Lifecycle: time passed",
        Section.DRIFT: "Drift: the live side changed",
        Section.REFUSED: "Refused",
        Section.UNCHANGED: "Unchanged",
    }
)
_BY_VERB: Mapping[str, Section] = MappingProxyType(
    {"blocked": Section.REFUSED, "keep": Section.UNCHANGED}
)
_BY_CAUSE: Mapping[Cause | None, Section] = MappingProxyType(
    {
        Cause.EDIT: Section.EDITS,
        Cause.TIME: Section.LIFECYCLE,
        Cause.DRIFT: Section.DRIFT,
        None: Section.UNCHANGED,
    }
)

_SENTENCES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.NEW: "not there yet",
        Reason.FOUND: "found alive, not on record",
        Reason.CONTENT: "content changed",
        Reason.REQUESTED: "asked for by --replace",
        Reason.ENDED: "has run out",
        Reason.CURRENT: "up to date",
        Reason.UNDECLARED: "no longer wanted",
        Reason.RETIRED: "retired and gone",
        Reason.RETIRING: "still to be retired",
        Reason.STRAY: "labelled as this stack's, not on record",
    }
)


def symbol(verb: str, section: Section) -> str:
    """One character that tells the kind of change apart even without colour."""
    return "!" if _is_warning(verb, section) else _TYPES[verb].symbol


def tone(verb: str, section: Section) -> Tone:
    return "bad" if _is_warning(verb, section) else _TYPES[verb].tone


def _is_warning(verb: str, section: Section) -> bool:
    """What is kept and yet an edit asks for what can no longer be made."""
    return verb == "keep" and section is Section.EDITS


def section(change: Change) -> Section:
    """Where *change* belongs."""
    if isinstance(change, Keep) and is_unmet(change):
        return Section.EDITS
    return section_of(change.verb, change.reason)


def section_of(verb: str, reason: Reason) -> Section:
    """The same by the verb; what is kept may be a warning as well, which no verb says."""
    return _BY_VERB.get(verb) or _BY_CAUSE[reason.cause]


def noteworthy(plan: Plan) -> tuple[Change, ...]:
    """The changes that a terminal shows unasked, and what is retiring, which it names."""
    return tuple(
        change
        for change in plan.changes
        if (is_unmet(change) if isinstance(change, Keep) else change.reason is not Reason.RETIRED)
    )


def is_unmet(change: Change) -> bool:
    """Whether the manifest asks for what can no longer be made: a warning, not a change."""
    match change:
        case Keep(want, record=record, reason=Reason.ENDED):
            return record is None or record.after != want.after
        case _:
            return False


def why(change: Change, at: datetime) -> str:
    """Say in a sentence why *change* was chosen, as seen at the moment *at*."""
    match change:
        case Blocked(why=sentence):
            return sentence
        case Retire(live, record):
            rest = min(record.retire_after, live.expires_at - at)
            return f"{_SENTENCES[change.reason]}; dies in {span_text(rest)}"
        case Leave(record=None):
            return f"{_SENTENCES[change.reason]}; --prune deletes it"
        case Leave(live):
            return f"dies in {span_text(live.expires_at - at)}"
        case Move(record=record):
            return f"called {record.name} until now; nothing is made or deleted for that"
        case Delete() | Forget():
            return _SENTENCES[change.reason]
        case Adopt(want, twin, reason=Reason.IMPORTED):
            pin = f"; write adopt: {twin.id}@{want.label.mark}" if _is_bare(want) else ""
            return f"takes over {twin.id}{pin}"
        case Adopt(record=RecordedCache() | RecordedAnnotation()):
            return f"{_why_declared(change, at)}; one that fits is alive"
        case _:
            return _why_declared(change, at)


def _is_bare(want: DesiredCache) -> bool:
    """Whether `adopt` vouches for any content."""
    return want.adopt is not None and want.adopt.mark is None


def _why_declared(change: DeclaredChange, at: datetime) -> str:
    match change:
        case Keep(want, reason=Reason.ENDED):
            return _ended(want.life)
        case Refresh(live=own, record=record, reason=Reason.SHORTENED):
            return f"cut short by {span_text(record.expires_at - own.expires_at)}"
        case Refresh(live=own, reason=Reason.EXPIRING):
            left = own.expires_at - at
            return f"expires in {span_text(left)}" if left > timedelta() else "its time has passed"
        case Create(want, reason=Reason.NEW) if want.adopt and want.adopt.vouches_for(want.label):
            return f"to take over {want.adopt.id}, or made if that is gone"
        case _ if change.reason is Reason.EXPIRED and isinstance(change.record, RecordedCache):
            return f"expired {span_text(at - change.record.expires_at)} ago"
        case _ if change.reason is Reason.MISSING and isinstance(change.record, RecordedCache):
            return f"gone {span_text(change.record.expires_at - at)} before its time"
        case _ if change.record:
            return _edit(change.reason, change.record.after, change.want.after)
        case _:
            return _SENTENCES[change.reason]


def _edit(reason: Reason, before: After, after: After) -> str:
    """All that was edited; the reason is only the first of it."""
    return ", ".join(_edits(reason, before, after)) or _SENTENCES[reason]


def _edits(reason: Reason, before: After, after: After) -> Iterator[str]:
    if before.provider != after.provider:
        yield f"provider {before.provider} → {after.provider}"
    if before.model != after.model:
        yield f"model {before.model} → {after.model}"
    if reason is Reason.CONTENT:
        yield _SENTENCES[reason]
    if before.life != after.life:
        yield _fields_edit(life_fields(before.life), life_fields(after.life))
    if before.settings and after.settings and before.settings != after.settings:
        yield _fields_edit(settings_fields(before.settings), settings_fields(after.settings))


def _fields_edit(before: ViewFields, after: ViewFields) -> str:
    """What differs, key by key; a life that has another key than before is named whole."""
    if before.keys() != after.keys():
        texts = (f"{key} {value}" for part in (before, after) for key, value in part.items())
        return " → ".join(texts)
    pairs = ((key, value_text(before[key]), value_text(after[key])) for key in after)
    return ", ".join(f"{key} {old} → {new}" for key, old, new in pairs if old != new)


def value_text(value: Json) -> str:
    """Spell a value of a manifest as the manifest does."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _ended(life: Life) -> str:
    match life:
        case Until(moment):
            return f"expires_at {moment_text(moment)} has passed; nothing is created"
        case Ttl():
            return "has run out; keep: once"


LimitKey: TypeAlias = Literal[
    "delete.count",
    "delete.percent",
    "replace.count",
    "replace.percent",
    "rent_per_hour",
    "rent_total_per_30_days",
]


class BrokenLimit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What goes beyond a limit.

    limit: Its key in a manifest, dotted.
    most: Caches, percent or USD.
    where: file:line:column; null for what holds without a limit in the manifest.
    refused: Whether apply refuses the plan because of it; else it is a warning.
    """

    limit: LimitKey
    most: Annotated[float, must("be a number from 0 to 10^15", ge=0, le=10**15)]
    where: ShownText | None
    refused: bool
    why: ShownText


def broken_limits(breaches: Iterable[Breach]) -> tuple[BrokenLimit, ...]:
    return tuple(
        BrokenLimit(
            limit=convert(breach.dotted, LimitKey),
            most=float(breach.bound.most),
            where=breach.bound.where,
            refused=breach.refuses,
            why=breach_text(breach),
        )
        for breach in breaches
    )


def limit_sentences(limits: Sequence[BrokenLimit]) -> Iterator[str]:
    """Say of each whether it is refused, and in the end how to go beyond all of them."""
    for limit in limits:
        yield f"{'Refused' if limit.refused else 'Warning'}: {limit.why}"
    if refused := [limit.limit for limit in limits if limit.refused]:
        yield way_out(refused)


def breach_text(breach: Breach) -> str:
    """Name what goes beyond a limit, the limit, its bound and where it stands."""
    match breach:
        case TooMany():
            return _too_many(breach)
        case TooDear():
            return _too_dear(breach)


def way_out(refused: Iterable[str]) -> str:
    """Say how to go beyond the *refused* limits all the same."""
    limits = dict.fromkeys(limit.partition(".")[0] for limit in refused)
    options = " ".join(f"--override {limit}" for limit in limits)
    return (
        f"If that is meant, add {options}, or have the plan approved and apply it with --plan "
        "or --expect."
    )


def _too_many(breach: TooMany) -> str:
    taken = (
        f"These edits {breach.limit} {len(breach.names):,} of {breach.of:,} caches on record "
        f"({listed(breach.names, _NAMED)}), "
    )
    if breach.bound.where is None:
        return f"{taken}more than half of them, and no limits.{breach.limit} allows that."
    percent = "%" if breach.key == "percent" else ""
    return f"{taken}{_allowed(breach, f'{breach.bound.most}{percent}')}"


def _too_dear(breach: TooDear) -> str:
    span, unit = (" for 30 days", "") if breach.limit is Limit.RENT_TOTAL else ("", "/h")
    unknown = f"unknown, for {listed(breach.unpriced, _NAMED)} has no price"
    rent = unknown if breach.unpriced else usd(breach.rent, unit)
    most = usd(Money.of(int(breach.bound.most * NANO)), unit)
    return f"The rent{span} of what stays after this plan is {rent}, {_allowed(breach, most)}"


def _allowed(breach: Breach, most: str) -> str:
    return f"and limits.{breach.dotted} ({breach.bound.where}) allows {most}."
