"""Columns line up and lines fit, whatever the words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.layout import clip, columns, hang, pad, table, wrap

WORDS = st.text(st.sampled_from("ab 漢é\u0301-"))
MARKS = st.text(st.sampled_from("a漢\u0301\u0302"), max_size=200)


def test_wide_characters_take_two_columns() -> None:
    """A terminal gives ideographs two columns and accents none."""
    assert columns("漢字") == 4
    assert columns("e\u0301") == 1
    assert pad("漢", 3) + "|" == "漢 |"
    assert pad("7", 3, right=True) == "  7"


def test_clip_keeps_both_ends() -> None:
    """Long names that differ at the end stay different."""
    assert clip("product-manual-in-english", 16) == "product-ma…glish"
    assert clip("product-manual-in-spanish", 16) == "product-ma…anish"
    assert clip("short", 16) == "short"


def test_clip_counts_marks() -> None:
    """Marks that take no column are clipped too once they are many, and both ends stay."""
    assert clip(f"a{7_000 * chr(0x301)}b", 10) == f"a{11 * chr(0x301)}…{5 * chr(0x301)}b"
    assert clip("e\u0301" * 10, 10) == "e\u0301" * 10


@given(WORDS | MARKS, st.integers(2, 30))
def test_clip_fits(text: str, width: int) -> None:
    """A clipped text is never wider than its column, nor longer than twice that."""
    clipped = clip(text, width)

    assert columns(clipped) <= width
    assert len(clipped) <= 2 * width
    assert clipped == text or "…" in clipped


@given(WORDS, st.integers(2, 30))
def test_wrap_loses_nothing(text: str, width: int) -> None:
    """Every line fits, and together they hold every character but the spaces."""
    lines = wrap(text, width)

    assert all(columns(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_hang_goes_on_below_where_it_began() -> None:
    """A sentence that does not fit continues under its own beginning."""
    assert hang("why: ", "because it is so", width=15, indent=5) == [
        "why: because it",
        "     is so",
    ]


def test_table_aligns() -> None:
    """Columns are as wide as their widest cell; numbers stand at the right."""
    rows = [("name", "n"), ("漢字", "10")]

    assert table(rows, right=frozenset({1})) == ["name   n", "漢字  10"]
