"""Every change has a symbol, a tone, a heading and a sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import get_args

import pytest
from msgspec.structs import replace

from provisioner.escape import json_text
from provisioner.model.attributes import Ttl, Until
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Change,
    Create,
    Keep,
    Leave,
    Move,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.records import Desired, LiveCache, Recorded
from provisioner.planner import decision_table as table
from provisioner.planner import plan
from provisioner.view.plan_reader import read_plans
from provisioner.view.wording import (
    is_unmet,
    noteworthy,
    section,
    symbol,
    tone,
    why,
)
from tests.builders import (
    HOUR,
    NOW,
    STACK,
    annotation,
    desired,
    live,
    noted,
    recorded,
    retiring,
    state,
)
from tests.planner.test_decision_table import DECLARED, FORCED
from tests.render.fixtures import AT, PLAN, plan_of, view

A = desired("a")
ONE_DAY = desired("a", life=Ttl(24 * HOUR))
DATED = desired("a", life=Until(NOW + HOUR))
OTHER_MODEL = desired("a", model="gemini-4-pro")
SHORTENED = live(A, expires_at=NOW + 2 * HOUR)

SENTENCES: list[tuple[Change, str]] = [
    (Create(A, None, Reason.NEW, table.NOTHING_ALIVE), "not there yet"),
    (
        Create(A, recorded(A, expires_at=AT - HOUR), Reason.EXPIRED, table.NOTHING_ALIVE),
        "expired 1h ago",
    ),
    (
        Create(A, recorded(A, expires_at=AT + HOUR), Reason.MISSING, table.NOTHING_ALIVE),
        "gone 1h before its time",
    ),
    (Create(A, recorded(A), Reason.REQUESTED, table.NOTHING_ALIVE), "asked for by --replace"),
    (
        Create(A, noted(annotation("a")), Reason.PROVIDER, table.NOTHING_ALIVE),
        "provider claude → gemini, model claude-sonnet-5-5 → gemini-3.8-flash, ttl 1h → 6h",
    ),
    (
        Replace(OTHER_MODEL, live(A), recorded(A), Reason.MODEL, table.OUTDATED),
        "model gemini-3.8-flash → gemini-4-pro",
    ),
    (Refresh(ONE_DAY, live(A), recorded(A), Reason.LIFE, table.DUE), "ttl 6h → 1d"),
    (
        Refresh(DATED, live(A), recorded(A), Reason.LIFE, table.DUE),
        "ttl 6h → expires_at 2026-01-01T13:00:00Z",
    ),
    (Refresh(A, SHORTENED, recorded(A), Reason.SHORTENED, table.DUE), "cut short by 4h"),
    (Refresh(A, live(A), recorded(A), Reason.EXPIRING, table.DUE), "expires in 50m"),
    (Adopt(A, live(A), None, None, Reason.FOUND, table.TWIN), "found alive, not on record"),
    (
        Adopt(A, live(A, "cachedContents/x"), None, None, Reason.IMPORTED, table.TWIN),
        "takes over cachedContents/x",
    ),
    (
        Adopt(A, live(A), live(A, "2"), recorded(A, "2"), Reason.CONTENT, table.TWIN),
        "content changed; one that fits is alive",
    ),
    (Annotate(annotation("a"), None, None, Reason.NEW, table.ANNOTATION), "not there yet"),
    (
        Keep(DATED, None, None, Reason.ENDED, table.ENDED),
        "expires_at 2026-01-01T13:00:00Z has passed; nothing is created",
    ),
    (Keep(A, None, recorded(A), Reason.ENDED, table.ENDED), "has run out; keep: once"),
    (
        Retire(live(A), recorded(A), Reason.UNDECLARED, table.UNDECLARED),
        "no longer wanted; dies in 50m",
    ),
    (
        Retire(live(ONE_DAY), retiring(A), Reason.RETIRING, table.UNRETIRED),
        "still to be retired; dies in 1h",
    ),
    (Leave(live(A), retiring(A), Reason.RETIRING, table.RETIRING), "dies in 50m"),
    (
        Leave(live(A), None, Reason.STRAY, table.STRAY),
        "labelled as this stack's, not on record; --prune deletes it",
    ),
]


@pytest.mark.parametrize(("change", "sentence"), SENTENCES, ids=[text for _, text in SENTENCES])
def test_why(change: Change, sentence: str) -> None:
    """The sentence of a change has its numbers, as seen from the plan's moment."""
    assert why(change, AT) == sentence


@pytest.mark.parametrize(
    ("want", "records", "seen"),
    [pytest.param(*row[:3], id=name) for name, *row in (*DECLARED, *FORCED)],
)
def test_every_decision_has_a_sentence(
    want: Desired, records: list[Recorded], seen: list[LiveCache]
) -> None:
    """Every decision of the planner has a sentence, and reads back from JSON."""
    shown = view(plan([want], state(*records), seen, stack=STACK, now=NOW))

    assert all(row.why for row in shown.rows)
    assert read_plans(json_text(shown).encode(), where="plan.json") == (shown,)


def test_settings_are_shown_one_by_one() -> None:
    """Of the settings only those that differ are named, spelled as in a manifest."""
    note = next(change for change in PLAN.changes if change.reason is Reason.SETTINGS)

    assert why(note, AT) == "protect false → true, refresh_before 1h → 2h"


def test_no_edit_hides_behind_another() -> None:
    """An entry with several edits shows each, the reason first."""
    safe = replace(A, settings=replace(A.settings, protect=True))
    loose = replace(desired("a", "y"), life=Ttl(12 * HOUR), settings=A.settings)
    moved = replace(loose, model="gemini-2.5-pro")

    shown = [
        why(Replace(want, live(safe), recorded(safe), reason, table.OUTDATED), AT)
        for want, reason in ((loose, Reason.CONTENT), (moved, Reason.MODEL))
    ]
    assert shown == [
        "content changed, ttl 6h → 12h, protect true → false",
        "model gemini-3.8-flash → gemini-2.5-pro, ttl 6h → 12h, protect true → false",
    ]


def test_every_kind_of_change_has_its_words() -> None:
    """No kind of change is without symbol, tone, heading and past tense."""
    changes = (*PLAN.changes, Move("new", recorded(), Reason.MOVED, table.MOVED))

    assert {type(change) for change in changes} == set(get_args(Change))
    for change in changes:
        assert len(symbol(change.verb, section(change))) == 1
        assert tone(change.verb, section(change))
        assert section(change).heading


def test_a_wish_that_time_overtook_is_a_warning() -> None:
    """An entry whose expiry passed before its create is shown; one that ended is not."""
    never = Keep(DATED, None, None, Reason.ENDED, table.ENDED)
    changed = Keep(DATED, None, recorded(A), Reason.ENDED, table.ENDED)
    ended = Keep(A, None, recorded(A), Reason.ENDED, table.ENDED)

    assert [is_unmet(change) for change in (never, changed, ended)] == [True, True, False]
    assert noteworthy(plan_of(never, changed, ended)) == (never, changed)


def test_the_future_is_never_negative() -> None:
    """A cache that died between listing and planning dies in no time, not before."""
    dead = live(A, expires_at=AT - timedelta(seconds=1))

    assert why(Leave(dead, retiring(A), Reason.RETIRING, table.RETIRING), AT) == "dies in 0s"
