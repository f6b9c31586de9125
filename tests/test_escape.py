"""Foreign text leaves harmless, wherever it goes."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from provisioner.escape import command, json_text, markdown, plain, prose

NASTY = st.text(
    st.one_of(
        st.sampled_from(
            "\x1b\x9b\n\r\t\x00\x7f\u202e\u2066\u200b\u2028\ufeff\ud800\u3164|`<>@#:[]()!*_~\\%"
        ),
        st.characters(),
    )
)
COMMAND = re.compile(r"^\s*::[A-Za-z]|##\w*\[", re.ASCII | re.MULTILINE)
TABLES = MarkdownIt("commonmark").enable("table")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b1m", r"\x9b1m"),
        ("user\u202egpj.exe", r"user\u202egpj.exe"),
        ("a\u200bb", r"a\u200bb"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("\u3164", r"\u3164"),
        ("\U000e0041", r"\U000e0041"),
        ("::set-output name=x::y", r"\x3a\x3aset-output name=x\x3a\x3ay"),
        ("##vso[task.complete]", r"\x23\x23vso[task.complete]"),
        ("grüße, 漢字", "grüße, 漢字"),
        ("C:\\manual.md", "C:\\manual.md"),
    ],
)
def test_plain(text: str, shown: str) -> None:
    """What cannot be seen, or would act, is spelled out; the rest stays as it is."""
    assert plain(text) == shown


@given(NASTY)
def test_plain_is_one_visible_line(text: str) -> None:
    """Any text becomes one printable line without a command."""
    shown = plain(text)

    assert shown.isprintable()
    assert not COMMAND.search(shown)
    assert plain(shown) == shown


@given(NASTY)
def test_command_has_nothing_to_decode(text: str) -> None:
    """A runner that decodes the message of a command gets the visible text, not more."""
    said = command(text)
    decoded = said.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")

    assert decoded == plain(text)


@given(NASTY, NASTY)
def test_markdown_stays_in_its_cell(one: str, other: str) -> None:
    """Two hostile texts in a row of a table are two cells, each a code span or empty."""
    tokens = TABLES.parse(f"| a | b |\n|---|---|\n| {markdown(one)} | {markdown(other)} |\n")
    cells = [token for token in tokens if token.type == "inline"][2:]

    assert sum(token.type == "tr_open" for token in tokens) == 2
    assert len(cells) == 2
    for cell in cells:
        assert [child.type for child in cell.children or ()] in ([], ["code_inline"])


@given(NASTY)
def test_prose_does_nothing(text: str) -> None:
    """A sentence is plain words or a code span, never markup."""
    tokens = TABLES.parse(f"x {prose(text)} x")
    kinds = {child.type for token in tokens for child in token.children or ()}

    assert kinds <= {"text", "code_inline"}


@pytest.mark.parametrize(
    "text",
    [
        "@someone",
        "#12",
        "gh-12",
        "see www.example.org",
        "a deadbeef commit",
        ":tada:",
        "x@y.z",
        "1.",
    ],
)
def test_prose_fences_what_a_forge_would_link(text: str) -> None:
    """Mentions, references, commits, addresses and emoji are put into code spans."""
    assert prose(text) == f"`{text}`"


def test_prose_leaves_plain_sentences_alone() -> None:
    """Our own sentences read as sentences."""
    sentence = "not there yet; same content as old-faq, ttl 6h → 12h"

    assert prose(sentence) == sentence


@given(st.dictionaries(st.text(), st.text() | st.integers(0, 2**53) | st.none()))
def test_json_means_the_same(document: dict[str, str | int | None]) -> None:
    """Escaped or not, JSON reads back as what it was."""
    assert json.loads(json_text(document)) == document


@given(NASTY, NASTY)
def test_json_can_be_printed(key: str, value: str) -> None:
    """Nothing in JSON acts on a terminal or a runner, in keys neither."""
    text = json_text({key: [value]})

    assert text.replace("\n", "").isprintable()
    assert not COMMAND.search(text)
    assert len(text.splitlines()) == 5


def test_json_has_no_lone_surrogates() -> None:
    """Half a character, which strict readers refuse, becomes the sign for that."""
    assert json.loads(json_text(["a\ud800b"])) == ["a\ufffdb"]
