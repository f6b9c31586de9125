"""A change names the row of the table it comes from, as the table spells it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from provisioner import planner
from provisioner.model import Change, Move, Reason
from provisioner.planner import row
from tests.builders import recorded
from tests.planner.test_table import DECLARED, FORCED, REST

CHANGES = [
    *((name, change) for name, *_, change in (*DECLARED, *FORCED)),
    *((name, change) for name, *_, changes in REST for change in changes),
    ("moved", Move("b", recorded(), Reason.MOVED)),
]


def table() -> Iterator[tuple[str, str]]:
    """What holds and what it leads to, for each row of the tables that choose a change."""
    for paragraph in (planner.__doc__ or "").split("\n\n"):
        head, _, body = paragraph.partition("\n")
        if re.search(r"\bchange\b", head) and (rule := re.match(r" +-+ +", body)):
            for lines in re.split(r"\n(?=    \S)", body)[1:]:
                cells = [(line[: rule.end()], line[rule.end() :]) for line in lines.split("\n")]
                held, led = (" ".join(" ".join(part).split()) for part in zip(*cells, strict=True))
                yield held, led


TABLE = dict(table())


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES])
def test_the_table_has_the_row(change: Change) -> None:
    """Its words stand in the table, and lead to the change."""
    assert type(change).__name__ in TABLE[row(change)]


def test_every_row_is_told() -> None:
    """No row of the table is without a change that names it."""
    told = {row(change) for _, change in CHANGES}

    assert told == {held for held, led in TABLE.items() if led != "no row"}
