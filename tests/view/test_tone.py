"""Colour is around words, never in them."""

from __future__ import annotations

from provisioner.view.tone import Palette


def test_colour_goes_around() -> None:
    """A tone begins before the text and ends behind it."""
    assert Palette(colour=True).paint("gone", "bad") == "\x1b[31mgone\x1b[0m"


def test_no_colour_is_no_change() -> None:
    """Without colour, without a tone or without text nothing is added."""
    assert Palette(colour=False).paint("gone", "bad") == "gone"
    assert Palette(colour=True).paint("gone", None) == "gone"
    assert Palette(colour=True).paint("", "bad") == ""
