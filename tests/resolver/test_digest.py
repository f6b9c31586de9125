"""The digest changes with everything that matters, and with nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.cache import InlinePart, Json, TextPart, UriPart
from provisioner.resolver.digest import Marks, digest_of, part_mark

BASE: Mapping[str, Any] = {
    "parts": [part_mark(TextPart("a")), part_mark(TextPart("b"))],
}


def digest(provider: str = "gemini", model: str = "m", **marks: Any) -> str:  # noqa: ANN401  # all that a digest is made of
    return digest_of(provider, model, Marks(**{**BASE, **marks}))


def test_pinned() -> None:
    """The encoding never changes by accident: live caches are known by it."""
    whole = digest(
        parts=[
            part_mark(TextPart("ä")),
            part_mark(InlinePart("image/png", b"\x00")),
            part_mark(UriPart("text/csv", "gs://a/b")),
        ],
        system_instruction=part_mark(TextPart("s")),
        tools=[{"b": 1.5, "a": [None, True, False, -3, 2.0]}],
        tool_config={"mode": "ANY"},
        revision="2",
    )

    assert whole == "fc2d01a6bfa50e93c836590add679b71b4221790fce05f0f684de448919bca14"


def test_everything_counts() -> None:
    """Each thing that makes a cache makes a digest of its own."""
    text = part_mark(TextPart("a"))
    variants = [
        digest(),
        digest(provider="claude"),
        digest(model="n"),
        digest(parts=[]),
        digest(parts=[text]),
        digest(parts=[part_mark(TextPart("ab"))]),
        digest(parts=[part_mark(TextPart("b")), text]),
        digest(parts=[part_mark(InlinePart("text/plain", b"a"))]),
        digest(parts=[part_mark(InlinePart("text/csv", b"a"))]),
        digest(parts=[part_mark(UriPart("text/plain", "gs://a"))]),
        digest(parts=[part_mark(UriPart("text/plain", "gs://b"))]),
        digest(parts=[text], system_instruction=text),
        digest(system_instruction=text),
        digest(tools=[{}]),
        digest(tools=[{"a": 1}]),
        digest(tools=[{"a": "1"}]),
        digest(tools=[{"a": True}]),
        digest(tools=[{"a": None}]),
        digest(tools=[{"a": [1, 2]}]),
        digest(tools=[{"a": [2, 1]}]),
        digest(tools=[{"a": [[1], 2]}]),
        digest(tools=[{"a": 1.5}]),
        digest(tools=[{}, {}]),
        digest(tool_config={}),
        digest(tool_config={"a": 1}),
        digest(revision="1"),
        digest(revision="2"),
    ]

    assert len(set(variants)) == len(variants)


JSON: st.SearchStrategy[Json] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
TOOLS = st.dictionaries(st.text(max_size=3), JSON, max_size=4)


def reversed_keys(value: Json) -> Json:
    match value:
        case Mapping():
            return {key: reversed_keys(value[key]) for key in reversed(list(value))}
        case list():
            return [reversed_keys(inner) for inner in value]
        case _:
            return value


@given(TOOLS)
def test_key_order(tool: dict[str, Json]) -> None:
    """The order of keys does not count."""
    assert digest(tools=[tool]) == digest(tools=[reversed_keys(tool)])


@given(TOOLS, TOOLS)
def test_different_tools(one: dict[str, Json], other: dict[str, Json]) -> None:
    """Tools that differ in JSON differ in the digest, and no others do."""
    same = typed(one) == typed(other)

    assert (digest(tools=[one]) == digest(tools=[other])) is same


def typed(value: Json) -> object:
    """JSON in which true is not 1."""
    match value:
        case bool():
            return ("bool", value)
        case Mapping():
            return {key: typed(inner) for key, inner in value.items()}
        case list():
            return [typed(inner) for inner in value]
        case _:
            return value


@pytest.mark.parametrize("spell", [int, float], ids=["int", "float"])
def test_whole_numbers(spell: Callable[[int], float]) -> None:
    """1 and 1.0 are the same number in JSON."""
    assert digest(tools=[{"a": spell(3)}]) == digest(tools=[{"a": 3}])


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_parts(one: list[str], other: list[str]) -> None:
    """Two lists of texts have one digest only if they are one list."""
    marks = [[part_mark(TextPart(text)) for text in texts] for texts in (one, other)]

    assert (digest(parts=marks[0]) == digest(parts=marks[1])) is (one == other)


def test_text_mark() -> None:
    """A text counts by the SHA-256 of its UTF-8, so a file can be hashed in a stream."""
    assert part_mark(TextPart("ä")) == b"t" + sha256("ä".encode()).digest()
