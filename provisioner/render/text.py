"""
A plan as text for a terminal: a line per change, under the heading of its cause.

What stays as it is gets counted and costs nothing; only `verbose` lists it, and tells every
change attribute by attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from provisioner.escape import plain
from provisioner.render.layout import NARROWEST, hang, wrap
from provisioner.render.plan_table import Grid
from provisioner.render.summary import (
    changes_nothing,
    fingerprint_line,
    leftover_lines,
    migration_line,
    money_line,
    no_changes,
    plan_line,
    removals_line,
    rested_line,
    setting_cells,
    validity,
    writes_line,
)
from provisioner.view.limits import limit_sentences
from provisioner.view.plan import PlanView
from provisioner.view.row import by_heading
from provisioner.view.tone import Palette
from provisioner.view.units import span_text

_NAMED = 5
"""So many retiring caches are named; the rest is counted."""


def plan_text(
    plan: PlanView,
    *,
    width: int,
    colour: bool,
    verbose: bool = False,
    recorded: bool = False,
    hints: Iterable[str] = (),
) -> str:
    """
    Show *plan* in *width* columns; `hints` are sentences for the end.

    *recorded* says that no manifest was compared, but what is on record.
    """
    width, palette = max(width, NARROWEST), Palette(colour)
    told = tuple(row for row in plan.rows if verbose or row.is_told)
    grid = Grid.of(told, width=width, palette=palette)
    blocks = [
        *(grid.section(name, group, verbose=verbose) for name, group in by_heading(told).items()),
        [palette.paint("Settings of the stack", "strong"), *_settings(plan, width)]
        if plan.settings
        else [],
        [] if verbose else wrap(_retiring(plan), width),
        wrap(no_changes(plan, recorded=recorded), width) if changes_nothing(plan) else [],
        [
            palette.paint(plan_line(plan), "strong"),
            *wrap(money_line(plan), width),
            validity(plan),
            fingerprint_line(plan),
        ],
        *(
            wrap(plain(hint), width)
            for hint in (*limit_sentences(plan.limits), *_caveats(plan), *hints)
        ),
    ]
    blocks.append(list(_leftover(plan, width)))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _settings(plan: PlanView, width: int) -> Iterator[str]:
    for edit in plan.settings:
        key, before, after = setting_cells(edit)
        yield from hang("  ~ ", plain(f"{key}: {before} → {after}"), width=width, indent=4)


def _retiring(plan: PlanView) -> str:
    """One sentence for all that is dying as it should, the soonest first."""
    ends = sorted(
        (row.gone_at, row.name) for row in plan.rows if row.action == "leave" and row.gone_at
    )
    dying = [f"{name} in {span_text(end - plan.at)}" for end, name in ends]
    if not dying:
        return ""
    more = [f"{len(dying) - _NAMED} more"] if len(dying) > _NAMED else []
    return plain(f"Retiring by themselves: {', '.join([*dying[:_NAMED], *more])}.")


def _leftover(plan: PlanView, width: int) -> Iterator[str]:
    """The command stays on one line, to be copied."""
    sentence, *command = leftover_lines(plan) or ("",)
    yield from wrap(plain(sentence), width)
    yield from (f"  {plain(line)}" for line in command)


def _caveats(plan: PlanView) -> Iterator[str]:
    if plan.partial:
        yield "This is a part of the plan, selected by name; the rest stays as it is."
    if removals := removals_line(plan):
        yield removals
    if migration := migration_line(plan):
        yield migration
    if rested := rested_line(plan):
        yield rested
    if writes := writes_line(plan):
        yield writes
