"""A change knows its name, its provider, its live cache and whether it changes something."""

from __future__ import annotations

from typing import get_args

import pytest

from provisioner.model.attributes import Label
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
    Move,
    Note,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.planner import decision_table as table
from tests.builders import annotation, desired, live, noted, recorded, retiring

A, NOTE = desired("a"), annotation("n")
OWN, TWIN = live(A), live(A, "cachedContents/2")
ELSEWHERE = desired("a", provider="gemini-b")
UNLABELLED = live(A, "cachedContents/3", label=None)
LABELLED = live(A, "cachedContents/4", label=Label("demo", "labelled", "0" * 16))
UNDECLARED, RETIRING, STRAY = Reason.UNDECLARED, Reason.RETIRING, Reason.STRAY

CHANGES: list[tuple[Change, str, str, str | None, str | None, bool]] = [
    (Create(A, None, Reason.NEW, table.NOTHING_ALIVE), "a", "gemini", None, None, True),
    (
        Replace(ELSEWHERE, OWN, recorded(A), Reason.PROVIDER, table.OUTDATED),
        *("a", "gemini-b", OWN.id, OWN.id, True),
    ),
    (
        Adopt(A, TWIN, OWN, recorded(A), Reason.CONTENT, table.TWIN),
        *("a", "gemini", TWIN.id, OWN.id, True),
    ),
    (
        Refresh(A, OWN, recorded(A), Reason.EXPIRING, table.DUE),
        *("a", "gemini", OWN.id, None, True),
    ),
    (Note(A, OWN, recorded(A), Reason.SETTINGS, table.SETTINGS), "a", "gemini", OWN.id, None, True),
    (
        Annotate(NOTE, OWN, recorded(A), Reason.PROVIDER, table.ANNOTATION),
        *("n", "claude", OWN.id, OWN.id, True),
    ),
    (
        Keep(NOTE, None, noted(NOTE), Reason.CURRENT, table.ANNOTATED),
        *("n", "claude", None, None, False),
    ),
    (Move("new", recorded(A), Reason.MOVED, table.MOVED), "new", "gemini", None, None, True),
    (
        Retire(OWN, recorded(A), UNDECLARED, table.UNDECLARED),
        *("a", "gemini", OWN.id, None, True),
    ),
    (
        Delete(LABELLED, None, STRAY, table.STRAY),
        *("labelled", "gemini", LABELLED.id, None, True),
    ),
    (Forget(recorded(A), UNDECLARED, table.UNDECLARED_GONE), "a", "gemini", None, None, True),
    (Forget(retiring(A), Reason.RETIRED, table.RETIRED), "a", "gemini", None, None, False),
    (Leave(OWN, retiring(A), RETIRING, table.RETIRING), "a", "gemini", OWN.id, None, False),
    (
        Leave(UNLABELLED, None, STRAY, table.STRAY),
        *(UNLABELLED.id, "gemini", UNLABELLED.id, None, False),
    ),
    (
        Blocked(None, OWN, recorded(A), UNDECLARED, "protected", table.UNDECLARED_PROTECTED),
        *("a", "gemini", OWN.id, None, False),
    ),
]


@pytest.mark.parametrize(("change", "name", "provider", "live_id", "old_id", "pending"), CHANGES)
def test_what_it_is_about(
    change: Change,
    name: str,
    provider: str,
    live_id: str | None,
    old_id: str | None,
    pending: bool,  # noqa: FBT001  # the last column
) -> None:
    """Its name and provider, the live cache that it looks at and the one that it ends."""
    assert (change.name, change.provider) == (name, provider)
    assert (change.live and change.live.id, change.old and change.old.id) == (live_id, old_id)
    assert change.is_pending is pending


def test_facts_of_a_type() -> None:
    """Each type has a verb and a symbol of its own, and only what acts makes something."""
    kinds: tuple[type[Change], ...] = get_args(Change)

    assert {type(change) for change, *_ in CHANGES} == set(kinds)
    assert len({kind.verb for kind in kinds}) == len({kind.symbol for kind in kinds}) == len(kinds)
    assert all(kind.acts for kind in kinds if kind.makes)
