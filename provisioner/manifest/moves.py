"""
Old names of caches and their new ones, as the manifest tells them.

Each old name has one new name, and that is the one it has today: who renames again writes
the last name to all old ones.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

from provisioner.errors import Problem
from provisioner.manifest.source_map import Document, Place


def moves_of(
    main: Document, here: Collection[str], elsewhere: Iterable[str], problems: list[Problem]
) -> tuple[tuple[str, str], ...]:
    """
    The moves to caches that are declared *here*; what is wrong goes to *problems*.

    A move to a cache that is declared *elsewhere*, in another environment, is none here.
    """
    said: Any = main.root.get("moved", [])
    known = {*here, *elsewhere} if said else here
    problems += _wrong(said, Place(main, ("moved",)), here, known)
    return tuple((one["from"], one["to"]) for one in said if one["to"] in here)


def _wrong(
    said: Sequence[Mapping[str, str]],
    place: Place,
    here: Container[str],
    known: Container[str],
) -> Iterator[Problem]:
    first: dict[str, Place] = {}
    for at, one in enumerate(said):
        old = place / at / "from"
        if first.setdefault(one["from"], old) is not old:
            address = first[one["from"]].address
            yield old.problem(f"{one['from']} is moved twice; also at {address}")
        if one["from"] in here:
            yield old.problem(f"{one['from']} is still declared, so it has not moved")
    for at, one in enumerate(said):
        new = place / at / "to"
        if one["to"] in first:
            address = first[one["to"]].address
            yield new.problem(f"{one['to']} has moved on, at {address}: write its name of today")
        elif one["to"] not in known:
            yield new.problem(f"{one['to']} is not declared")
