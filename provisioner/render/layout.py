"""
Words fitted into columns of a terminal: measured, clipped, padded and wrapped.

Everything that comes here has been made visible before; a character is nothing, one or two
columns wide.  Narrower than `NARROWEST` nothing is laid out; the terminal wraps then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from unicodedata import combining, east_asian_width

NARROWEST = 60
_GAP = "  "
_CROWD = 2
"""Characters for each column: a letter and its accent."""


def columns(text: str) -> int:
    """How many columns of a terminal *text* takes."""
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
    if columns(text) <= width and len(text) <= _CROWD * width:
        return text
    tail = (width - 1) // 3
    return f"{_end(text, width - 1 - tail)}…{_end(text[::-1], tail)[::-1]}"


def wrap(text: str, width: int) -> list[str]:
    """Break *text* between words; a word that is wider than a line is broken, too."""
    lines, line = [], ""
    for word in _pieces(text.split(), width):
        if line and columns(line) + 1 + columns(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".lstrip()
    return [*lines, line] if line else lines


def hang(head: str, text: str, *, width: int, indent: int) -> list[str]:
    """Put *text* behind *head*, which is *indent* wide, and go on below where it began."""
    first, *rest = wrap(text, width - indent) or [""]
    return [(head + first).rstrip(), *(" " * indent + line for line in rest)]


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
    for word in words:
        rest = word
        while columns(rest) > width:
            piece = _head(rest, width)
            yield piece
            rest = rest[len(piece) :]
        yield rest


def _head(text: str, width: int) -> str:
    taken = 0
    for at, char in enumerate(text):
        taken += _columns_of(char)
        if taken > width:
            return text[:at]
    return text


def _columns_of(char: str) -> int:
    if combining(char):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1
