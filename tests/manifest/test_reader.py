"""YAML becomes plain values or one clear problem."""

from __future__ import annotations

import tracemalloc

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from yaml.error import MarkedYAMLError

from provisioner.errors import ManifestError, Problem
from provisioner.manifest.reader import read_document, syntax_problem
from provisioner.manifest.source_map import YamlValue

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, after in zip("abcdefghij", "bcdefghijk", strict=True)
)
QUADRATIC = f"a: &a [{'x, ' * 5000}]\nb: [{'*a, ' * 5000}]\n"


def read(text: str) -> dict[str, YamlValue]:
    return read_document("f", text.encode()).root


def complaint(raw: bytes) -> str:
    with pytest.raises(ManifestError) as caught:
        read_document("f", raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("~", None),
        ("", None),
        ("true", True),
        ("FALSE", False),
        ("yes", "yes"),
        ("off", "off"),
        ("12", 12),
        ("-3", -3),
        ("0", 0),
        ("007", "007"),
        ("0x1f", "0x1f"),
        ("1_000", "1_000"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        ("9" * 40, "9" * 40),
        ("2026-12-24", "2026-12-24"),
        ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
        ("12:30:45", "12:30:45"),
        ("'12'", "12"),
        ('"null"', "null"),
        ("!!str 12", "12"),
        ("[]", []),
        ("{}", {}),
    ],
)
def test_scalars(text: str, value: YamlValue) -> None:
    """Plain scalars are null, bool, int or text; nothing else is guessed."""
    assert read(f"k: {text}\n") == {"k": value}


@pytest.mark.parametrize("key", ["calls_per_hour", "tools", "tool_config"])
def test_fractions(key: str) -> None:
    """A fraction is a number below the keys of a cache that hold numbers or JSON, only there."""
    text = f"caches: {{tools: {{{key}: [0.5, -1e3, .5, 1e999, x], revision: 1.10}}}}"

    assert read(text) == {
        "caches": {"tools": {key: [0.5, -1000.0, 0.5, "1e999", "x"], "revision": "1.10"}}
    }


def test_keys_are_text() -> None:
    """A key is text, also if it looks like a number."""
    assert read("1: a\ntrue: b\nnull: c\n") == {"1": "a", "true": "b", "null": "c"}


def test_aliases() -> None:
    """An alias stands for what it names."""
    assert read("a: &x {b: 1}\nc: *x\nd: [*x, &y 2, *y]\n") == {
        "a": {"b": 1},
        "c": {"b": 1},
        "d": [{"b": 1}, 2, 2],
    }


def test_merge() -> None:
    """`<<` adds what is not there: own keys win, then earlier layers; places come along."""
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc:\n  <<: [*a, *b]\n  x: 9\nd: {<<: *b}\n"
    document = read_document("f", text.encode())

    assert document.root["c"] == {"x": 9, "y": 2, "z": 4}
    assert document.root["d"] == {"y": 3, "z": 4}
    assert document.address(["c", "x"]) == "f:5:3"
    assert document.address(["c", "z"]) == "f:2:14"


def test_quoted_merge() -> None:
    """A quoted `<<` is a key like others."""
    assert read('a: {"<<": 1}') == {"a": {"<<": 1}}


