"""
A plan as text for a terminal: a line per change, under the heading of its cause.

What stays as it is gets counted and costs nothing; only `verbose` lists it, and tells every
change attribute by attribute.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from provisioner.model import Leave, Plan, name_of_change
from provisioner.render.escape import plain
from provisioner.render.grid import Grid
from provisioner.render.layout import NARROWEST, wrap
from provisioner.render.palette import Palette
from provisioner.render.row import by_heading, rows
from provisioner.render.sizes import span_text
from provisioner.render.summary import (
    changes_nothing,
    fingerprint_line,
    no_changes,
    plan_line,
    validity,
)
from provisioner.render.wording import is_told

_NAMED = 5
"""So many retiring caches are named; the rest is counted."""


def plan_text(
    plan: Plan,
    *,
    width: int,
    colour: bool,
    valid_until: datetime | None,
    next_refresh: datetime | None,
    verbose: bool = False,
    hints: Iterable[str] = (),
) -> str:
    """
    Show *plan* in *width* columns.

    `next_refresh` is when the first of the unchanged caches is to be refreshed; `hints` are
    sentences for the end, such as what to type next.
    """
    width, palette = max(width, NARROWEST), Palette(colour)
    told = rows(plan, plan.changes if verbose else filter(is_told, plan.changes))
    grid = Grid.of(told, width=width, palette=palette)
    blocks = [
        *(grid.section(name, group, verbose=verbose) for name, group in by_heading(told).items()),
        [] if verbose else wrap(_retiring(plan), width),
        wrap(no_changes(plan, next_refresh), width) if changes_nothing(plan) else [],
        [
            palette.paint(plan_line(plan), "strong"),
            validity(plan, valid_until),
            fingerprint_line(plan),
        ],
        *(wrap(plain(hint), width) for hint in hints),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _retiring(plan: Plan) -> str:
    """One sentence for all that is dying as it should."""
    dying = [
        f"{name_of_change(change)} in {span_text(change.live.expires_at - plan.at)}"
        for change in plan.changes
        if isinstance(change, Leave) and change.record
    ]
    if not dying:
        return ""
    more = [f"{len(dying) - _NAMED} more"] if len(dying) > _NAMED else []
    return plain(f"Retiring by themselves: {', '.join([*dying[:_NAMED], *more])}.")
