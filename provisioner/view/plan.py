"""
What may be told of a plan: the one redacted value that every format is made from.

It holds no content and no key.  Whatever the command knows beside the plan, such as prices
and the commit, comes in as values; how any of it looks is not known here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from provisioner.model import (
    Blocked,
    Change,
    Edit,
    Leave,
    Leftover,
    Plan,
    Refresh,
    RetiringCache,
    SettingEdit,
    digests_of,
)
from provisioner.model.limits import Breach
from provisioner.model.money import Cost, Totals
from provisioner.view.counts import counts
from provisioner.view.limits import BrokenLimit, broken_limits
from provisioner.view.row import Row, rows
from provisioner.view.wording import is_shown


class PlanView(Struct, frozen=True, kw_only=True):
    """A plan as people and machines may see it."""

    stack: str
    at: datetime
    valid_until: datetime | None
    """None if time changes nothing."""
    next_refresh: datetime | None
    """When the first of the unchanged caches is to be refreshed."""
    fingerprint: str
    partial: bool
    """Whether names were selected: the rest of the stack is not in it."""
    timeless: bool
    """Whether it compares two revisions, so that no clock ends it."""
    commit: str | None
    writes: tuple[str, ...]
    """Where apply writes: the addresses of the state and of the handles, as they are spelled."""
    counts: Mapping[str, int]
    edits: tuple[Edit, ...]
    """By name."""
    settings: tuple[SettingEdit, ...]
    """Edits of the settings of the stack, by key."""
    leftover: Leftover | None
    rested: tuple[Edit, ...]
    """Edits that an apply could not do, by name; the fingerprint does not cover them."""
    declared: tuple[Edit, ...]
    """What the repository asks for, by name; empty in a view for a terminal."""
    rows: tuple[Row, ...]
    """In a view for a terminal without what stays as it is."""
    limits: tuple[BrokenLimit, ...]
    totals: Totals
    """Of every change, with a row or without."""

    @property
    def digests(self) -> frozenset[str]:
        """Of each of its edits."""
        return digests_of(self.stack, self.edits, self.settings)

    @property
    def has_edits(self) -> bool:
        return bool(self.edits or self.settings)

    @property
    def unshown(self) -> tuple[Edit, ...]:
        """Edits that no row shows: of a removed entry, say, whose cache another one adopts."""
        rows: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            rows[row.name].append(row)
        return tuple(
            edit
            for edit in (*self.edits, *self.rested)
            if not any(row.shows(edit) for row in rows[edit.name])
        )


def noteworthy(plan: Plan) -> tuple[Change, ...]:
    """The changes that a terminal shows unasked, and what is retiring, which it names."""
    return tuple(change for change in plan.changes if is_shown(change) or _is_dying(change))


def plan_view(
    plan: Plan,
    changes: Sequence[Change],
    *,
    costs: Iterable[Cost],
    totals: Totals,
    valid_until: datetime | None,
    next_refresh: datetime | None,
    timeless: bool,
    commit: str | None,
    writes: Iterable[str],
    breaches: Iterable[Breach] = (),
) -> PlanView:
    """View *plan* with a row for each of *changes*, whose *costs* are in the same order."""
    return PlanView(
        stack=plan.stack,
        at=plan.now,
        valid_until=valid_until,
        next_refresh=next_refresh,
        fingerprint=plan.fingerprint,
        partial=plan.is_partial,
        timeless=timeless,
        commit=commit,
        writes=tuple(writes),
        counts=counts((change.verb, change.reason) for change in plan.changes),
        edits=tuple(sorted(plan.edits, key=lambda edit: edit.name)),
        settings=plan.settings,
        leftover=plan.leftover,
        rested=tuple(sorted(plan.rested, key=lambda edit: edit.name)),
        declared=tuple(sorted(_declared(changes), key=lambda want: want.name)),
        rows=rows(plan, changes, costs),
        limits=broken_limits(breaches),
        totals=totals,
    )


def _declared(changes: Sequence[Change]) -> Iterator[Edit]:
    refused = {change.name for change in changes if isinstance(change, Blocked)}
    for change in changes:
        if isinstance(change, Refresh) and change.want.name in refused:
            continue  # as it is on record, not as it is declared
        if want := change.want:
            yield Edit(want.name, want.after)


def _is_dying(change: Change) -> bool:
    return isinstance(change, Leave) and isinstance(change.record, RetiringCache)
