"""Columns line up and lines fit, whatever the words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from provisioner.render.layout import clip, columns, fit, hang, pad, table, wrap
from provisioner.view.tone import Palette

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
    """Whatever the widths, nothing is lost, and every line below the head is readable."""
    first, *rest = hang(pad(head, indent), text, width=width, indent=indent)

    assert "".join([first, *rest]).replace(" ", "") == (head + text).replace(" ", "")
    assert all(columns(line) <= max(width, 8 + LEAST) for line in rest)


def test_colours_take_no_column() -> None:
    """A painted word is as wide as a plain one, so that what is hung behind it stays there."""
    assert columns(Palette(colour=True).paint("漢字", "bad")) == 4


@given(st.lists(st.integers(0, 100_000), max_size=5), st.integers(-50, 300))
def test_fit_narrows_the_widest(widths: list[int], room: int) -> None:
    """Columns share a room, and none of them is narrowed to nothing."""
    fitted = fit(widths, room)

    assert sum(fitted) <= max(room, LEAST * len(widths))
    assert all(
        min(wide, LEAST) <= narrow <= wide for wide, narrow in zip(widths, fitted, strict=True)
    )


def test_table_aligns() -> None:
    """Columns are as wide as their widest cell; numbers stand at the right."""
    rows = [("name", "n"), ("漢字", "10")]

    assert table(rows, right=frozenset({1})) == ["name   n", "漢字  10"]
