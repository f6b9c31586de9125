"""
Text fitted into columns of a terminal: measured, clipped, padded and wrapped.

Everything that comes here has been made visible before, but for the colours of `palette`; a
character is nothing, one or two columns wide.  Narrower than `NARROWEST` nothing is laid out;
the terminal wraps then.  In every width and with every name and text, every function here makes
progress, in time linear in the text: no width is too small, none wraps to less than a readable
column, and what does not fit beside its head goes below it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from unicodedata import category, east_asian_width

NARROWEST = 60
_READABLE = 24
"""Narrower than this no sentence stands beside its head."""
_CELL = 12
"""Narrower than this nothing is wrapped."""
_BELOW = 8
"""How far a sentence is indented that stands below its head."""
_GAP = "  "
_CROWD = 2
"""Characters for each column: a letter and its accent."""
_MARKS = frozenset({"Mn", "Me"})
_COLOUR = re.compile("\x1b\\[[0-9;]*m")


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
    Take out the middle of *text* if it is wider than *width*: ends tell names apart.

    Marks that take no column count too: at most two characters are left for each column.
    """
    width = max(width, 1)
    if columns(text) <= width and len(text) <= _CROWD * width:
        return text
    tail = (width - 1) // 3
    return f"{_end(text, width - 1 - tail)}…{_end(text[::-1], tail)[::-1]}"


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


def fit(widths: Sequence[int], room: int) -> list[int]:
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


def table(rows: Sequence[Sequence[str]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Align *rows* in columns; those of *right* at their right edge."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    return [
        _GAP.join(
            pad(cell, width, right=at in right)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def _end(text: str, width: int) -> str:
    return _head(text[: _CROWD * width], width)


def _pieces(words: Iterable[str], width: int) -> Iterator[str]:
    """*words*, the wider ones in pieces of at most *width* columns; never an empty one."""
    for word in words:
        start, taken = 0, 0
        for at, char in enumerate(word):
            size = _columns_of(char)
            if taken + size > width or at - start >= _CROWD * width:
                yield word[start:at]
                start, taken = at, 0
            taken += size
        yield word[start:]


def _head(text: str, width: int) -> str:
    taken = 0
    for at, char in enumerate(text):
        taken += _columns_of(char)
        if taken > width:
            return text[:at]
    return text


def _columns_of(char: str) -> int:
    if category(char) in _MARKS:
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
