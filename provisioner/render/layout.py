"""
Text fitted into columns of a terminal: measured, clipped, padded and wrapped.

Everything that comes here has been made visible before, but for the colours of a `Palette`; a
character is nothing, one or two columns wide.  Narrower than `NARROWEST` nothing is laid out;
the terminal wraps then.  In every width and with every name and text, every function here makes
progress, in time linear in the text: no width is too small, none wraps to less than a readable
column, and what does not fit beside its head goes below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Literal
from unicodedata import category, east_asian_width

from msgspec import Struct

from provisioner.model.changes import Tone

NARROWEST = 60
_READABLE = 24
"""Narrower than this no sentence stands beside its head."""
_CELL = 12
"""Narrower than this nothing is wrapped."""
_BELOW = 8
"""How far a sentence is indented that stands below its head."""
GAP = "  "
"""Between two columns."""
_CROWD = 2
"""Characters for each column: a letter and its accent."""
_MARKS = frozenset({"Mn", "Me"})
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


_ANSI: Mapping[Tone, str] = MappingProxyType(
    {"good": "32", "change": "33", "bad": "31", "quiet": "2", "strong": "1"}
)


class Palette(Struct, frozen=True):
    """Paints text, if it has colours at all."""

    colour: bool

    def paint(self, text: str, tone: Tone | None) -> str:
        if not (self.colour and tone and text):
            return text
        return f"\x1b[{_ANSI[tone]}m{text}\x1b[0m"


def columns(text: str) -> int:
    """How many columns of a terminal *text* takes."""
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    return len(text) if text.isascii() else sum(map(_columns_of, text))


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Fill *text* up to *width* columns; *right* moves it to the right edge, as numbers are."""
    space = " " * (width - columns(text))
    return space + text if right else text + space


def clip(text: str, width: int) -> str:
    """
    Take out the middle of *text* if it is wider than *width*: names differ at their ends.

    Marks that take no column count too: at most two characters are left for each column.
    """
    width = max(width, 1)
    if columns(text) <= width and len(text) <= _CROWD * width:
        return text
    tail = (width - 1) // 3
    return f"{_head(text, width - 1 - tail)}…{_head(text[::-1], tail)[::-1]}"


def wrap(text: str, width: int) -> list[str]:
    """Break *text* between words; a word that is wider than a line is broken, too."""
    width = max(width, _CELL)
    lines: list[str] = []
    line = ""
    for piece in _pieces(text.split(), width):
        longer = f"{line} {piece}" if line else piece
        if line and (columns(longer) > width or len(longer) > _CROWD * width):
            lines.append(line)
            line = piece
        else:
            line = longer
    return [*lines, line] if line else lines


def hang(head: str, text: str, *, width: int, indent: int) -> list[str]:
    """
    Put *text* behind *head*, which is *indent* wide, and go on below where it began.

    All of it stands below a head that is wider, or that leaves no readable column; such a head
    is not broken, so that a path can still be copied and searched for.
    """
    if columns(head) <= indent <= width - _READABLE:
        first, *rest = wrap(text, width - indent) or [""]
        return [(head + first).rstrip(), *(" " * indent + line for line in rest)]
    below = min(indent, _BELOW)
    return [head.rstrip(), *(" " * below + line for line in wrap(text, width - below))]


def pairs(
    texts: Iterable[tuple[str, str]], *, width: int, margin: str = "", most: int | None = None
) -> list[str]:
    """Hang each text behind its key; keys take at most *most* columns, if that is given."""
    shown = list(texts)
    widest = max((columns(key) for key, _ in shown), default=0)
    key_width = widest if most is None else min(widest, most)
    indent = len(margin) + key_width + len(GAP)
    return [
        line
        for key, text in shown
        for line in hang(margin + pad(key, key_width) + GAP, text, width=width, indent=indent)
    ]


class Column(Struct, frozen=True, kw_only=True):
    """
    One column of a table, and what happens to it where the table is wider than the terminal.

    `fixed` keeps its width; `clip` loses the middle of its texts; `wrap` goes on in lines below.
    """

    title: str = ""
    right: bool = False
    narrow: Literal["fixed", "clip", "wrap"] = "fixed"


def table(shape: Sequence[Column], rows: Iterable[Sequence[str]], *, width: int = 0) -> list[str]:
    """The lines of all `table_rows`."""
    return [line for row in table_rows(shape, rows, width=width) for line in row]


def table_rows(
    shape: Sequence[Column], rows: Iterable[Sequence[str]], *, width: int = 0
) -> list[list[str]]:
    """
    Align *rows*, each a line or more, in columns of *shape*, below their titles if there are any.

    A table that is wider than *width* takes what is too much from its widest columns that are
    not fixed, none below a cell's width; 0 stands for any width.  A cell may be coloured, if its
    column is fixed.
    """
    heads = [column.title for column in shape]
    cells = [heads, *rows] if any(heads) else list(rows)
    widths = [max(map(columns, texts)) for texts in zip(*cells, strict=True)]
    if width and cells:
        widths = _fitted(shape, widths, width - len(GAP) * (len(shape) - 1))
    return [list(_lines(shape, row, widths)) for row in cells]


def _fitted(shape: Sequence[Column], widths: Sequence[int], room: int) -> list[int]:
    """*widths*, those of columns that are not fixed narrowed until all fit into *room*."""
    yields = [at for at, column in enumerate(shape) if column.narrow != "fixed"]
    kept = sum(wide for at, wide in enumerate(widths) if at not in yields)
    fitted = dict(zip(yields, _narrowed([widths[at] for at in yields], room - kept), strict=True))
    return [fitted.get(at, wide) for at, wide in enumerate(widths)]


def _narrowed(widths: Sequence[int], room: int) -> list[int]:
    """Narrow the widest of *widths* until all fit into *room*, but none below a cell's."""
    level = min(max(widths, default=0), max(room, _CELL))
    while level > _CELL and sum(min(width, level) for width in widths) > room:
        level -= 1
    fitted = [min(width, level) for width in widths]
    spare = room - sum(fitted)
    for at in reversed(range(len(fitted))):
        if spare > 0 and widths[at] > level:
            fitted[at] += 1
            spare -= 1
    return fitted


def _lines(shape: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    """One row: as many lines as its longest cell has."""
    parts = [
        _cell(text, width, column) for text, width, column in zip(row, widths, shape, strict=True)
    ]
    for line in zip_longest(*parts, fillvalue=""):
        yield GAP.join(
            pad(text, width, right=column.right)
            for text, width, column in zip(line, widths, shape, strict=True)
        ).rstrip()


def _cell(text: str, width: int, column: Column) -> Sequence[str]:
    match column.narrow:
        case "fixed":
            return (text,)
        case "clip":
            return (clip(text, width),)
        case "wrap":
            return wrap(text, width) or ("",)


def _pieces(texts: Iterable[str], width: int) -> Iterator[str]:
    """*texts*, the wider ones in pieces of at most *width* columns; never an empty one."""
    for word in texts:
        start, taken = 0, 0
        for at, char in enumerate(word):
            size = _columns_of(char)
            if taken + size > width or at - start >= _CROWD * width:
                yield word[start:at]
                start, taken = at, 0
            taken += size
        yield word[start:]


def _head(text: str, width: int) -> str:
    room, crowd = width, text[: _CROWD * width]
    for at, char in enumerate(crowd):
        room -= _columns_of(char)
        if room < 0:
            return text[:at]
    return crowd


def _columns_of(char: str) -> int:
    if category(char) in _MARKS:
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
