"""
How many caches a stack may have once it is expanded.

A few lines of a request can declare many: an `each` over the folders of a repository makes
50,000 caches out of 17 kB.  So there is a limit, which no manifest can raise: only the command
line does, for as long as its command runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

USUAL = 1_000
"""Caches of one stack, where the command line gives no other number."""

_MOST: ContextVar[int] = ContextVar("caches of a stack", default=USUAL)


@contextmanager
def at_most(count: int) -> Iterator[None]:
    """Let a stack have *count* caches until the block ends."""
    before = _MOST.set(count)
    try:
        yield
    finally:
        _MOST.reset(before)


def most_caches() -> int:
    """How many caches a stack may have now."""
    return _MOST.get()
