"""
What every document of ours has in common: the encoding of its bytes, and which ctxprov wrote it.

A shell or an editor may have written the file again: PowerShell redirects as UTF-16, others
put a byte order mark first.  Both tell the encoding, so both are read.  What a document means
is not known here.
"""

from __future__ import annotations

import codecs

from provisioner import __version__

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as UTF-16 does, so it comes first
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII_PAIR = 2


def utf8(raw: bytes) -> bytes:
    """
    Return the text *raw* as UTF-8 without a byte order mark.

    Text without a mark is UTF-16 if one byte of its first two is zero, since every document
    begins with an ASCII character; else it is returned as it is, be it UTF-8 or not.  Raises
    ValueError, with what to do, for text that breaks the encoding that it begins with.
    """
    mark, encoding = _encoding_of(raw)
    if encoding == "utf-8":
        return raw[len(mark) :]
    try:
        return raw[len(mark) :].decode(encoding).encode()
    except UnicodeError as error:
        name = encoding[:6].upper()
        raise ValueError(f"begins as {name} and breaks off: save it as UTF-8") from error


def _encoding_of(raw: bytes) -> tuple[bytes, str]:
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return mark, encoding
    match [byte == 0 for byte in raw[:_ASCII_PAIR]]:
        case [False, True]:
            return b"", "utf-16-le"
        case [True, False]:
            return b"", "utf-16-be"
        case _:
            return b"", "utf-8"


def newer(where: str, why: str, *, by: str | None = None) -> str:
    """Say that a newer ctxprov, of the version *by* where the document names it, wrote *where*."""
    name = f"ctxprov {by}" if by else "ctxprov"
    return (
        f"{where} was written by a newer {name}: {why}, and this is ctxprov {__version__}.  "
        "Upgrade ctxprov; nothing has been changed."
    )
