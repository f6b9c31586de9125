"""
The planner's table: a ladder of guards, each with the row that it decides by.

Of a declared cache, and of each group after it, the first guard that holds gives its change
and the constant of its row.  `explain` prints the sentence of that row, and the reader of
plan.json takes from here which reasons may stand with a verb.  What is alive, and what may be
claimed, is asked of the `LiveIndex`; what differs from the record, and what time or other hands
have done to a cache, is decided below.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from provisioner.model import changes
from provisioner.model.attributes import TOLERANCE, Until
from provisioner.model.changes import Change, DecisionRow, Reason
from provisioner.model.facts import State
from provisioner.model.records import (
    Desired,
    DesiredAnnotation,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
)
from provisioner.planner.live_index import LiveIndex

_EDITED = frozenset({Reason.PROVIDER, Reason.MODEL, Reason.CONTENT, Reason.LIFE, Reason.SETTINGS})
_DEAD = frozenset({Reason.EXPIRED, Reason.MISSING})


ROWS: list[DecisionRow] = []


def _row(id_: str, verbs: str, sentence: str, *reasons: Reason) -> DecisionRow:
    row = DecisionRow(
        id=id_, sentence=sentence, verbs=tuple(verbs.split()), reasons=frozenset(reasons)
    )
    ROWS.append(row)
    return row


# A declared cache.  A name in `replace` skips the first three rows and TWIN.

DUE = _row(
    "due",
    "refresh",
    "the recorded cache is alive and has this content, but its life was edited or cut short, "
    "or its refresh window is open",
    *(Reason.LIFE, Reason.SETTINGS, Reason.SHORTENED, Reason.EXPIRING),
)
SETTINGS = _row(
    "settings",
    "note",
    "the recorded cache is alive and has this content; only its settings were edited",
    Reason.SETTINGS,
)
UNCHANGED = _row("unchanged", "keep", "the recorded cache is alive and unchanged", Reason.CURRENT)
TWIN = _row(
    "twin",
    "adopt",
    "another live cache carries exactly this label, or `adopt` names it",
    *(*_EDITED, *_DEAD, Reason.FOUND, Reason.IMPORTED),
)
NOT_ADOPTABLE = _row(
    "not-adoptable",
    "blocked",
    "`adopt` names a cache of another stack, of another entry, or of other content by its "
    "label or by the provider's count",
    Reason.IMPORTED,
)
OUTDATED = _row(
    "outdated",
    "replace",
    "the recorded cache is alive, but of another provider, model or content, or --replace names it",
    *(*_EDITED, Reason.REQUESTED),
)
ENDED = _row(
    "ended",
    "keep",
    "`expires_at` has passed, or a `keep: once` cache with this content has expired",
    Reason.ENDED,
)
NOTHING_ALIVE = _row(
    "nothing-alive",
    "create",
    "no live cache serves this entry",
    # IMPORTED: in plans of older versions
    *(*_EDITED, *_DEAD, Reason.NEW, Reason.IMPORTED, Reason.REQUESTED),
)
DISAPPEARED = _row(
    "disappeared",
    "blocked",
    "no live cache serves this entry, and many recorded caches of its project are missing",
    Reason.MISSING,
)

# A declared annotation.

ANNOTATED = _row("annotated", "keep", "the annotation is as recorded", Reason.CURRENT)
ANNOTATION_PROTECTED = _row(
    "annotation-protected",
    "blocked",
    "the annotation would take the place of a live cache that is protected",
    *_EDITED,
)
ANNOTATION = _row(
    "annotation",
    "annotate",
    "the annotation is new, or differs from its record",
    *(*_EDITED, Reason.NEW),
)

# What is on record and not declared.

MOVED = _row("moved", "move", "it is on record under a name that was changed", Reason.MOVED)
UNDECLARED_GONE = _row(
    "undeclared-gone",
    "forget",
    "it is no longer declared, and is an annotation or no longer alive",
    Reason.UNDECLARED,
)
UNDECLARED_PROTECTED = _row(
    "undeclared-protected",
    "blocked",
    "it is no longer declared, but alive and protected",
    Reason.UNDECLARED,
)
UNDECLARED = _row(
    "undeclared",
    "retire delete",  # delete: `retire_after: 0s`, and destroy
    "it is no longer declared, and alive",
    Reason.UNDECLARED,
)
PROTECTED_DUE = _row(
    "protected-due",
    "refresh",  # beside either Blocked of what is protected; not with destroy
    "it is protected and alive, but its life was cut short or its refresh window is open",
    *(Reason.SHORTENED, Reason.EXPIRING),
)

# What is retiring.  One that is chosen as a twin has no row.

RETIRED = _row("retired", "forget", "it is retiring and no longer alive", Reason.RETIRED)
RETIRING_DESTROYED = _row(
    "retiring-destroyed",
    "delete",
    "it is retiring, its name is no longer declared, and the stack is destroyed",
    Reason.UNDECLARED,
)
UNRETIRED = _row(
    "unretired",
    "retire",
    "it is to retire, but no expiry is recorded, or it lives over 2 s longer than recorded",
    Reason.RETIRING,
)
RETIRING = _row("retiring", "leave", "it is retiring as recorded", Reason.RETIRING)

# What is only alive.

STRAY = _row(
    "stray",
    "leave delete",  # delete: prune
    "it carries this stack's label, but is not in the state",
    Reason.STRAY,
)

REASONS: Mapping[str, frozenset[Reason]] = MappingProxyType(
    {
        verb: frozenset().union(*(row.reasons for row in ROWS if verb in row.verbs))
        for verb in dict.fromkeys(verb for row in ROWS for verb in row.verbs)
    }
)
"""Which reasons may stand with a verb."""


def moves(state: State, renames: Iterable[tuple[str, str]]) -> Iterator[changes.Move]:
    """What goes on under another name, by *renames* of old to new names."""
    for old, new in moved_names(state, renames).items():
        yield changes.Move(new, state.caches[old], Reason.MOVED, MOVED)


def moved_names(state: State, pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The new name of everything that moves, by its old one."""
    names: dict[str, str] = {}
    taken = set(state.caches)
    for old, new in pairs:
        if old in state.caches and old not in names and new not in taken:
            names[old] = new
            taken.add(new)
    return names


