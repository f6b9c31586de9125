"""Every change has a symbol, a tone, a heading and a sentence, and so has an exceeded limit."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import get_args

import jsonschema
import pytest
from msgspec.structs import replace

from provisioner.escape import json_text
from provisioner.files import schema_bytes
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
from provisioner.model.money import NO_PRICE, Money
from provisioner.model.records import Desired, LiveCache, Recorded
from provisioner.model.stack_settings import Bound, Limit, TooDear, TooMany
from provisioner.planner import decision_table as table
from provisioner.planner import plan
from provisioner.render.markdown import plan_markdown
from provisioner.view.plan_reader import read_plans
from provisioner.view.wording import (
    broken_limits,
    is_unmet,
    limit_sentences,
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
from tests.pricing.prices import dollars
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


WHERE = "ctxprov.yaml:4:12"
DELETED = TooMany(
    limit=Limit.DELETE,
    key="percent",
    bound=Bound(Decimal(20), WHERE),
    names=tuple("abcdefg"),
    of=1_200,
)
REPLACED = TooMany(
    limit=Limit.REPLACE, key="percent", bound=Bound(Decimal(50), None), names=("a", "b"), of=3
)
RENT = TooDear(
    limit=Limit.RENT_PER_HOUR,
    bound=Bound(Decimal("0.50"), WHERE),
    rent=Money.of(600_000_000, estimated=True),
    unpriced=(),
    refuses=False,
)
TOTAL = TooDear(
    limit=Limit.RENT_TOTAL,
    bound=Bound(Decimal(250), WHERE),
    rent=dollars(100) + NO_PRICE,
    unpriced=("new",),
    refuses=True,
)
BREACHES = (DELETED, REPLACED, RENT, TOTAL)


def test_sentences_of_limits() -> None:
    """The limit, the number, the bound, where it stands, and how to go beyond it."""
    assert [*limit_sentences(broken_limits(BREACHES))] == [
        (
            "Refused: These edits delete 7 of 1,200 caches on record (a, b, c, d, e, 2 more), "
            "and limits.delete.percent (ctxprov.yaml:4:12) allows 20%."
        ),
        (
            "Refused: These edits replace 2 of 3 caches on record (a, b), more than half of "
            "them, and no limits.replace allows that."
        ),
        (
            "Warning: The rent of what stays after this plan is ~$0.60/h, and limits.rent_per_hour "
            "(ctxprov.yaml:4:12) allows $0.50/h."
        ),
        (
            "Refused: The rent for 30 days of what stays after this plan is unknown, for new has "
            "no price, and limits.rent_total_per_30_days (ctxprov.yaml:4:12) allows $250.00."
        ),
        (
            "If that is meant, add --override delete --override replace --override "
            "rent_total_per_30_days, or have the plan approved and apply it with --plan or "
            "--expect."
        ),
    ]


def test_a_warning_needs_no_way_out() -> None:
    """What refuses nothing asks for nothing."""
    assert len([*limit_sentences(broken_limits([RENT]))]) == 1
    assert [*limit_sentences([])] == []


def test_limits_in_json() -> None:
    """Machines get limit, bound, place and verdict, in the shape of the schema."""
    document = json.loads(json_text(view(PLAN, breaches=BREACHES)))

    jsonschema.validate(document, json.loads(schema_bytes("plan")))
    assert [(one["limit"], one["most"], one["where"]) for one in document["limits"]] == [
        ("delete.percent", 20, WHERE),
        ("replace.percent", 50, None),
        ("rent_per_hour", 0.5, WHERE),
        ("rent_total_per_30_days", 250, WHERE),
    ]
    assert [one["refused"] for one in document["limits"]] == [True, True, False, True]


def test_limits_in_markdown() -> None:
    """A reviewer reads it before the table, and nothing in it is Markdown."""
    odd = TooMany(
        limit=Limit.DELETE, key="count", bound=Bound(Decimal(1), "a`b.yaml:1:1"), names=("x",), of=1
    )
    text = plan_markdown(view(PLAN, breaches=[odd]))
    head, _, _ = text.partition("| Change |")

    assert "**Refused**: `These edits delete 1 of 1 caches on record (x), and" in head
    assert "a'b.yaml:1:1" in head
