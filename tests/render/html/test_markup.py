"""Elements from foreign text: it stays text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.html.markup import Markup, tag, together


class Reader(HTMLParser):
    """Every element that a browser would make."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def read_page(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader


def read(markup: Markup) -> Reader:
    return read_page(markup.text)


@given(text=st.text(), value=st.text())
def test_foreign_text_makes_no_element(text: str, value: str) -> None:
    """Any text in an element or an attribute leaves that one element."""
    seen = read(tag("td", text, data_is=value))

    assert seen.tags == ["td"]
    assert [name for name, _ in seen.attributes] == ["data-is"]


def test_text_is_read_back() -> None:
    """Escaped text reads as it was meant."""
    assert read(tag("p", "a < b & 'c' > \"d\"")).text == "a < b & 'c' > \"d\""


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (tag("line", x1=0, x2="12.5%", class_="now"), '<line x1="0" x2="12.5%" class="now"/>'),
        (tag("meta", charset="utf-8"), '<meta charset="utf-8">'),
        (tag("p", "a", None, tag("b", "c")), "<p>a<b>c</b></p>"),
        (together("<", Markup("<br>")), "&lt;<br>"),
        (tag("text", aria_label=None), "<text></text>"),
    ],
)
def test_spelling(made: Markup, text: str) -> None:
    """Elements are spelled as a browser reads them; what is None is left out."""
    assert made.text == text
