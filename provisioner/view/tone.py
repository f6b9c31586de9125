"""
Colour as an argument: the same text with ANSI around it, or without.

Which change has which tone is known elsewhere; whether the terminal wants colour, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct

from provisioner.model import Tone

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
