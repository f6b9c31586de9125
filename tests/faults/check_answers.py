"""Answers of creates that get lost at any byte, and servers that are not what they should be."""

from __future__ import annotations

import pytest

from tests.faults.answers import (
    at_every_byte,
    on_a_bench,
    one_cache,
    one_cache_behind,
    servers,
    while_looking,
)
from tests.faults.wire import Late


def test_the_wire_breaks_anywhere() -> None:
    """At whichever byte a create or its answer is cut off, one cache is made."""
    assert all(runs > 100 for runs in on_a_bench(at_every_byte).values())


def test_the_list_breaks_anywhere() -> None:
    """If the LIST that looks for a lost cache breaks off as well, one cache is made."""
    assert on_a_bench(while_looking) > 300


@pytest.mark.parametrize("name", servers())
def test_a_faulty_server(name: str) -> None:
    """One cache is made, however a server treats one create."""
    on_a_bench(lambda bench: one_cache_behind(bench, servers()[name]()))


def test_an_answer_too_late() -> None:
    """A server that carries a create out as its client gives up makes one cache."""
    assert on_a_bench(lambda bench: one_cache(bench, Late()))