def test_byte_order_mark() -> None:
    """A byte order mark is no part of the first key."""
    assert read_document("f", b"\xef\xbb\xbfa: 1\n").root == {"a": 1}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "f:1:1: is empty; a manifest begins with 'version: 1' and 'stack: NAME'"),
        (b"null\n", "f:1:1: is empty; a manifest begins with 'version: 1' and 'stack: NAME'"),
        (b"--- # x\n", "f:2:1: is empty; a manifest begins with 'version: 1' and 'stack: NAME'"),
        (b"- a\n", "f:1:1: must be keys and values, not a list"),
        (b"a: 1\n---\nb: 2\n", "f:2:1: a manifest is one document: remove this '---'"),
        (b"a:\n\tb: 1\n", "f:2:1: a tab indents this line: YAML takes spaces only"),
        (
            b"a: b: c\n",
            (
                "f:1:5: a ':' stands where none is expected: check the indentation above, "
                "or put the text in quotes"
            ),
        ),
        (b"a: 1\nb\nc: 2\n", "f:3:1: a key is not followed by ': '"),
        (b"a: 'x\n", "f:1:4: a quote is never closed"),
        (b"a: [1, 2\nb: 3\n", "f:1:4: a list in brackets lacks a ',' or its ']'"),
        (b"a: @x\n", "f:1:4: this character cannot begin a value: put the text in quotes"),
        (b"%X\n---\na: 1\n", "f:1:3: is not YAML: found unknown directive name"),
        (b"a: \xc3\xa9\xff\n", "f:1:5: is not UTF-8: save it as UTF-8"),
        (b"\xff\xfea", "f:1:1: begins as UTF-16 and breaks off: save it as UTF-8"),
        (b"a: 1\nb: \x07\n", "f:2:4: holds a control character, which YAML does not allow"),
        (b"a:\n  b: 1\n  b: 2\n", "f:3:3: a.b: is given twice; the first is in line 2"),
        (b"a: *x\n", "f:1:4: a: the alias 'x' names nothing that is complete before it"),
        (b"a: &x [*x]\n", "f:1:8: a[0]: the alias 'x' names nothing that is complete before it"),
        (b"? [a]\n: b\n", "f:1:3: a key must be plain text"),
        (b"<<: 1\n", "f:1:1: '<<': '<<' takes keys and values, or a list of such"),
        (
            b"a: !!python/object/apply:os.system [id]\n",
            (
                "f:1:4: a: the tag '!!python/object/apply:os.system' is refused: "
                "a manifest holds plain values, never code"
            ),
        ),
    ],
)
def test_bad_yaml(raw: bytes, message: str) -> None:
    """What is not a manifest's YAML is one problem, with its place and what to do."""
    assert complaint(raw) == message


def test_several_duplicates() -> None:
    """All duplicate keys of a file are reported at once."""
    assert complaint(b"a: 1\na: 2\nb: {c: 1, c: 2}\na: 3\n").splitlines() == [
        "f:2:1: a: is given twice; the first is in line 1",
        "f:3:11: b.c: is given twice; the first is in line 3",
        "f:4:1: a: is given twice; the first is in line 1",
    ]


def test_nesting() -> None:
    """Nesting ends long before it could hurt."""
    assert complaint(b"a: " + b"[" * 5000).endswith("nests deeper than 60 levels")


@pytest.mark.parametrize("bomb", [LAUGHS, QUADRATIC], ids=["laughs", "quadratic"])
def test_alias_bombs(bomb: str) -> None:
    """A document that would explode through aliases is refused in little memory."""
    tracemalloc.start()
    message = complaint(bomb.encode())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert message.endswith("aliases make this document explode: write it out")
    assert peak < 8_000_000


def test_honest_aliases() -> None:
    """Thousands of entries may share a base."""
    entries = "".join(f"e{i}: {{<<: *base, own: {i}}}\n" for i in range(20_000))
    root = read(f"base: &base {{{', '.join(f'k{i}: v' for i in range(10))}}}\n{entries}")

    assert len(root) == 20_001
    assert root["e7"] == {"own": 7, **{f"k{i}": "v" for i in range(10)}}


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b-c", "12", "tools", "Ä"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["a", "b", "c"]), PLAIN, min_size=1))
def test_round_trip(root: dict[str, YamlValue]) -> None:
    """What a YAML writer wrote is read back as it was."""
    text = yaml.safe_dump(root, allow_unicode=True)

    assert read_document("f", text.encode()).root == root


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@,?~ \n\t\\0.1<é\x00", max_size=40) | st.binary())
def test_any_bytes(text: str | bytes) -> None:
    """Any file is read, or refused with a place inside of it."""
    raw = text.encode() if isinstance(text, str) else text
    for problem in _problems(raw):
        assert 1 <= problem.line <= len(raw) + 1
        assert problem.column >= 1
        assert problem.message


def _problems(raw: bytes) -> tuple[Problem, ...]:
    try:
        read_document("f", raw)
    except ManifestError as error:
        return error.problems or (Problem("f", 0, 0, "", "no problem at all"),)
    return ()


def test_unheard_of_problem() -> None:
    """Words that we do not know are passed on, without a place if there is none."""
    assert syntax_problem(b"", MarkedYAMLError(problem="odd")) == (0, 0, "is not YAML: odd")
    assert syntax_problem(b"", MarkedYAMLError()) == (0, 0, "is not YAML: it cannot be read")


@pytest.mark.parametrize("text", [b"a:\n\tb: 1\n", b"a:\r\n \tb: 1\r\n"])
def test_tabs(text: bytes) -> None:
    """A tab in the indentation is the problem, not what libyaml made of it."""
    with pytest.raises(ManifestError, match="a tab indents this line"):
        read_document("f", text)
