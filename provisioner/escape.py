r"""
Foreign text made harmless, once per place where it may end up.

Text from a file, a server or a display name may hold escape sequences, line ends,
bidi marks, Markdown, HTML or workflow commands.  Here it becomes text that can be
read and cannot act.  What the text means, this module refuses to know.

>>> plain("\x1b[31mred\n::set-output name=x::y")
'\\x1b[31mred\\n\\x3a\\x3aset-output name=x\\x3a\\x3ay'
"""

from __future__ import annotations

import json
import re

import orjson

from provisioner.documents import document_fields

_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0]"
)
"""Shown as nothing, though Unicode calls them printable."""

_COMMAND = re.compile(r"::(?=[A-Za-z])|##(?=\w*\[)", re.ASCII)
"""How a line talks to a CI runner: `::set-output`, `##[group]`, `##vso[…]`."""

_WORD = r"(?![0-9a-f]{7})(?:(?:--)?[a-z]+(?:[-_][a-z]+)*(?:'s)?|\d{1,4}[a-z%]{0,2}|→)"
_SENTENCE = re.compile(rf"{_WORD}(?:[,;:]? {_WORD})*", re.ASCII)
"""Nothing in it is a link, a mention, a reference to an issue or a commit, or an emoji."""


def plain(text: str) -> str:
    """Make *text* one visible line for a terminal or a log, colours and commands disarmed."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_visible, text))
    return _COMMAND.sub(lambda match: _numbers(r"\x{:02x}", match[0]), text)


def command(text: str) -> str:
    """Make *text* fit to be the message of a workflow command such as `::error::`."""
    return plain(text).replace("%", "%25")


def markdown(text: str) -> str:
    """
    Make *text* a code span, also within a cell of a table.

    A code span is where neither Markdown nor HTML nor mentions, links and references act.
    A pipe, which could end the cell, is spelled as a number; a backtick is an apostrophe.
    """
    safe = plain(text).replace("|", r"\x7c").replace("`", "'")
    return f"`{safe}`" if safe.strip() else ""


def prose(text: str) -> str:
    """Leave a sentence of plain words as it is; make any other *text* a code span."""
    return text if _SENTENCE.fullmatch(text) else markdown(text)


def json_text(document: object) -> str:
    """Spell *document*, JSON values or structs, indented; what cannot be seen is escaped."""
    try:
        text = orjson.dumps(document, document_fields, orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:
        text = json.dumps(document, default=document_fields, indent=2, ensure_ascii=False)
    if not text.isascii() or "\x7f" in text:
        text = "\n".join(map(_json_line, text.split("\n")))
    return _COMMAND.sub(lambda match: _numbers(r"\u{:04x}", match[0]), text) + "\n"


def _json_line(line: str) -> str:
    if line.isascii() and line.isprintable():
        return line
    return "".join(char if _can_be_seen(char) else _json_escape(char) for char in line)


def _json_escape(char: str) -> str:
    """A lone surrogate is no text, which orjson says, too: it becomes U+FFFD."""
    text = "\ufffd" if "\ud800" <= char <= "\udfff" else char
    units = text.encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _visible(char: str) -> str:
    return char if _can_be_seen(char) else char.encode("unicode_escape").decode()


def _can_be_seen(char: str) -> bool:
    return char.isprintable() and not _INVISIBLE.match(char)


def _numbers(spelling: str, text: str) -> str:
    return "".join(spelling.format(ord(char)) for char in text)
