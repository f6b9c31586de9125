"""
Decide what to do.  Pure: three tenses and a moment in, a plan out.

The state is believed about *content*, which no provider can show us; the provider is
believed about *existence and time*, which no file can know.  Without `prune` we delete
only what we recorded; what we merely recognise by its label we adopt or leave.  The
change is chosen from what is alive; its cause from desired and recorded alone.

*Live* means listed, though its expiry seems to have passed: only a provider decides that a
cache is dead.  `own` is the live cache with the recorded id; a `twin` is another live cache
with exactly the desired label (of several the latest expiry, then the id).  The digest in a
label covers the model: what a server reports as the model identifies nothing.  A label is
proof, `adopt` is a claim: without a record and without a twin, the live cache that `adopt`
names is the twin, if the claim vouches for this content.  No twin is what another declared
entry has on record.

A cache belongs to the stack that has it on record, else to the stack whose label it carries.
No change adopts, retires or deletes what belongs to another stack.

    a declared cache: the first that holds                          change
    --------------------------------------------------------------  -----------------
    own lives, same digest; life differs, or SHORTENED or EXPIRING  Refresh
    own lives, same digest; only settings differ                    Note
    own lives, same digest                                          Keep
    twin                                                            Adopt
    `adopt` names a cache of another stack, of another entry, or
      of other content by its label or by the server's count        Blocked
    own lives                                                       Replace
    `expires_at` has passed; or `keep: once`, same digest, not
      requested, and the recorded one has run out                   Keep ENDED
    nothing                                                         Create

Where suspiciously many recorded caches of a project are missing together, `brake` turns those
Create whose reason is MISSING into Blocked.

What is on record under a name that was changed counts as the record of the new one, and a
label with the old name as one with the new.  A name in `replace` skips the rows of the same
digest and of twins.

    its reason: the first that holds                  reason               cause
    ------------------------------------------------  -------------------  -----
    no record, a twin / `adopt`'s / neither           FOUND IMPORTED NEW   edit; FOUND drift
    record differs in …                               PROVIDER MODEL
                                                      CONTENT LIFE SETTINGS  edit
    its name is in `replace`                          REQUESTED            edit
    own is dead, the recorded expiry passed / not     EXPIRED MISSING      time, drift
    own dies over 2 s earlier than recorded           SHORTENED            drift
    warm, with a ttl, and its window has opened       EXPIRING             time
    otherwise                                         CURRENT

    everything else                                   change            reason
    ------------------------------------------------  ----------------  --------------
    on record under a name that was changed           Move              MOVED
    annotation, differs: own lives and is protected   Blocked, and      as above
                                                      Refresh as above
    annotation, differs                               Annotate          as above
    annotation, same                                  Keep              CURRENT
    not declared: an annotation, or not live          Forget            UNDECLARED
    not declared, live, protected                     Blocked, and      UNDECLARED
                                                      Refresh as above
                                                      (not: destroy)
    not declared, live                                Retire (`retire_after: 0s`
                                                      or destroy: Delete)  UNDECLARED
    retiring (or undeclared), chosen as a twin        no row
    retiring, not live                                Forget            RETIRED
    retiring, its name undeclared, and destroy        Delete            UNDECLARED
    retiring, no expiry recorded, or lives over 2 s
      longer than recorded                            Retire            RETIRING
    retiring                                          Leave             RETIRING
    labelled as this stack's, in neither list         Leave (prune: Delete)  STRAY
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from provisioner.model import (
    TOLERANCE,
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Desired,
    DesiredAnnotation,
    DesiredCache,
    Edit,
    Forget,
    Keep,
    Leave,
    LiveCache,
    Note,
    Plan,
    Reason,
    Recorded,
    RecordedCache,
    Refresh,
    Replace,
    Retire,
    State,
)
from provisioner.planner import decision_table as table
from provisioner.planner.adoption import not_adoptable, remarks
from provisioner.planner.brake import SECOND_LOOK, Brake, Look, brakes, held_back, noted, probing
from provisioner.planner.hypothetical import as_if_applied
from provisioner.planner.live_index import LiveIndex
from provisioner.planner.moves import former_names, moved, moves
from provisioner.planner.observations import believable, unsaved
from provisioner.planner.reasons import aged, alike, edited, edits, ended, ran_out, refresh_due
from provisioner.planner.rested import rested_among, rested_by
from provisioner.planner.schedule import (
    as_recorded,
    covered_until,
    next_run,
    recorded_as_desired,
    recorded_want,
    without_content,
)
from provisioner.planner.selection import part_of, select, unmatched
from provisioner.planner.transitions import about, flips, surviving
from provisioner.planner.validity import next_refresh, valid_until

__all__ = [
    "SECOND_LOOK",
    "Brake",
    "Look",
    "about",
    "as_if_applied",
    "as_recorded",
    "believable",
    "brakes",
    "covered_until",
    "edits",
    "flips",
    "held_back",
    "moved",
    "next_refresh",
    "next_run",
    "noted",
    "part_of",
    "plan",
    "probing",
    "recorded_as_desired",
    "refresh_due",
    "remarks",
    "rested_among",
    "rested_by",
    "select",
    "surviving",
    "unmatched",
    "unsaved",
    "valid_until",
    "without_content",
]

_AGREED: Mapping[str, timedelta] = MappingProxyType({})
_NO_OWNERS: Mapping[str, str] = MappingProxyType({})


def plan(
    desired: Iterable[Desired],
    state: State,
    live: Iterable[LiveCache],
    *,
    stack: str,
    now: datetime,
    ahead: Mapping[str, timedelta] = _AGREED,
    destroy: bool = False,
    prune: bool = False,
    replace: Collection[str] = (),
    renames: Collection[tuple[str, str]] = (),
    owners: Mapping[str, str] = _NO_OWNERS,
) -> Plan:
    """
    Compare the three tenses at *now* (aware UTC, by the local clock).

    *ahead* is how far each provider's clock is ahead of that; what expires, does so by the
    provider's.  *owners* names the other stacks that have a live cache on record, by its id.
    *stack* is the namespace of our labels.  `destroy` says that nothing is desired on
    purpose, `prune` that strays may go, `replace` which caches to make anew,
    `renames` which old names have which new ones.
    """
    wanted = tuple(desired)
    renamed = tuple(moves(state, renames))
    state = moved(state, renames)
    scene = LiveIndex(
        now=now,
        ahead=ahead,
        state=state,
        declared=frozenset(want.name for want in wanted),
        replace=replace,
        former=former_names(renames),
        owners={**state.given, **owners},
    )
    scene.show(live)
    named = (
        *(_declared(want, scene) for want in wanted),
        *_undeclared(scene, destroy=destroy),
    )
    changes = (
        *renamed,
        *named,
        *(() if destroy else _guarded(named, scene)),
        *_retiring(scene, destroy=destroy),
        *_strays(scene, stack=stack, prune=prune),
    )
    names = {move.name for move in renamed}
    edited = edits(wanted, state) | {Edit(w.name, w.after) for w in wanted if w.name in names}
    rested = rested_among(edited, state, stack=stack, replace=replace)
    return Plan(
        stack=stack, at=now, changes=changes, edits=edited - rested, ahead=ahead, rested=rested
    )


def _declared(want: Desired, scene: LiveIndex) -> Change:
    record = scene.state.caches.get(want.name)
    match want:
        case DesiredCache():
            return _cache(want, record, scene)
        case DesiredAnnotation():
            return _annotation(want, record, scene)


def _cache(want: DesiredCache, record: Recorded | None, scene: LiveIndex) -> Change:
    own, now = scene.own(record), scene.now_of(want.provider)
    forced = want.name in scene.replace
    if own and isinstance(record, RecordedCache) and not forced and alike(want, record):
        return _same(want, own, record, now)
    twin = None if forced else scene.twin(want)
    named = scene.named(want) if record is None and not forced and twin is None else None
    if named and (why := not_adoptable(want, named, scene)):
        return Blocked(want, named, record, Reason.IMPORTED, why, table.NOT_ADOPTABLE)
    reason = Reason.IMPORTED if named else _reason(want, record, twin, scene)
    if chosen := twin or named:
        scene.taken.add(chosen.id)
        return Adopt(want, chosen, own, record, reason, table.TWIN)
    if own and isinstance(record, RecordedCache):
        return Replace(want, own, record, reason, table.OUTDATED)
    if ended(want, record, now, forced=forced):
        return Keep(want, None, record, Reason.ENDED, table.ENDED)
    return Create(want, record, reason, table.NOTHING_ALIVE)


def _same(want: DesiredCache, own: LiveCache, record: RecordedCache, now: datetime) -> Change:
    age = aged(want, own, record, now)
    reason = edited(want, record) or age
    if record.life != want.life or age is not Reason.CURRENT:
        return Refresh(want, own, record, reason, table.DUE)
    if record.settings != want.settings:
        return Note(want, own, record, reason, table.SETTINGS)
    return Keep(want, own, record, reason, table.UNCHANGED)


def _reason(
    want: DesiredCache,
    record: Recorded | None,
    twin: LiveCache | None,
    scene: LiveIndex,
) -> Reason:
    """Why a cache takes the place of what is on record: an edit, a request, or a death."""
    edit = edited(want, record)
    if edit is Reason.NEW and twin:
        return Reason.FOUND
    if edit:
        return edit
    if want.name in scene.replace:
        return Reason.REQUESTED
    now = scene.now_of(want.provider)
    is_over = isinstance(record, RecordedCache) and ran_out(record, now)
    return Reason.EXPIRED if is_over else Reason.MISSING


def _annotation(want: DesiredAnnotation, record: Recorded | None, scene: LiveIndex) -> Change:
    reason = edited(want, record)
    if reason is None:
        return Keep(want, None, record, Reason.CURRENT, table.ANNOTATED)
    own = scene.own(record)
    if own and isinstance(record, RecordedCache) and record.settings.protect:
        why = f"{own.id} is protected and {want.provider} would take its place"
        return Blocked(want, own, record, reason, why, table.ANNOTATION_PROTECTED)
    return Annotate(want, own, record, reason, table.ANNOTATION)


def _undeclared(scene: LiveIndex, *, destroy: bool) -> Iterator[Change]:
    for name, record in scene.state.caches.items():
        if name in scene.declared:
            continue
        own = scene.own(record)
        if own is None or not isinstance(record, RecordedCache):
            yield Forget(record, Reason.UNDECLARED, table.UNDECLARED_GONE)
        elif own.id in scene.taken:
            pass
        elif record.settings.protect:
            why = f"{own.id} is protected; set `protect: false` and apply before removing it"
            yield Blocked(None, own, record, Reason.UNDECLARED, why, table.UNDECLARED_PROTECTED)
        elif destroy or record.retire_after == timedelta():
            yield Delete(own, record, Reason.UNDECLARED, table.UNDECLARED)
        else:
            yield Retire(own, record, Reason.UNDECLARED, table.UNDECLARED)


def _guarded(changes: Iterable[Change], scene: LiveIndex) -> Iterator[Refresh]:
    """Keep alive what is protected until its entry or its protection is decided."""
    for change in changes:
        match change:
            case Blocked(live=LiveCache() as own, record=RecordedCache() as record) if (
                own.id == record.id
            ):
                want = recorded_want(scene.state.stack, record)
                age = aged(want, own, record, scene.now_of(record.provider))
                if age is not Reason.CURRENT:
                    yield Refresh(want, own, record, age, table.PROTECTED_DUE)
            case _:
                pass


def _retiring(scene: LiveIndex, *, destroy: bool) -> Iterator[Change]:
    for retiring in scene.state.retiring.values():
        own = scene.own(retiring)
        if own is None:
            yield Forget(retiring, Reason.RETIRED, table.RETIRED)
        elif own.id in scene.taken:
            pass
        elif destroy and retiring.name not in scene.declared:
            yield Delete(own, retiring, Reason.UNDECLARED, table.RETIRING_DESTROYED)
        elif retiring.expires_at is None or own.expires_at - retiring.expires_at > TOLERANCE:
            yield Retire(own, retiring, Reason.RETIRING, table.UNRETIRED)
        else:
            yield Leave(own, retiring, Reason.RETIRING, table.RETIRING)


def _strays(scene: LiveIndex, *, stack: str, prune: bool) -> Iterator[Change]:
    """Each once, though its project may have two names; none that another stack owns."""
    known = {
        record.id for record in scene.state.caches.values() if isinstance(record, RecordedCache)
    }
    known.update(scene.state.retiring, scene.taken)
    for cache in scene.alive.values():
        if cache.label is None or cache.label.stack != stack or cache.id in scene.owners:
            continue
        if cache.id not in known:
            known.add(cache.id)
            kind = Delete if prune else Leave
            yield kind(cache, None, Reason.STRAY, table.STRAY)
