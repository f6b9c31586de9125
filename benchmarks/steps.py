"""
The steps that are measured, each the same for everybody who can take it.

A contestant is a function: given an empty folder and a number of caches, records or
resources, it lives through one life of a stack and says what each step cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks.measure import Cost


class Step(Enum):
    VALIDATE = "validate"
    PLAN_SAME = "plan, nothing to do"
    PLAN_TENTH = "plan, a tenth edited"
    APPLY_ALL = "apply, all new"
    APPLY_TENTH = "apply, a tenth edited"


Contestant: TypeAlias = Callable[[Path, int], Iterator[tuple[Step, Cost]]]


def life(contestant: Contestant, count: int) -> Sequence[tuple[Step, Cost]]:
    """One life of *contestant*, in a folder that is gone afterwards."""
    with TemporaryDirectory() as place:
        return list(contestant(Path(place) / "stack", count))
