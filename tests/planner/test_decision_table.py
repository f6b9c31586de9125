"""A row of the table says which verbs and reasons may stand with it."""

from __future__ import annotations

import pytest

from provisioner.model import Blocked, Change, Move, Reason
from provisioner.planner import decision_table as table
from tests.builders import desired, recorded
from tests.planner.test_table import DECLARED, FORCED, REST

CHANGES = [
    *((name, change) for name, *_, change in (*DECLARED, *FORCED)),
    *((name, change) for name, *_, changes in REST for change in changes),
    ("moved", Move("b", recorded(), Reason.MOVED, table.MOVED)),
    ("held", Blocked(desired(), None, recorded(), Reason.MISSING, "held", table.DISAPPEARED)),
]

EDITED = "PROVIDER MODEL CONTENT LIFE SETTINGS"
REASONS = {
    "create": f"{EDITED} EXPIRED MISSING NEW IMPORTED REQUESTED",
    "replace": f"{EDITED} REQUESTED",
    "adopt": f"{EDITED} EXPIRED MISSING IMPORTED FOUND",
    "refresh": "LIFE SETTINGS SHORTENED EXPIRING",
    "note": "SETTINGS",
    "annotate": f"{EDITED} NEW",
    "keep": "CURRENT ENDED",
    "move": "MOVED",
    "retire": "UNDECLARED RETIRING",
    "delete": "UNDECLARED STRAY",
    "forget": "UNDECLARED RETIRED",
    "leave": "RETIRING STRAY",
    "blocked": f"{EDITED} IMPORTED MISSING UNDECLARED",
}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES])
def test_verb_and_reason(change: Change) -> None:
    """The row of a change allows its verb and its reason."""
    assert change.verb in change.row.verbs
    assert change.reason in change.row.reasons


def test_every_row() -> None:
    """Every row stands in the list of rows once, and leads to a change of the tables by hand."""
    assert {change.row.id for _, change in CHANGES} == {row.id for row in table.ROWS}
    assert len({row.id for row in table.ROWS}) == len(table.ROWS)


def test_reasons() -> None:
    """Each verb may stand with the reasons of its rows, and with no others."""
    names = {verb: {reason.name for reason in reasons} for verb, reasons in table.REASONS.items()}

    assert names == {verb: set(reasons.split()) for verb, reasons in REASONS.items()}
