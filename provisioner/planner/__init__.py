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

What is on record under a name that was changed counts as the record of the new one, and a
label with the old name as one with the new: a rename creates nothing.  Which guard decides
what stands in `decision_table`.  Where suspiciously many recorded caches of a project are
missing together, `brake` turns those Create whose reason is MISSING into Blocked.

An edit rests once it was approved and can no longer be done: its entry has ended, or what it
removes is protected.  The state remembers it by its digest, so that it is open no longer;
another after, or a replacement on request, takes it up again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

from msgspec.structs import replace

from provisioner.model.changes import Blocked, Reason
from provisioner.model.facts import State
from provisioner.model.plan import Edit, Plan
from provisioner.model.records import Desired, LiveCache
from provisioner.planner import decision_table as table
from provisioner.planner.live_index import LiveIndex

_NONE: Mapping[str, Any] = MappingProxyType({})


def plan(
    desired: Iterable[Desired],
    state: State,
    live: Iterable[LiveCache],
    *,
    stack: str,
    now: datetime,
    ahead: Mapping[str, timedelta] = _NONE,
    destroy: bool = False,
    prune: bool = False,
    replace: Collection[str] = (),
    renames: Collection[tuple[str, str]] = (),
    owners: Mapping[str, str] = _NONE,
) -> Plan:
    """
    Compare the three tenses at *now* (aware UTC, by the local clock).

    *ahead* is how far each provider's clock is ahead of that; what expires, does so by the
    provider's.  *owners* names the other stacks that have a live cache on record, by its id.
    *stack* is the namespace of our labels.  `destroy` says that nothing is desired on
    purpose, `prune` that strays may go, `replace` which caches to make again,
    `renames` which old names have which new ones.
    """
    wanted = tuple(desired)
    moves = tuple(table.moves(state, renames))
    state = moved(state, renames)
    index = LiveIndex(
        live=live,
        now=now,
        ahead=ahead,
        state=state,
        declared=frozenset(want.name for want in wanted),
        replace=replace,
        former=former_names(renames),
        owners={**state.given, **owners},
    )
    # in the order in which entries claim: what a declared one adopts, no other row has
    named = (
        *(table.declared_change(want, index) for want in wanted),
        *table.undeclared_changes(index, destroy=destroy),
    )
    changes = (
        *moves,
        *named,
        *(() if destroy else table.upkeep_of_blocked(named, index)),
        *table.retiring_changes(index, destroy=destroy),
        *table.stray_changes(index, stack=stack, prune=prune),
    )
    names = {move.name for move in moves}
    open_edits = edits(wanted, state) | {Edit(w.name, w.after) for w in wanted if w.name in names}
    rested = rested_among(open_edits, state, stack=stack, replace=replace)
    return Plan(
        stack=stack,
        at=now,
        changes=changes,
        edits=open_edits - rested,
        ahead=ahead,
        rested=rested,
    )


def edits(desired: Iterable[Desired], state: State) -> frozenset[Edit]:
    """What the repository asks for and the state does not say.  Blind to live and time."""
    wanted = {want.name: want for want in desired}
    changed = (
        Edit(want.name, want.after)
        for want in wanted.values()
        if table.edited(want, state.caches.get(want.name)) is not None
    )
    removed = (Edit(name, None) for name in state.caches if name not in wanted)
    return frozenset((*changed, *removed))


def rested_among(
    edits: Iterable[Edit], state: State, *, stack: str, replace: Collection[str] = ()
) -> frozenset[Edit]:
    """Those of *edits* that rest."""
    return frozenset(
        edit
        for edit in edits
        if edit.name in state.rested
        and edit.name not in replace
        and state.rested[edit.name] == edit.digest(stack)
    )


def rested_by(plan: Plan, before: Mapping[str, str]) -> Mapping[str, str]:
    """The digests of the edits that rest once *plan* is performed, by name; *before* did so far."""
    names = {change.name for change in plan.changes}
    stuck = {
        change.name
        for change in plan.changes
        if isinstance(change, Blocked) or change.reason is Reason.ENDED
    }
    rested = (edit for edit in (*plan.rested, *plan.edits) if edit.name in stuck)
    return {
        **{name: digest for name, digest in before.items() if name not in names},
        **{edit.name: edit.digest(plan.stack) for edit in rested},
    }


def moved(state: State, pairs: Iterable[tuple[str, str]]) -> State:
    """
    *state* as if what it records under the first name of each pair had the second.

    A pair whose first name is not on record, or whose second one is, moves nothing.
    """
    names = table.moved_names(state, pairs)
    if not names:
        return state
    caches = {
        names.get(name, name): replace(record, name=names.get(name, name))
        for name, record in state.caches.items()
    }
    retiring = {
        id_: replace(cache, name=names.get(cache.name, cache.name))
        for id_, cache in state.retiring.items()
    }
    return replace(state, caches=MappingProxyType(caches), retiring=MappingProxyType(retiring))


def former_names(pairs: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    """The first names of *pairs*, by the second."""
    names: dict[str, list[str]] = {}
    for old, new in pairs:
        names.setdefault(new, []).append(old)
    return names
