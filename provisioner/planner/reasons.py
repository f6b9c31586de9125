"""
Why: how the repository differs from the record, and what time or other hands have done.

An edit rests once it was approved and can no longer be done: its entry has ended, or what it
removes is protected.  The state remembers it by its digest, so that it is open no longer;
another after, or a replacement on request, takes it up again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from provisioner.model.attributes import TOLERANCE, Until
from provisioner.model.changes import Blocked, Reason
from provisioner.model.facts import State
from provisioner.model.plan import Edit, Plan
from provisioner.model.records import Desired, DesiredCache, LiveCache, Recorded, RecordedCache


def edits(desired: Iterable[Desired], state: State) -> frozenset[Edit]:
    """What the repository asks for and the state does not say.  Blind to live and time."""
    wanted = {want.name: want for want in desired}
    changed = (
        Edit(want.name, want.after)
        for want in wanted.values()
        if edited(want, state.caches.get(want.name)) is not None
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
