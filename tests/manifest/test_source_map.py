"""Values remember where they stood."""

from __future__ import annotations

import json
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from provisioner.errors import Problem
from provisioner.manifest.reader import read_document
from provisioner.manifest.source_map import PathStep, Place, YamlValue, did_you_mean, shown, where

KEYS = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
TREES: st.SearchStrategy[YamlValue] = st.recursive(
    st.integers(0, 99) | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
DOCUMENT = read_document("ctxprov.yaml", b"a:\n  b: [x, {c: 1}]\n")


def test_place() -> None:
    """A problem stands at its key, or at its element of a list."""
    place = Place(DOCUMENT, ("a",)) / "b" / 1

    assert place.problem("is odd") == Problem("ctxprov.yaml", 2, 10, "a.b[1]", "is odd")
    assert (place / "c").problem("is odd") == Problem("ctxprov.yaml", 2, 11, "a.b[1].c", "is odd")


def test_missing_key() -> None:
    """A problem with a key that is not there stands at the key above it."""
    place = Place(DOCUMENT, ("a", "d", "e"))

    assert place.problem("is missing") == Problem("ctxprov.yaml", 1, 1, "a.d.e", "is missing")
    assert not Place(DOCUMENT, ("a",)).has("d")
    assert Place(DOCUMENT, ("a",)).has("b")


def test_where() -> None:
    """A path reads as people write it, and an odd key cannot act."""
    assert where(["caches", "a-b", "content", 2, "file"]) == "caches.a-b.content[2].file"
    assert where(["caches", "\x1b[31m", ""]) == r"caches.'\x1b[31m'.''"


def test_shown() -> None:
    """A value is named in a few harmless words."""
    words: dict[str, YamlValue] = {
        "'x'": "x",
        r"'\x1b\n'": "\x1b\n",
        "12": 12,
        "1.5": 1.5,
        "true": True,
        "nothing": None,
        "a list": [1],
        "keys and values": {"a": 1},
    }

    assert {shown(value) for value in words.values()} == set(words)
    assert len(shown("x" * 1000)) < 70


def paths(value: YamlValue, above: tuple[PathStep, ...] = ()) -> Iterator[tuple[PathStep, ...]]:
    """Every path below *value*, in the order of the text."""
    match value:
        case dict():
            pairs: list[tuple[PathStep, YamlValue]] = list(value.items())
        case list():
            pairs = list(enumerate(value))
        case _:
            return
    for step, inner in pairs:
        yield (*above, step)
        yield from paths(inner, (*above, step))


@given(st.dictionaries(KEYS, TREES, min_size=1, max_size=3))
def test_every_place(root: dict[str, YamlValue]) -> None:
    """Every key and element stands where its text begins, in the order of the text."""
    text = json.dumps(root, indent=1)
    document = read_document("f", text.encode())
    lines = text.splitlines()
    positions = []
    for path in paths(root):
        problem = Place(document, path).problem("is odd")
        begins = lines[problem.line - 1][problem.column - 1 :]
        positions.append((problem.line, problem.column))
        assert problem.where == where(path)
        assert not isinstance(path[-1], str) or begins.startswith(f'"{path[-1]}":')

    assert positions == sorted(set(positions))


def test_guesses() -> None:
    """A guess is close to what was written, in any case of its letters; else there is none."""
    assert did_you_mean("TLL", ["ttl", "model"]) == "; did you mean ttl?"
    assert did_you_mean("colour", ["ttl", "model"]) == ""
    assert did_you_mean(12, ["12"]) == ""
