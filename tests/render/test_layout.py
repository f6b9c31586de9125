"""Columns line up and lines fit, with any text."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.layout import Column, Palette, clip, columns, hang, pad, table, wrap

WORDS = st.text(st.sampled_from("ab 漢é\u0301-"))
MARKS = st.text(st.sampled_from("a漢\u0301\u0302"), max_size=200)
LEAST = 12
"""What is never wrapped narrower."""


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


@given(WORDS | MARKS, st.integers(-5, 30))
def test_wrap_loses_nothing(text: str, width: int) -> None:
    """Every line fits a readable width, and together they hold every character but the spaces."""
    lines = wrap(text, width)

    assert all(columns(line) <= max(width, LEAST) for line in lines)
    assert all(0 < len(line) <= 2 * max(width, LEAST) for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_wrap_is_linear() -> None:
    """A word of a hundred thousand characters is wrapped at once, marks that take no column too."""
    assert len(wrap("漢" * 100_000, 20)) == 10_000
    assert len(wrap("\u0301" * 100_000, 20)) == 2_500


def test_hang_goes_on_below_where_it_began() -> None:
    """A sentence that does not fit continues under its own beginning."""
    assert hang("why: ", "because it is so and not otherwise", width=30, indent=5) == [
        "why: because it is so and not",
        "     otherwise",
    ]


def test_hang_goes_below_a_wide_head() -> None:
    """Beside a head that leaves no readable column nothing is written, but below it."""
    path = "content/" + "a" * 80

    assert hang(f"  {path}  ", "was so", width=100, indent=92) == [f"  {path}", "        was so"]
    assert hang(f"  {path}  ", "was so", width=60, indent=20) == [f"  {path}", "        was so"]


@given(WORDS, WORDS, st.integers(-5, 200), st.integers(0, 300))
def test_hang_fits(head: str, text: str, width: int, indent: int) -> None:
    """With any widths, nothing is lost, and every line below the head is readable."""
    first, *rest = hang(pad(head, indent), text, width=width, indent=indent)

    assert "".join([first, *rest]).replace(" ", "") == (head + text).replace(" ", "")
    assert all(columns(line) <= max(width, 8 + LEAST) for line in rest)


def test_colours_take_no_column() -> None:
    """A painted word is as wide as a plain one, so that what is hung behind it stays there."""
    assert columns(Palette(colour=True).paint("漢字", "bad")) == 4


@given(
    st.lists(st.lists(WORDS, min_size=3, max_size=3), min_size=1, max_size=4),
    st.lists(st.sampled_from(["clip", "wrap"]), min_size=3, max_size=3),
    st.integers(1, 120),
)
def test_a_table_fits(rows: list[list[str]], narrow: list[Any], width: int) -> None:
    """A table is as wide as the terminal at most, unless its cells would become unreadable."""
    lines = table([Column(narrow=one) for one in narrow], rows, width=width)

    assert all(columns(line) <= max(width, 3 * LEAST + 4) for line in lines)


@given(st.lists(st.lists(WORDS, min_size=2, max_size=2), max_size=4), st.integers(1, 60))
def test_wrapped_cells_lose_nothing(rows: list[list[str]], width: int) -> None:
    """A cell that wraps goes on below itself, with every character but the spaces."""
    lines = table([Column(), Column(narrow="wrap")], [["", text] for _, text in rows], width=width)

    assert squeezed("".join(lines)) == squeezed("".join(text for _, text in rows))


def test_table_aligns() -> None:
    """Columns are as wide as their widest cell; numbers stand at the right."""
    lines = table([Column(title="name"), Column(title="n", right=True)], [("漢字", "10")])

    assert lines == ["name   n", "漢字  10"]


def test_fixed_columns_keep_their_width() -> None:
    """What is too much is taken from the columns that may be clipped, the widest first."""
    shape = [Column(narrow="clip"), Column(), Column(narrow="clip")]

    assert table(shape, [("a" * 30, "b" * 20, "c" * 14)], width=50) == [
        f"{'a' * 8}…{'a' * 4}  {'b' * 20}  {'c' * 8}…{'c' * 4}"
    ]


def test_a_table_without_rows() -> None:
    """A table has its titles alone, or nothing."""
    assert table([Column(title="NAME")], [], width=60) == ["NAME"]
    assert table([Column()], [], width=60) == []


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_colour_goes_around() -> None:
    """A tone begins before the text and ends behind it."""
    assert Palette(colour=True).paint("gone", "bad") == "\x1b[31mgone\x1b[0m"


def test_no_colour_is_no_change() -> None:
    """Without colour, without a tone or without text nothing is added."""
    assert Palette(colour=False).paint("gone", "bad") == "gone"
    assert Palette(colour=True).paint("gone", None) == "gone"
    assert Palette(colour=True).paint("", "bad") == ""
