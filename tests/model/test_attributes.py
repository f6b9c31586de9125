"""Labels: what is read from a display name, and which of them are equal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.model import Label

MARK = "0123456789abcdef"
PLAIN = Label("demo", "faq", MARK)
SENT = Label("demo", "faq", MARK, "abcd")

_WORDS = st.from_regex(r"[a-z0-9][a-z0-9-]{0,15}", fullmatch=True)
_LABELS = st.builds(
    Label,
    stack=_WORDS | st.builds("{}.{}".format, _WORDS, _WORDS),
    name=_WORDS,
    mark=st.from_regex(r"[0-9a-f]{16}", fullmatch=True),
    letters=st.just("") | st.from_regex(r"[a-z]{4}", fullmatch=True),
)


@given(_LABELS)
def test_reads_back(label: Label) -> None:
    """Every label is read as it was written, its letters included."""
    read = Label.parse(str(label))

    assert read == label
    assert read is not None
    assert read.letters == label.letters


def test_equality() -> None:
    """The letters of a create do not tell two labels apart, as equals or as keys."""
    assert SENT == PLAIN
    assert {SENT: 1}[PLAIN] == 1
    assert str(SENT) != str(PLAIN)


@pytest.mark.parametrize("other", [Label("other", "faq", MARK), Label("demo", "b", MARK), "demo"])
def test_difference(other: object) -> None:
    """Another stack or another name makes another label."""
    assert other != SENT


def test_older_releases() -> None:
    """A label without letters, as older releases wrote it, is still a label."""
    assert Label.parse(f"ctxprov:demo/faq@{MARK}") == SENT


@pytest.mark.parametrize("end", ["~", "~abc", "~abcde", "~ABCD", "~abc1", "~abcd "])
def test_odd_letters(end: str) -> None:
    """What ends in anything but four letters is no label."""
    assert Label.parse(f"ctxprov:demo/faq@{MARK}{end}") is None
