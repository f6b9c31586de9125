"""What applying would call is what applying calls."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from provisioner.applier import rehearse
from provisioner.model import (
    Adopt,
    Annotate,
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
    Settings,
    Ttl,
    Until,
)
from provisioner.model.explanation import Call
from tests.builders import HOUR, NOW, annotation, desired, live, recorded, retiring

A = desired("a")
FIXED = desired("a", life=Until(NOW + 9 * HOUR))
EDITED = desired("a", "y")
AT_ONCE = recorded(A, settings=Settings(retire_after=timedelta()))
OWN = live(A)
DYING = live(A, expires_at=NOW + HOUR / 2)
TWIN = live(EDITED, "cachedContents/2")
MAKE = Call(method="POST", path="cachedContents", life=Ttl(6 * HOUR))
RETIRE = Call(method="PATCH", path=OWN.id, life=Ttl(HOUR))
END = Call(method="DELETE", path=OWN.id)


@pytest.mark.parametrize(
    ("change", "calls"),
    [
        (Create(A, None, Reason.NEW), [MAKE]),
        (
            Create(FIXED, None, Reason.NEW),
            [Call(method="POST", path="cachedContents", life=FIXED.life)],
        ),
        (Replace(EDITED, OWN, recorded(A), Reason.CONTENT), [MAKE, RETIRE]),
        (Replace(EDITED, OWN, AT_ONCE, Reason.CONTENT), [MAKE, END]),
        (Replace(EDITED, DYING, recorded(A), Reason.CONTENT), [MAKE]),
        (
            Adopt(EDITED, TWIN, OWN, recorded(A), Reason.CONTENT),
            [Call(method="PATCH", path=TWIN.id, life=Ttl(6 * HOUR)), RETIRE],
        ),
        (
            Refresh(A, OWN, recorded(A), Reason.EXPIRING),
            [Call(method="PATCH", path=OWN.id, life=Ttl(6 * HOUR))],
        ),
        (Note(A, OWN, recorded(A), Reason.SETTINGS), []),
        (Keep(A, OWN, recorded(A), Reason.CURRENT), []),
        (Annotate(annotation("a"), OWN, recorded(A), Reason.PROVIDER), [RETIRE]),
        (Retire(OWN, recorded(A), Reason.UNDECLARED), [RETIRE]),
        (Delete(OWN, None, Reason.STRAY), [END]),
        (Forget(recorded(A), Reason.UNDECLARED), []),
        (Leave(OWN, retiring(A), Reason.RETIRING), []),
    ],
)
def test_calls(change: Change, calls: list[Call]) -> None:
    """Methods, paths and lives, in their order; what needs no call has none."""
    assert asyncio.run(rehearse(change, at=NOW)) == tuple(calls)
