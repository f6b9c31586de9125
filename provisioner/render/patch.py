"""
What changed inside a text, as a unified diff: the one place where content is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import unified_diff

from provisioner.render.escape import plain
from provisioner.render.palette import Palette, Tone

_TONES: dict[str, Tone] = {"+": "good", "-": "bad", "@": "quiet"}
_MOST = 400
"""Lines of one file; a longer difference is cut, with a count."""


def patch_text(path: str, before: bytes | None, after: bytes | None, *, colour: bool) -> str:
    """The difference of one file; None is where there is no such file.  Empty if there is none."""
    if before == after:
        return ""
    try:
        old, new = ((side or b"").decode().splitlines() for side in (before, after))
    except UnicodeDecodeError:
        return f"{plain(path)}: {len(before or b'')} → {len(after or b'')} bytes, not text\n"
    palette = Palette(colour)
    names = ("/dev/null" if before is None else path, "/dev/null" if after is None else path)
    lines = list(unified_diff(old, new, *names, lineterm="", n=2))
    shown = [palette.paint(plain(line), _tone(line)) for line in lines[:_MOST]]
    return "\n".join([*shown, *_more(len(lines) - _MOST)]) + "\n"


def _tone(line: str) -> Tone | None:
    return _TONES.get(line[:1])


def _more(count: int) -> Iterator[str]:
    if count > 0:
        yield f"… and {count:,} more lines."
