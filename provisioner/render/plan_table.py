"""
Rows of a plan in columns: symbol, name, provider, verb and why; sizes and money beside or below.

The columns are measured once for a whole plan, so that its sections line up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Self

from msgspec import Struct

from provisioner.escape import plain
from provisioner.render.difference import Difference, differences
from provisioner.render.layout import clip, columns, hang, pad, wrap
from provisioner.view.money_text import cost_sentences, cost_text
from provisioner.view.row import Row
from provisioner.view.tone import Palette

_GAP = "  "
_SYMBOL = len("  + ")
_NAME_SHARE, _WORD_SHARE = 0.35, 0.2
"""How much of the line a name may take, and how much a provider or a verb."""


class Grid(Struct, frozen=True, kw_only=True):
    """Where the columns are."""

    width: int
    palette: Palette
    name: int
    provider: int
    action: int

    @classmethod
    def of(cls, rows: Sequence[Row], *, width: int, palette: Palette) -> Self:
        name, short = int(width * _NAME_SHARE), int(width * _WORD_SHARE)
        return cls(
            width=width,
            palette=palette,
            name=_widest((row.name for row in rows), name),
            provider=_widest((row.provider for row in rows), short),
            action=_widest((row.action for row in rows), short),
        )

    def section(self, heading: str, rows: Sequence[Row], *, verbose: bool) -> list[str]:
        """*rows* under *heading*, in one line each if that is possible without wrapping."""
        beside = self._beside(rows)
        lines = [self.palette.paint(heading, "strong")]
        for row in rows:
            lines += self._one_line(row, beside) if beside else self._lines(row)
            if verbose:
                lines += self._money(row)
                lines += self._differences(row) if row.pending else ()
        return lines

    def _beside(self, rows: Sequence[Row]) -> _Beside | None:
        """The columns behind the verb: sizes give way before anything wraps."""
        why = _widest((row.why for row in rows), self.width)
        cost = _widest(map(_cost, rows), self.width)
        for holds in (_holds, _tokens):
            wide = _widest(map(holds, rows), self.width)
            if sum((why, wide, cost)) + len(_GAP) * 2 <= self._room:
                return _Beside(why=why, wide=wide, holds=holds)
        return None

    @property
    def _why(self) -> int:
        """Where the sentence begins."""
        return _SYMBOL + self.name + self.provider + self.action + 3 * len(_GAP)

    @property
    def _room(self) -> int:
        return self.width - self._why

    def _one_line(self, row: Row, beside: _Beside) -> list[str]:
        holds = pad(beside.holds(row), beside.wide) + _GAP + _cost(row)
        detail = self.palette.paint(holds.rstrip(), "quiet")
        return [(self._head(row) + pad(plain(row.why), beside.why) + _GAP + detail).rstrip()]

    def _lines(self, row: Row) -> list[str]:
        below = _SYMBOL + self.name + len(_GAP)
        detail = " · ".join(filter(None, (_holds(row), _cost(row))))
        return [
            *hang(self._head(row), plain(row.why), width=self.width, indent=self._why),
            *(
                " " * below + self.palette.paint(line, "quiet")
                for line in wrap(detail, self.width - below)
            ),
        ]

    def _money(self, row: Row) -> list[str]:
        told = cost_sentences(row.cost) if row.cost else ()
        margin = " " * _SYMBOL + _GAP
        return [
            margin + self.palette.paint(line, "quiet")
            for sentence in told
            for line in wrap(sentence, self.width - len(margin))
        ]

    def _head(self, row: Row) -> str:
        cells = (
            pad(clip(plain(row.name), self.name), self.name),
            pad(clip(plain(row.provider), self.provider), self.provider),
            self.palette.paint(pad(clip(plain(row.action), self.action), self.action), row.tone),
        )
        symbol = self.palette.paint(row.symbol, row.tone)
        return f"  {symbol} {_GAP.join(cells)}{_GAP}"

    def _differences(self, row: Row) -> list[str]:
        found = differences(row.before, row.after) if row.after else ()
        margin = " " * _SYMBOL + _GAP
        key = _widest((one.where for one in found), int(self.width * _NAME_SHARE))
        indent = len(margin) + key + len(_GAP)
        lines = []
        for one in found:
            head = f"{margin}{pad(plain(one.where), key)}{_GAP}"
            lines += hang(head, _change(one), width=self.width, indent=indent)
        return lines


class _Beside(Struct, frozen=True, kw_only=True):
    """What stands behind the verb, and how wide."""

    why: int
    wide: int
    holds: Callable[[Row], str]


def _holds(row: Row) -> str:
    return ", ".join(filter(None, (row.sizes, _tokens(row))))


def _tokens(row: Row) -> str:
    return f"{row.tokens} tokens" if row.tokens else ""


def _cost(row: Row) -> str:
    return cost_text(row.cost) if row.cost else ""


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
