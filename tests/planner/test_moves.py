"""Records under new names, and plans that know of it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.planner import moved
from tests.builders import annotation, desired, noted, recorded, retiring, state

A, B = recorded(desired("a")), recorded(desired("b"), "cachedContents/2")

_PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), max_size=4)


@pytest.mark.parametrize(
    ("names", "pairs", "after"),
    [
        ("a", [("a", "new")], ["new"]),
        ("ab", [("a", "new")], ["new", "b"]),
        ("ab", [("a", "new"), ("b", "more")], ["new", "more"]),
        ("ab", [("a", "b")], ["a", "b"]),
        ("ab", [("a", "new"), ("b", "new")], ["new", "b"]),
        ("b", [("a", "new")], ["b"]),
        ("", [("a", "new")], []),
        ("a", [], ["a"]),
    ],
)
def test_names(names: str, pairs: list[tuple[str, str]], after: list[str]) -> None:
    """What is on record moves if its new name is free; nothing else does, and none is lost."""
    before = state(*(record for record in (A, B) if record.name in names))

    found = moved(before, pairs)

    assert list(found.caches) == after
    assert [record.name for record in found.caches.values()] == after


def test_the_rest_stays() -> None:
    """Only the name of a record changes, and of what retires under it."""
    old = retiring(desired("a"))
    found = moved(state(A, noted(annotation("n")), retiring=[old]), [("a", "b"), ("n", "m")])

    assert found == state(
        recorded(desired("a"), name="b"),
        noted(annotation("n"), name="m"),
        retiring=[retiring(desired("a"), name="b")],
    )


@given(pairs=_PAIRS)
def test_nothing_is_lost(pairs: list[tuple[str, str]]) -> None:
    """No record is lost by moving, whatever the pairs."""
    before = state(A, B)
    after = moved(before, pairs)

    assert [replace(r, name="") for r in after.caches.values()] == [
        replace(r, name="") for r in before.caches.values()
    ]
    assert all(name == record.name for name, record in after.caches.items())
