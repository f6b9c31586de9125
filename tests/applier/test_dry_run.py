"""What applying would call is what applying calls."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from provisioner.applier import dry_run
from provisioner.model.attributes import Settings, Ttl, Until
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Forget,
    Keep,
    Leave,
    Note,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.facts import Call
from provisioner.planner import decision_table as table
from tests.builders import HOUR, NOW, annotation, desired, live, recorded, retiring

A = desired("a")
FIXED = desired("a", life=Until(NOW + 9 * HOUR))
EDITED = desired("a", "y")
AT_ONCE = recorded(A, settings=Settings(retire_after=timedelta()))
OWN = live(A)
DYING = live(A, expires_at=NOW + HOUR / 2)
LAST_HOUR = live(A, expires_at=NOW + HOUR)
TWIN = live(EDITED, "cachedContents/2")
MAKE = Call(method="POST", path="cachedContents", life=Ttl(6 * HOUR))
RETIRE = Call(method="PATCH", path=OWN.id, life=Ttl(HOUR))
END = Call(method="DELETE", path=OWN.id)


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        (Create(A, None, Reason.NEW, table.NOTHING_ALIVE), [MAKE]),
        (
            Create(FIXED, None, Reason.NEW, table.NOTHING_ALIVE),
            [Call(method="POST", path="cachedContents", life=FIXED.life)],
        ),
        (Replace(EDITED, OWN, recorded(A), Reason.CONTENT, table.OUTDATED), [MAKE, RETIRE]),
        (Replace(EDITED, OWN, AT_ONCE, Reason.CONTENT, table.OUTDATED), [MAKE, END]),
        (Replace(EDITED, DYING, recorded(A), Reason.CONTENT, table.OUTDATED), [MAKE]),
        (
            Adopt(EDITED, TWIN, OWN, recorded(A), Reason.CONTENT, table.TWIN),
            [Call(method="PATCH", path=TWIN.id, life=Ttl(6 * HOUR)), RETIRE],
        ),
        (
            Refresh(A, OWN, recorded(A), Reason.EXPIRING, table.DUE),
            [Call(method="PATCH", path=OWN.id, life=Ttl(6 * HOUR))],
        ),
        (Note(A, OWN, recorded(A), Reason.SETTINGS, table.SETTINGS), []),
        (Keep(A, OWN, recorded(A), Reason.CURRENT, table.UNCHANGED), []),
        (Annotate(annotation("a"), OWN, recorded(A), Reason.PROVIDER, table.ANNOTATION), [RETIRE]),
        (Retire(OWN, recorded(A), Reason.UNDECLARED, table.UNDECLARED), [RETIRE]),
        (Retire(LAST_HOUR, recorded(A), Reason.UNDECLARED, table.UNDECLARED), []),
        (Delete(OWN, None, Reason.STRAY, table.STRAY), [END]),
        (Forget(recorded(A), Reason.UNDECLARED, table.UNDECLARED_GONE), []),
        (Blocked(A, OWN, None, Reason.IMPORTED, "no", table.NOT_ADOPTABLE), []),
        (Leave(OWN, retiring(A), Reason.RETIRING, table.RETIRING), []),
    ],
)
def test_calls(change: Change, calls: list[Call]) -> None:
    """Methods, paths and lives, in their order; what needs no call has none."""
    assert asyncio.run(dry_run(change, at=NOW)) == tuple(calls)
