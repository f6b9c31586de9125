"""
Elements of HTML and SVG as text; a text that is put into one is escaped on the way.

Markup can only be made here, so foreign text cannot become any.
"""

from __future__ import annotations

from html import escape
from typing import TypeAlias

from msgspec import Struct

from provisioner.escape import plain


class Markup(Struct, frozen=True):
    """Text that is markup already."""

    text: str

    def __str__(self) -> str:
        return self.text


Inner: TypeAlias = "Markup | str | None"
NOTHING = Markup("")
_VOID = frozenset({"meta", "rect", "line", "path"})


def tag(name: str, /, *inner: Inner, **attributes: str | float | None) -> Markup:
    """
    An element around *inner*, of which texts are escaped and None is left out.

    An attribute is spelled with `_` for `-`, and one that ends in `_` is meant without it.
    """
    spelled = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID and not inner:
        return Markup(f"<{name}{spelled}>" if name == "meta" else f"<{name}{spelled}/>")
    return Markup(f"<{name}{spelled}>{together(*inner)}</{name}>")


def together(*inner: Inner) -> Markup:
    return Markup("".join(_text(one) for one in inner if one is not None))


def _text(inner: Markup | str) -> str:
    return inner.text if isinstance(inner, Markup) else escape(plain(inner))


def _value(value: str | float) -> str:
    return escape(plain(value)) if isinstance(value, str) else f"{value:g}"
