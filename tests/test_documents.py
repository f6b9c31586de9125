"""One function decodes the bytes of every document."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.documents import newer, utf8

TEXT = '{"a": "Gerät ✓ 🎈"}\r\n'
ENCODINGS = ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_mark_tells_the_encoding(encoding: str) -> None:
    """UTF-8 with a byte order mark and UTF-16 in both orders are read, UTF-16 also without one."""
    assert utf8(TEXT.encode(encoding)) == TEXT.encode()


@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("width", ["16", "32"])
def test_both_orders(order: str, width: str) -> None:
    """The mark is read in either order of its bytes."""
    assert utf8(f"\ufeff{TEXT}".encode(f"utf-{width}-{order}")) == TEXT.encode()


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


@given(st.text(characters), st.sampled_from(["utf-8-sig", "utf-16"]))
def test_any_text(text: str, encoding: str) -> None:
    """All text that stands behind a mark is read as it was written."""
    assert utf8(text.encode(encoding)).decode() == text


@given(st.binary())
def test_noise(raw: bytes) -> None:
    """Any bytes become other bytes or a ValueError, and UTF-8 stays as it is."""
    try:
        read = utf8(raw)
    except ValueError:
        return
    assert read == raw or raw[:4] != read[:4]


def test_what_breaks_off() -> None:
    """A file that breaks the encoding it begins with is named with it and with what to do."""
    with pytest.raises(ValueError, match="begins as UTF-16 and breaks off: save it as UTF-8"):
        utf8(TEXT.encode("utf-16")[:-1])


def test_newer() -> None:
    """A newer document names the version that wrote it, if it says so, and asks for an upgrade."""
    sentence = newer("state/demo.json", "it has the key x", by="9.1.0")
    assert "was written by a newer ctxprov 9.1.0: it has the key x" in sentence
    assert sentence.endswith("Upgrade ctxprov; nothing has been changed.")
