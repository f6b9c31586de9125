"""
Another try after a failure that may pass: how often, and how far apart.

A policy is a value, so that a caller states its own in one line.  Which failures may pass is
the caller's decision, and its runtime waits.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

from msgspec import Struct

from provisioner.runtime import Runtime

_CallResult = TypeVar("_CallResult")

_MOST_DOUBLINGS = 60
"""Beyond that a pause is longer than any limit, and would overflow."""


class RetryPolicy(Struct, frozen=True, kw_only=True):
    """Up to *tries*; the pauses between them grow from *first* to *longest*, in seconds."""

    tries: int
    first: float
    longest: float
    factor: float = 2.0
    is_random: bool = False
    """Whether each pause is drawn from zero to that, so that two runs part."""

    def pause(self, failures: int, random: Random) -> float:
        """Seconds to wait after so many failures in a row, which is one at least."""
        grown = self.first * self.factor ** min(failures - 1, _MOST_DOUBLINGS)
        pause = min(grown, self.longest)
        return random.uniform(0, pause) if self.is_random else pause

    def run(
        self,
        call: Callable[[int], _CallResult],
        *,
        on: type[Exception],
        runtime: Runtime,
    ) -> _CallResult:
        """
        Call with the number of failures so far until it raises nothing, or another error.

        Raises the last error of the kind *on*.
        """
        for failures in range(self.tries - 1):
            try:
                return call(failures)
            except on:
                runtime.pause(self.pause(failures + 1, runtime.random))
        return call(self.tries - 1)
