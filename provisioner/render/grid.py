"""
Rows of a plan in columns: symbol, name, provider, verb and why; sizes beside or below.

The columns are measured once for a whole plan, so that its sections line up.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from provisioner.render.difference import Difference, differences
from provisioner.render.escape import plain
from provisioner.render.layout import clip, columns, hang, pad, wrap
from provisioner.render.money import cost_text
from provisioner.render.palette import Palette
from provisioner.render.row import Row

_GAP = "  "
_SYMBOL = len("  + ")
_NAME_SHARE = 0.35
"""How much of the line a name may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Where the columns are."""

    width: int
    palette: Palette
    name: int
    provider: int
    action: int

    @classmethod
    def of(cls, rows: Sequence[Row], *, width: int, palette: Palette) -> Self:
        most = int(width * _NAME_SHARE)
        return cls(
            width=width,
            palette=palette,
            name=_widest((row.name for row in rows), most),
            provider=_widest((row.provider for row in rows), most),
            action=_widest((row.action for row in rows), most),
        )

    def section(self, heading: str, rows: Sequence[Row], *, verbose: bool) -> list[str]:
        """*rows* under *heading*, in one line each if all of them fit."""
        beside = max(columns(plain(row.why)) for row in rows)
        details = max(columns(_detail(row)) for row in rows)
        fits = beside + len(_GAP) + details <= self._room
        lines = [self.palette.paint(heading, "strong")]
        for row in rows:
            lines += self._lines(row, beside if fits else None)
            lines += self._differences(row) if verbose and row.pending else ()
        return lines

    @property
    def _why(self) -> int:
        """Where the sentence begins."""
        return _SYMBOL + self.name + self.provider + self.action + 3 * len(_GAP)

    @property
    def _room(self) -> int:
        return self.width - self._why

    def _lines(self, row: Row, beside: int | None) -> list[str]:
        sentence, detail = plain(row.why), _detail(row)
        if beside is not None:
            line = pad(sentence, beside) + _GAP + self.palette.paint(detail, "quiet")
            return [self._head(row) + line.rstrip()]
        below = _SYMBOL + self.name + len(_GAP)
        return [
            *hang(self._head(row), sentence, width=self.width, indent=self._why),
            *(
                " " * below + self.palette.paint(line, "quiet")
                for line in wrap(detail, self.width - below)
            ),
        ]

    def _head(self, row: Row) -> str:
        cells = (
            pad(clip(plain(row.name), self.name), self.name),
            pad(clip(plain(row.provider), self.provider), self.provider),
            self.palette.paint(pad(row.action, self.action), row.tone),
        )
        symbol = self.palette.paint(row.symbol, row.tone)
        return f"  {symbol} {_GAP.join(cells)}{_GAP}"

    def _differences(self, row: Row) -> list[str]:
        found = differences(row.before, row.after) if row.after else ()
        margin = " " * _SYMBOL + _GAP
        key = max((columns(plain(one.where)) for one in found), default=0)
        indent = len(margin) + key + len(_GAP)
        lines = []
        for one in found:
            head = f"{margin}{pad(plain(one.where), key)}{_GAP}"
            lines += hang(head, _change(one), width=self.width, indent=indent)
        return lines


def _detail(row: Row) -> str:
    """What it holds, and what it costs where that is known."""
    tokens = f"{row.tokens} tokens" if row.tokens else ""
    holds = ", ".join(filter(None, (row.sizes, tokens)))
    return plain(" · ".join(filter(None, (holds, cost_text(row.cost) if row.cost else ""))))


def _change(difference: Difference) -> str:
    match difference:
        case Difference(before=None, after=str(after)):
            return f"+ {plain(after)}"
        case Difference(before=str(before), after=None):
            return f"- {plain(before)}"
        case Difference(before=before, after=after):
            return f"{plain(before or '')} → {plain(after or '')}"


def _widest(texts: Iterable[str], most: int) -> int:
    return min(max((columns(plain(text)) for text in texts), default=0), most)
