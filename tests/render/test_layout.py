"""Columns line up and lines fit, whatever the words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.layout import clip, columns, hang, pad, table, wrap

WORDS = st.text(st.sampled_from("ab 漢é\u0301-"))


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


@given(WORDS, st.integers(2, 30))
def test_clip_fits(text: str, width: int) -> None:
    """A clipped text is never wider than its column."""
    assert columns(clip(text, width)) <= width


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
