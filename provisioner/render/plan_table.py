"""
A plan as text for a terminal: a line per change, under the heading of its cause.

A line has symbol, name, provider, verb and why; sizes and money stand beside or below.  The
columns are measured once for a whole plan, so that its sections line up.  What stays as it is
gets counted and costs nothing; only `verbose` lists it, with every change attribute by
attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Self

from msgspec import Struct

from provisioner.escape import plain
from provisioner.render.difference import Difference, differences
from provisioner.render.layout import GAP, NARROWEST, Palette, clip, columns, hang, pad, pairs, wrap
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
from provisioner.view.money_text import cost_sentences, cost_text
from provisioner.view.plan import PlanView, RowView, by_section
from provisioner.view.units import listed, span_text

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
    blocks = [
        *(
            grid.section(section.heading, group, verbose=verbose)
            for section, group in by_section(shown).items()
        ),
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
    return plain(f"Retiring by themselves: {listed(dying, _NAMED)}.") if dying else ""


def _leftover(plan: PlanView, width: int) -> Iterator[str]:
    """The command stays on one line, to be copied."""
    sentence, *command = leftover_lines(plan) or ("",)
    yield from wrap(plain(sentence), width)
    yield from (f"  {plain(line)}" for line in command)


def _caveats(plan: PlanView) -> Iterator[str]:
    if plan.partial:
        yield "This is a part of the plan, selected by name; the rest stays as it is."
    lines = (removals_line(plan), migration_line(plan), rested_line(plan), writes_line(plan))
    yield from filter(None, lines)


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
        beside = self._beside(rows)
        lines = [self.palette.paint(heading, "strong")]
        for row in rows:
            lines += self._one_line(row, beside) if beside else self._lines(row)
            if verbose:
                lines += self._money(row)
                lines += self._differences(row) if row.pending else ()
        return lines

    def _beside(self, rows: Sequence[RowView]) -> _Beside | None:
        """The columns behind the verb: sizes give way before anything wraps."""
        why = _widest((row.why for row in rows), self.width)
        cost = _widest(map(_cost, rows), self.width)
        for holds in (_holds, _tokens):
            wide = _widest(map(holds, rows), self.width)
            if sum((why, wide, cost)) + len(GAP) * 2 <= self._room:
                return _Beside(why=why, wide=wide, holds=holds)
        return None

    @property
    def _why(self) -> int:
        """Where the sentence begins."""
        return _SYMBOL + self.name + self.provider + self.action + 3 * len(GAP)

    @property
    def _room(self) -> int:
        return self.width - self._why

    def _one_line(self, row: RowView, beside: _Beside) -> list[str]:
        holds = pad(beside.holds(row), beside.wide) + GAP + _cost(row)
        detail = self.palette.paint(holds.rstrip(), "quiet")
        return [(self._head(row) + pad(plain(row.why), beside.why) + GAP + detail).rstrip()]

    def _lines(self, row: RowView) -> list[str]:
        below = _SYMBOL + self.name + len(GAP)
        detail = " · ".join(filter(None, (_holds(row), _cost(row))))
        return [
            *hang(self._head(row), plain(row.why), width=self.width, indent=self._why),
            *(
                " " * below + self.palette.paint(line, "quiet")
                for line in wrap(detail, self.width - below)
            ),
        ]

    def _money(self, row: RowView) -> list[str]:
        sentences = cost_sentences(row.cost) if row.cost else ()
        return [
            _MARGIN + self.palette.paint(line, "quiet")
            for sentence in sentences
            for line in wrap(sentence, self.width - len(_MARGIN))
        ]

    def _head(self, row: RowView) -> str:
        cells = (
            pad(clip(plain(row.name), self.name), self.name),
            pad(clip(plain(row.provider), self.provider), self.provider),
            self.palette.paint(pad(clip(plain(row.action), self.action), self.action), row.tone),
        )
        symbol = self.palette.paint(row.symbol, row.tone)
        return f"  {symbol} {GAP.join(cells)}{GAP}"

    def _differences(self, row: RowView) -> list[str]:
        differing = differences(row.before, row.after) if row.after else ()
        texts = [(plain(one.where), _change(one)) for one in differing]
        most = int(self.width * _NAME_SHARE)
        return pairs(texts, width=self.width, margin=_MARGIN, most=most)


class _Beside(Struct, frozen=True, kw_only=True):
    """What stands behind the verb, and how wide."""

    why: int
    wide: int
    holds: Callable[[RowView], str]


def _holds(row: RowView) -> str:
    return ", ".join(filter(None, (row.sizes, _tokens(row))))


def _tokens(row: RowView) -> str:
    return f"{row.tokens} tokens" if row.tokens else ""


def _cost(row: RowView) -> str:
    return cost_text(row.cost) if row.cost else ""


def _change(difference: Difference) -> str:
    before, after = plain(difference.before or ""), plain(difference.after or "")
    if difference.before is None:
        return f"+ {after}"
    return f"{before} → {after}" if difference.after is not None else f"- {before}"


def _widest(texts: Iterable[str], most: int) -> int:
    return min(max((columns(plain(text)) for text in texts), default=0), most)
