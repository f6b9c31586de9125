"""
One view of a change for every format: names, reasons, sizes and times, and no content.

A row says what is there (*before*) and what the manifest asks for (*after*).  It knows
neither columns nor colours nor escapes: its texts are as foreign as their source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import repeat

from msgspec import Struct

from provisioner.model import (
    Cause,
    Change,
    Delete,
    Edit,
    Forget,
    Plan,
    Reason,
    RecordedAnnotation,
    RecordedCache,
    Retire,
    Tone,
)
from provisioner.model.money import Cost
from provisioner.view.snapshot import Side, after, before, gone_at
from provisioner.view.units import size_text
from provisioner.view.wording import (
    EDITS,
    HEADINGS,
    REFUSED,
    UNCHANGED,
    heading,
    symbol,
    tone,
    why,
)


class Row(Struct, frozen=True, kw_only=True):
    """What may be told of one change."""

    heading: str
    action: str
    name: str
    reason: Reason
    cause: Cause | None
    pending: bool
    why: str
    """And, if this is a rename, which removed entry had this very content."""
    before: Side | None
    after: Side | None
    gone_at: datetime | None = None
    """When the cache that lives now is gone."""
    cost: Cost | None = None
    """None if nobody priced it."""

    @property
    def symbol(self) -> str:
        return symbol(self.action, self.heading)

    @property
    def tone(self) -> Tone:
        return tone(self.action, self.heading)

    @property
    def is_shown(self) -> bool:
        """Whether it is worth a line to those who did not ask for all."""
        match self.action, self.reason:
            case "keep", _:
                return self.heading != UNCHANGED
            case ("leave", Reason.RETIRING) | ("forget", Reason.RETIRED):
                return False
            case _:
                return True

    def shows(self, edit: Edit) -> bool:
        """Whether who reads it reads of *edit*: what is asked for now, or that nothing is."""
        if self.name != edit.name or not self.is_edit:
            return False
        match self.action:
            case "move":
                return self.before is not None and _asks(self.before, edit)
            case "retire" | "delete" | "forget":
                return edit.after is None
            case "blocked" if self.after is None:
                return edit.after is None
            case _:
                return self.after is not None and _asks(self.after, edit)

    @property
    def is_edit(self) -> bool:
        """Whether a fingerprint covers it: an edit, or what is found alive without a record."""
        return self.heading in {EDITS, REFUSED} or self.reason is Reason.FOUND

    @property
    def provider(self) -> str:
        return self._sides[-1].provider

    @property
    def model(self) -> str:
        return self._sides[-1].model

    @property
    def sizes(self) -> str:
        """`812 kB → 830 kB`, or one of them if they read the same."""
        return _arrow(size_text(side.size) for side in self._sides if side.holds_content)

    @property
    def tokens(self) -> str:
        """`201k → ~205k`, or one of them if they read the same."""
        sides = (side for side in self._sides if side.tokens or side.holds_content)
        return _arrow(str(side.tokens or "?") for side in sides)

    @property
    def _sides(self) -> tuple[Side, ...]:
        return tuple(side for side in (self.before, self.after) if side)


def rows(
    plan: Plan, changes: Iterable[Change] | None = None, costs: Iterable[Cost] | None = None
) -> tuple[Row, ...]:
    """View *changes* of *plan*, all of them unless they are named, each with its cost if any."""
    removed = _removed(plan)
    chosen = plan.changes if changes is None else tuple(changes)
    priced = repeat(None, len(chosen)) if costs is None else costs
    return tuple(
        _row(change, plan.now_of(change.provider), removed, cost)
        for change, cost in zip(chosen, priced, strict=True)
    )


def by_heading(told: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    """Group *told* under the headings that have any."""
    groups: dict[str, list[Row]] = {heading: [] for heading in HEADINGS}
    for row in told:
        groups[row.heading].append(row)
    return {heading: group for heading, group in groups.items() if group}


def _row(change: Change, at: datetime, removed: Mapping[str, str], cost: Cost | None) -> Row:
    old, new = before(change), after(change, at)
    same_as = removed.get(new.digest) if new and new.digest and old is None else None
    return Row(
        heading=heading(change),
        action=change.verb,
        name=change.name,
        reason=change.reason,
        cause=change.reason.cause,
        pending=change.is_pending,
        why=why(change, at) + (f"; same content as {same_as}" if same_as else ""),
        before=old,
        after=new,
        gone_at=gone_at(change, at),
        cost=cost,
    )


def _removed(plan: Plan) -> Mapping[str, str]:
    """The names of what is no longer declared, by digest."""
    return {
        change.record.digest: change.record.name
        for change in plan.changes
        if isinstance(change, Retire | Delete | Forget)
        and isinstance(change.record, RecordedCache | RecordedAnnotation)
    }


def _asks(side: Side, edit: Edit) -> bool:
    return edit.after is not None and side.asked == edit.after


def _arrow(texts: Iterable[str]) -> str:
    return " → ".join(dict.fromkeys(texts))