def declared_change(want: Desired, index: LiveIndex) -> Change:
    record = index.state.caches.get(want.name)
    match want:
        case DesiredCache():
            return _cache(want, record, index)
        case DesiredAnnotation():
            return _annotation(want, record, index)


def _cache(want: DesiredCache, record: Recorded | None, index: LiveIndex) -> Change:
    own, now = index.own(record), index.now_of(want.provider)
    forced = want.name in index.replace
    if own and isinstance(record, RecordedCache) and not forced and alike(want, record):
        return _same(want, own, record, now)
    twin = None if forced else index.twin(want)
    named = index.named(want) if record is None and not forced and twin is None else None
    if named and (why := index.objection(want, named)):
        return changes.Blocked(want, named, record, Reason.IMPORTED, why, NOT_ADOPTABLE)
    reason = Reason.IMPORTED if named else _reason(want, record, twin, index)
    if chosen := twin or named:
        index.taken.add(chosen.id)
        return changes.Adopt(want, chosen, own, record, reason, TWIN)
    if own and isinstance(record, RecordedCache):
        return changes.Replace(want, own, record, reason, OUTDATED)
    if ended(want, record, now, forced=forced):
        return changes.Keep(want, None, record, Reason.ENDED, ENDED)
    return changes.Create(want, record, reason, NOTHING_ALIVE)


def _same(want: DesiredCache, own: LiveCache, record: RecordedCache, now: datetime) -> Change:
    age = aged(want, own, record, now)
    reason = edited(want, record) or age
    if record.life != want.life or age is not Reason.CURRENT:
        return changes.Refresh(want, own, record, reason, DUE)
    if record.settings != want.settings:
        return changes.Note(want, own, record, reason, SETTINGS)
    return changes.Keep(want, own, record, reason, UNCHANGED)


def _reason(
    want: DesiredCache,
    record: Recorded | None,
    twin: LiveCache | None,
    index: LiveIndex,
) -> Reason:
    """Why a cache takes the place of what is on record: an edit, a request, or a death."""
    edit = edited(want, record)
    if edit is Reason.NEW and twin:
        return Reason.FOUND
    if edit:
        return edit
    if want.name in index.replace:
        return Reason.REQUESTED
    now = index.now_of(want.provider)
    is_over = isinstance(record, RecordedCache) and ran_out(record, now)
    return Reason.EXPIRED if is_over else Reason.MISSING


def _annotation(want: DesiredAnnotation, record: Recorded | None, index: LiveIndex) -> Change:
    reason = edited(want, record)
    if reason is None:
        return changes.Keep(want, None, record, Reason.CURRENT, ANNOTATED)
    own = index.own(record)
    if own and isinstance(record, RecordedCache) and record.settings.protect:
        why = f"{own.id} is protected and {want.provider} would take its place"
        return changes.Blocked(want, own, record, reason, why, ANNOTATION_PROTECTED)
    return changes.Annotate(want, own, record, reason, ANNOTATION)


