"""
One change explained: what led to it, what it calls and when it turns, and the three sides of its
cache with what its thresholds are measured by.

Each side is the JSON of an explanation, and made from a snapshot.  Why a change was chosen,
and how an explanation is laid out, is not known here.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct, convert
from msgspec.structs import replace

from provisioner.model.attributes import Label, Settings, SettingsFields, Ttl
from provisioner.model.changes import Adopt, Change, Create, Keep, Note, Refresh, Replace
from provisioner.model.facts import Call
from provisioner.model.model_catalog import Period
from provisioner.model.money import Cost
from provisioner.model.records import (
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)
from provisioner.planner.transitions import Flip
from provisioner.view.snapshot import LifeView, Snapshot


class Explanation(Struct, frozen=True, kw_only=True):
    """Why a plan holds *change*, and what comes of it."""

    change: Change
    at: datetime
    """The moment of the plan."""
    declared: str | None
    """Where its entry stands: `file:line:column`."""
    window: datetime | None
    """When its cache is to be refreshed."""
    calls: tuple[Call, ...]
    flips: tuple[Flip, ...]
    """The next of them, if no run happens until then."""
    cost: Cost
    prices: Period | None
    """What the cost is worked out from; None if the model has no price that day."""


class Tense(Struct, frozen=True, kw_only=True):
    """What one of desired, recorded and live says of a cache, with its label and last update."""

    provider: str
    model: str
    digest: str | None
    life: LifeView | None
    settings: SettingsFields | None
    created_at: datetime | None
    updated_at: datetime | None = None
    expires_at: datetime | None
    tokens: int | None
    tokens_estimated: bool | None
    id: str | None
    label: str | None = None


def tenses(change: Change) -> tuple[Tense | None, Tense | None, Tense | None]:
    """Desired, recorded and live, as *change* has them."""
    want, record, live = change.want, change.record, change.live
    label = want.label if isinstance(want, DesiredCache) else None
    return (
        _tense(Snapshot.desired(want), label=label) if want else None,
        _recorded_tense(record) if record else None,
        _tense(Snapshot.live(live), live.updated_at, live.label) if live else None,
    )


def settings_of(change: Change) -> Settings | None:
    """What is asked for, or what is on record where nothing is; None for annotations."""
    match change.want or change.record:
        case DesiredCache(settings=settings) | RecordedCache(settings=settings):
            return settings
        case _:
            return None


def granted_of(change: Change) -> timedelta | None:
    """The life that the window is measured by, or will be."""
    match change:
        case Refresh(live=live) | Note(live=live) | Keep(live=LiveCache() as live):
            return timedelta(seconds=round(live.granted.total_seconds()))
        case Create(want=want) | Replace(want=want) | Adopt(want=want):
            return want.life.span if isinstance(want.life, Ttl) else None
        case _:
            return None


def _recorded_tense(record: Recorded | RetiringCache) -> Tense:
    if isinstance(record, RetiringCache):
        end = record.expires_at or record.until
        return _tense(replace(Snapshot.retiring(record), expires_at=end))
    return _tense(Snapshot.recorded(record), record.updated_at)


def _tense(
    snapshot: Snapshot, updated_at: datetime | None = None, label: Label | None = None
) -> Tense:
    tense = convert(snapshot, Tense, from_attributes=True)
    return replace(tense, updated_at=updated_at, label=label.identity if label else None)
