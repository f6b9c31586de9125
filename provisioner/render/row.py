"""
One view of a change for every format: names, reasons, sizes and times, and no content.

A row says what is there (*before*) and what the manifest asks for (*after*).  It knows
neither columns nor colours nor escapes: its texts are as foreign as their source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from provisioner.model import (
    Cause,
    Change,
    Delete,
    Forget,
    Plan,
    Reason,
    RecordedAnnotation,
    RecordedCache,
    Retire,
    is_pending,
    name_of_change,
)
from provisioner.render.palette import Tone
from provisioner.render.side import Side, after, before
from provisioner.render.sizes import bytes_text
from provisioner.render.wording import HEADINGS, action, heading, symbol, tone, why


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What may be told of one change."""

    heading: str
    symbol: str
    tone: Tone
    action: str
    name: str
    reason: Reason
    cause: Cause | None
    pending: bool
    why: str
    same_as: str | None
    """The removed entry that had this very content, if this is a rename."""
    before: Side | None
    after: Side | None
    cost: str | None = None

    @property
    def provider(self) -> str:
        return self._sides[-1].provider

    @property
    def model(self) -> str:
        return self._sides[-1].model

    @property
    def sentence(self) -> str:
        """Why, and whose content it has."""
        return f"{self.why}; same content as {self.same_as}" if self.same_as else self.why

    @property
    def sizes(self) -> str:
        """`812 kB → 830 kB`, or one of them if they read the same."""
        return _arrow(bytes_text(side.size) for side in self._sides if side.size is not None)

    @property
    def tokens(self) -> str:
        """`201k → ~205k`, or one of them if they read the same."""
        return _arrow(str(side.tokens) for side in self._sides if side.tokens is not None)

    @property
    def _sides(self) -> tuple[Side, ...]:
        return tuple(side for side in (self.before, self.after) if side)


def rows(plan: Plan, changes: Iterable[Change] | None = None) -> tuple[Row, ...]:
    """View *changes* of *plan*; all of them unless they are named."""
    removed = _removed(plan)
    chosen = plan.changes if changes is None else changes
    return tuple(_row(change, plan.at, removed) for change in chosen)


def by_heading(told: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    """Group *told* under the headings that have any."""
    groups: dict[str, list[Row]] = {heading: [] for heading in HEADINGS}
    for row in told:
        groups[row.heading].append(row)
    return {heading: group for heading, group in groups.items() if group}


def _row(change: Change, at: datetime, removed: Mapping[str, str]) -> Row:
    old, new = before(change), after(change, at)
    return Row(
        heading=heading(change),
        symbol=symbol(change),
        tone=tone(change),
        action=action(change),
        name=name_of_change(change),
        reason=change.reason,
        cause=change.reason.cause,
        pending=is_pending(change),
        why=why(change, at),
        same_as=removed.get(new.digest) if new and new.digest and old is None else None,
        before=old,
        after=new,
    )


def _removed(plan: Plan) -> Mapping[str, str]:
    """The names of what is no longer declared, by digest."""
    return {
        change.record.digest: change.record.name
        for change in plan.changes
        if isinstance(change, Retire | Delete | Forget)
        and isinstance(change.record, RecordedCache | RecordedAnnotation)
    }


def _arrow(texts: Iterable[str]) -> str:
    return " → ".join(dict.fromkeys(texts))