def undeclared_changes(index: LiveIndex, *, destroy: bool) -> Iterator[Change]:
    for name, record in index.state.caches.items():
        if name in index.declared:
            continue
        own = index.own(record)
        if own is None or not isinstance(record, RecordedCache):
            yield changes.Forget(record, Reason.UNDECLARED, UNDECLARED_GONE)
        elif own.id in index.taken:
            pass
        elif record.settings.protect:
            why = f"{own.id} is protected; set `protect: false` and apply before removing it"
            yield changes.Blocked(None, own, record, Reason.UNDECLARED, why, UNDECLARED_PROTECTED)
        elif destroy or record.retire_after == timedelta():
            yield changes.Delete(own, record, Reason.UNDECLARED, UNDECLARED)
        else:
            yield changes.Retire(own, record, Reason.UNDECLARED, UNDECLARED)


def upkeep_of_blocked(decided: Iterable[Change], index: LiveIndex) -> Iterator[changes.Refresh]:
    """Keep alive what is protected until its entry or its protection is decided."""
    for change in decided:
        match change:
            case changes.Blocked(live=LiveCache() as own, record=RecordedCache() as record):
                age = aged(record, own, record, index.now_of(record.provider))
                if age is not Reason.CURRENT:
                    want = DesiredCache.recorded(record, stack=index.state.stack)
                    yield changes.Refresh(want, own, record, age, PROTECTED_DUE)
            case _:
                pass


def retiring_changes(index: LiveIndex, *, destroy: bool) -> Iterator[Change]:
    for retiring in index.state.retiring.values():
        own = index.own(retiring)
        if own is None:
            yield changes.Forget(retiring, Reason.RETIRED, RETIRED)
        elif own.id in index.taken:
            pass
        elif destroy and retiring.name not in index.declared:
            yield changes.Delete(own, retiring, Reason.UNDECLARED, RETIRING_DESTROYED)
        elif retiring.expires_at is None or own.expires_at - retiring.expires_at > TOLERANCE:
            yield changes.Retire(own, retiring, Reason.RETIRING, UNRETIRED)
        else:
            yield changes.Leave(own, retiring, Reason.RETIRING, RETIRING)


def stray_changes(index: LiveIndex, *, stack: str, prune: bool) -> Iterator[Change]:
    """Each once, though its project may have two names; none that another stack owns."""
    for cache in index.alive.values():
        if cache.label is None or cache.label.stack != stack or cache.id in index.owners:
            continue
        if cache.id not in index.recorded and cache.id not in index.taken:
            index.taken.add(cache.id)
            kind = changes.Delete if prune else changes.Leave
            yield kind(cache, None, Reason.STRAY, STRAY)


def edited(want: Desired, record: Recorded | None) -> Reason | None:
    """How the repository differs from the record, if it does."""
    if record is None:
        return Reason.NEW
    if record.provider != want.provider:
        return Reason.PROVIDER
    if record.model != want.model:
        return Reason.MODEL
    if record.digest != want.digest:
        return Reason.CONTENT
    if record.life != want.life:
        return Reason.LIFE
    if isinstance(want, DesiredCache) and isinstance(record, RecordedCache):
        return Reason.SETTINGS if record.settings != want.settings else None
    return None


def aged(
    want: DesiredCache | RecordedCache, own: LiveCache, record: RecordedCache, now: datetime
) -> Reason:
    """What time, or a change on the live side, has done to our own cache."""
    if own.expires_at < record.expires_at - TOLERANCE:
        return Reason.SHORTENED
    due = refresh_due(want, own)
    return Reason.EXPIRING if due is not None and due <= now else Reason.CURRENT


def alike(want: DesiredCache, record: RecordedCache) -> bool:
    return record.digest == want.digest and record.provider == want.provider


def ran_out(record: RecordedCache, now: datetime) -> bool:
    return record.expires_at - now <= TOLERANCE


def ended(want: DesiredCache, record: Recorded | None, now: datetime, *, forced: bool) -> bool:
    match want.life, record:
        case Until(moment), _ if moment <= now:
            return True
        case _, RecordedCache() if want.settings.keep == "once" and not forced:
            return alike(want, record) and ran_out(record, now)
        case _:
            return False


def refresh_due(
    want: DesiredCache | RecordedCache, own: LiveCache | RecordedCache
) -> datetime | None:
    """When the window before expiry opens; None for what is never refreshed."""
    if not want.is_warm:
        return None
    return own.expires_at - want.settings.window(own.granted)
