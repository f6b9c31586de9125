"""
A plan as text for a terminal: a line per change, under the heading of its cause.

A line has symbol, name, provider, verb and why; sizes and money stand beside or below.  The
columns are measured once for a whole plan, so that its sections line up.  What stays as it is
gets counted and costs nothing; only `verbose` lists it, with every change attribute by
attribute.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Self

from msgspec import Struct

from provisioner.escape import plain
from provisioner.render import summary
from provisioner.render.layout import (
    GAP,
    NARROWEST,
    Palette,
    clip,
    columns,
    hang,
    pad,
    pairs,
    wrap,
)
from provisioner.view.plan import PlanView, RowView, by_section
from provisioner.view.units import cost_sentences, cost_text, listed, span_text
from provisioner.view.wording import limit_sentences

if TYPE_CHECKING:
    from provisioner.render.difference import Difference

_SYMBOL = len("  + ")
_MARGIN = " " * _SYMBOL + GAP
_NAME_SHARE, _WORD_SHARE = 0.35, 0.2
"""How much of the line a name may take, and how much a provider or a verb."""
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
    shown = tuple(row for row in plan.rows if verbose or row.is_shown)
    grid = Grid.of(shown, width=width, palette=palette)
    calm = summary.no_changes(plan, recorded=recorded) if summary.changes_nothing(plan) else ""
    blocks = [
        *(
            grid.section(section.heading, group, verbose=verbose)
            for section, group in by_section(shown).items()
        ),
        list(_settings(plan, width, palette)),
        [] if verbose else wrap(_retiring(plan), width),
        wrap(calm, width),
        [
            palette.paint(summary.plan_line(plan), "strong"),
            *wrap(summary.money_line(plan), width),
            summary.validity(plan),
            summary.fingerprint_line(plan),
        ],
        *(
            wrap(plain(hint), width)
            for hint in (*limit_sentences(plan.limits), *_caveats(plan), *hints)
        ),
        list(_leftover(plan, width)),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


def _settings(plan: PlanView, width: int, palette: Palette) -> Iterator[str]:
    if plan.settings:
        yield palette.paint("Settings of the stack", "strong")
    for edit in plan.settings:
        key, before, after = summary.setting_cells(edit)
        yield from hang("  ~ ", plain(f"{key}: {before} → {after}"), width=width, indent=4)


def _retiring(plan: PlanView) -> str:
    """One sentence for all that is dying as it should, the soonest first."""
    ends = sorted(
        (row.gone_at, row.name) for row in plan.rows if row.action == "leave" and row.gone_at
    )
    dying = [f"{name} in {span_text(end - plan.at)}" for end, name in ends]
    return plain(f"Retiring by themselves: {listed(dying, _NAMED)}.") if dying else ""


def _leftover(plan: PlanView, width: int) -> Iterator[str]:
    """The command stays on one line, to be copied."""
    sentence, *command = summary.leftover_lines(plan) or ("",)
    yield from wrap(plain(sentence), width)
    yield from (f"  {plain(line)}" for line in command)


def _caveats(plan: PlanView) -> Iterator[str]:
    if plan.partial:
        yield "This is a part of the plan, selected by name; the rest stays as it is."
    spell = summary.removals_line, summary.migration_line, summary.rested_line, summary.writes_line
    yield from filter(None, (line(plan) for line in spell))


class Grid(Struct, frozen=True, kw_only=True):
    """Where the columns are."""

    width: int
    palette: Palette
    name: int
    provider: int
    action: int

    @classmethod
    def of(cls, rows: Sequence[RowView], *, width: int, palette: Palette) -> Self:
        name, short = int(width * _NAME_SHARE), int(width * _WORD_SHARE)
        return cls(
            width=width,
            palette=palette,
            name=_widest((row.name for row in rows), name),
            provider=_widest((row.provider for row in rows), short),
            action=_widest((row.action for row in rows), short),
        )

    def section(self, heading: str, rows: Sequence[RowView], *, verbose: bool) -> list[str]:
        """*rows* under *heading*, in one line each if that is possible without wrapping."""
        lines = [self.palette.paint(heading, "strong")]
        blocks = self._one_line_each(rows) or map(self._lines, rows)
        for row, block in zip(rows, blocks, strict=True):
            lines += block
            if verbose:
                for sentence in cost_sentences(row.cost):
                    lines += self._quiet(_MARGIN, sentence)
                lines += self._differences(row) if row.pending else ()
        return lines

    @property
    def _why(self) -> int:
        """Where the sentence begins."""
        return _SYMBOL + self.name + self.provider + self.action + 3 * len(GAP)

    def _one_line_each(self, rows: Sequence[RowView]) -> list[list[str]]:
        """A line for each row, or none at all: sizes give way before anything wraps."""
        why = _widest((row.why for row in rows), self.width)
        for holds in (_holds, _tokens):
            held = [holds(row) for row in rows]
            wide = _widest(held, self.width)
            details = [
                pad(text, wide) + GAP + cost_text(row.cost)
                for text, row in zip(held, rows, strict=True)
            ]
            if self._why + why + len(GAP) + max(map(columns, details)) <= self.width:
                return [
                    [self._line(row, why, detail.rstrip())]
                    for row, detail in zip(rows, details, strict=True)
                ]
        return []

    def _line(self, row: RowView, why: int, detail: str) -> str:
        """One whose reason takes *why* columns at most, and the only line of it."""
        cells = (self._head(row), pad(plain(row.why), why), self.palette.paint(detail, "quiet"))
        return GAP.join(cells).rstrip()

    def _lines(self, row: RowView) -> list[str]:
        below = " " * (_SYMBOL + self.name + len(GAP))
        detail = " · ".join(filter(None, (_holds(row), cost_text(row.cost))))
        return [
            *hang(self._head(row) + GAP, plain(row.why), width=self.width, indent=self._why),
            *self._quiet(below, detail),
        ]

    def _quiet(self, margin: str, text: str) -> list[str]:
        lines = wrap(text, self.width - len(margin))
        return [margin + self.palette.paint(line, "quiet") for line in lines]

    def _head(self, row: RowView) -> str:
        texts = ((row.name, self.name), (row.provider, self.provider), (row.action, self.action))
        name, provider, action = (pad(clip(plain(text), width), width) for text, width in texts)
        cells = (name, provider, self.palette.paint(action, row.tone))
        symbol = self.palette.paint(row.symbol, row.tone)
        return f"  {symbol} {GAP.join(cells)}"

    def _differences(self, row: RowView) -> list[str]:
        from provisioner.render.difference import differences  # noqa: PLC0415  # for edits alone

        differing = differences(row.before, row.after) if row.after else ()
        texts = [(plain(one.where), _change(one)) for one in differing]
        most = int(self.width * _NAME_SHARE)
        return pairs(texts, width=self.width, margin=_MARGIN, most=most)


def _holds(row: RowView) -> str:
    return ", ".join(filter(None, (row.sizes, _tokens(row))))


def _tokens(row: RowView) -> str:
    return f"{row.tokens} tokens" if row.tokens else ""


def _change(difference: Difference) -> str:
    before, after = plain(difference.before or ""), plain(difference.after or "")
    if difference.before is None:
        return f"+ {after}"
    return f"{before} → {after}" if difference.after is not None else f"- {before}"


def _widest(texts: Iterable[str], most: int) -> int:
    return min(max((columns(plain(text)) for text in texts), default=0), most)
