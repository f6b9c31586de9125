"""Values remember where they stood."""

from __future__ import annotations

from provisioner.errors import Problem
from provisioner.manifest.reader import read_document
from provisioner.manifest.source_map import Place, Value, shown, where

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
    words: dict[str, Value] = {
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
