"""One value holds what may be shown of a plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import asdict

from provisioner.escape import json_text
from provisioner.model.changes import Create, Forget, Keep, Leave, Reason, Replace, Retire
from provisioner.model.plan import Plan
from provisioner.planner import decision_table as table
from provisioner.view.plan import Presentation, by_section, summary
from provisioner.view.wording import Section, noteworthy
from tests.builders import HOUR, annotation, desired, live, noted, recorded, retiring
from tests.render.fixtures import AT, MANUAL_EDITED, PLAN, cache, plan_of, rows, view
from tests.stacks import CATALOG

STEADY = desired("steady")
KEEP = Keep(STEADY, live(STEADY), recorded(STEADY), Reason.CURRENT, table.UNCHANGED)
DYING = Leave(
    live(cache("old"), expires_at=AT + HOUR),
    retiring(cache("old")),
    Reason.RETIRING,
    table.RETIRING,
)


def test_a_short_view_counts_what_it_leaves_out() -> None:
    """On a terminal the unchanged have no row; counts and money are those of the whole."""
    plan = plan_of(*[KEEP] * 3, DYING)
    short, whole = view(plan, whole=False), view(plan)

    assert [row.name for row in short.rows] == ["old"]
    assert short.counts == whole.counts
    assert short.totals == whole.totals
    assert whole.counts["unchanged"] == 3


def test_every_row_says_when_its_cache_is_gone() -> None:
    """What is replaced or removed lives on for its time; what is deleted goes at once."""
    gone = {(row.name, row.action): row.gone_at for row in view(PLAN).rows if row.gone_at}

    assert gone == {
        ("product-manual", "replace"): AT + 50 * HOUR / 60,
        ("old-faq", "retire"): AT + 50 * HOUR / 60,
        ("pruned", "delete"): AT,
        ("product-manual", "leave"): AT + HOUR / 2,
    }


def test_declared_is_everything_that_is_asked_for() -> None:
    """By name, kept ones too, and nothing that is refused its removal."""
    names = [want.name for want in view(PLAN).declared]

    assert names == sorted(names)
    assert {"steady", "refunds", "product-manual"} <= set(names)
    assert not {"old-faq", "stray", "guarded"} & set(names)


def test_what_retires_by_itself_is_not_counted() -> None:
    """A removal is forgotten on purpose; what retired and expired is not counted."""
    number = summary(
        [
            ("forget", Reason.UNDECLARED),
            ("forget", Reason.RETIRED),
            ("leave", Reason.RETIRING),
            ("create", Reason.NEW),
            ("create", Reason.MISSING),
            ("keep", Reason.CURRENT),
        ]
    )

    assert {kind: many for kind, many in asdict(number).items() if many} == {
        "create": 2,
        "forget": 1,
        "unchanged": 1,
    }


def test_a_rename_is_recognised() -> None:
    """A new entry with the content of a removed one names it; the removed one stays a removal."""
    old, new = cache("old", "same"), cache("new", "same")
    plan = plan_of(
        Create(new, None, Reason.NEW, table.NOTHING_ALIVE),
        Retire(live(old), recorded(old), Reason.UNDECLARED, table.UNDECLARED),
    )
    made, removed = rows(plan)

    assert made.why == "not there yet; same content as old"
    assert removed.why.startswith("no longer wanted; dies")


def test_a_renamed_annotation_is_recognised_too() -> None:
    """It makes no difference that nothing of it was ever alive."""
    plan = plan_of(
        Create(desired("b"), None, Reason.NEW, table.NOTHING_ALIVE),
        Forget(
            noted(annotation("a", digest=desired("b").digest)),
            Reason.UNDECLARED,
            table.UNDECLARED_GONE,
        ),
    )

    assert rows(plan)[0].why == "not there yet; same content as a"


def test_sizes_show_a_difference_once() -> None:
    """Two sizes that read the same are shown as one."""
    small, large = cache("a"), cache("a", "y", size=830_123)
    edited = rows(
        plan_of(Replace(large, live(small), recorded(small), Reason.CONTENT, table.OUTDATED))
    )[0]
    kept = rows(
        plan_of(Replace(small, live(small), recorded(small), Reason.REQUESTED, table.OUTDATED))
    )[0]

    assert (edited.sizes, edited.tokens) == ("812 kB → 830 kB", "203k → ~208k")
    assert kept.sizes == "812 kB"


def test_only_what_is_asked_for_is_viewed() -> None:
    """A part of the plan can be viewed, with names from the whole."""
    create = next(change for change in PLAN.changes if change.reason is Reason.NEW)

    assert len(rows(PLAN)) == len(PLAN.changes)
    assert [row.name for row in rows(PLAN, [create])] == ["brand-new"]


def test_headings_come_in_order_and_never_empty() -> None:
    """Groups are in the order of the headings, and those without rows are left out."""
    groups = by_section(rows(PLAN))

    assert tuple(groups) == tuple(Section)
    edits = [row for row in rows(PLAN) if row.section is Section.EDITS]
    assert tuple(by_section(edits)) == (Section.EDITS,)


def test_a_row_knows_whether_it_is_shown() -> None:
    """What stays, or dies by itself, is not shown; a terminal names what is dying."""
    hidden = [f"{row.action} {row.reason}" for row in rows(PLAN) if not row.is_shown]
    dying = [row.action for row in rows(PLAN, noteworthy(PLAN)) if not row.is_shown]

    assert hidden == ["keep current", "keep current", "leave retiring", "forget retired"]
    assert dying == ["leave"]


SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "plan.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


def read(plan: Plan) -> Any:  # noqa: ANN401  # JSON is what it is
    return json.loads(json_text(view(plan, valid_until=AT + HOUR)))


@pytest.mark.parametrize("plan", [PLAN, plan_of()], ids=["everything", "nothing"])
def test_plans_keep_to_the_schema(plan: Plan) -> None:
    """A plan of every kind of change is valid, and so is one of none."""
    VALIDATOR.validate(read(plan))


@pytest.mark.parametrize("key", ["stack", "changes", "desired", "fingerprint"])
def test_the_schema_misses_what_is_missing(key: str) -> None:
    """A plan without one of its keys is not a plan."""
    document = read(PLAN)
    del document[key]

    assert not VALIDATOR.is_valid(document)


def test_a_change_in_full() -> None:
    """A replacement tells both sides, with whole numbers, moments and the id."""
    change = read(PLAN)["changes"][0]

    assert {key: change[key] for key in ("name", "action", "reason", "cause", "pending")} == {
        "name": "product-manual",
        "action": "replace",
        "reason": "content",
        "cause": "edit",
        "pending": True,
    }
    assert change["before"]["expires_at"] == "2026-01-01T18:00:00Z"
    assert change["before"]["id"] == "cachedContents/1"
    assert change["after"] == {
        "provider": "gemini",
        "model": "gemini-3.8-flash",
        "digest": MANUAL_EDITED.digest,
        "life": {"ttl": "6h"},
        "settings": {
            "keep": "warm",
            "protect": False,
            "refresh_before": "1h",
            "retire_after": "1h",
        },
        "paths": ["content/product-manual.md"],
        "pieces": {},
        "size": 830_123,
        "tokens": 207_530,
        "tokens_estimated": True,
        "created_at": "2026-01-01T17:10:00Z",
        "refresh_at": "2026-01-01T22:10:00Z",
        "expires_at": "2026-01-01T23:10:00Z",
        "id": None,
    }


def test_edits_and_desired_are_sorted_by_name() -> None:
    """Edits name what is removed, too; desired names every declared cache, kept ones too."""
    document = read(PLAN)
    declared = [entry["name"] for entry in document["desired"]]

    edits = {edit["name"]: edit["after"] is None for edit in document["edits"]}

    assert [*edits] == sorted(edits)
    assert edits["old-faq"]
    assert not edits["product-manual"]
    assert declared == sorted(declared)
    assert {"steady", "refunds", "product-manual"} <= set(declared)
    assert not {"old-faq", "stray", "guarded"} & set(declared)


def test_the_head_of_the_document() -> None:
    """The plan says which stack and moment it is of, and until when it is true."""
    document = read(PLAN)

    assert document["format_version"] == 1
    assert document["stack"] == PLAN.stack
    assert document["at"] == "2026-01-01T17:10:00Z"
    assert document["valid_until"] == "2026-01-01T18:10:00Z"
    assert document["fingerprint"] == PLAN.fingerprint
    assert document["summary"]["create"] == 4
    assert json.loads(json_text(view(PLAN)))["valid_until"] is None


SHOWN = Presentation(plan=PLAN, prices=CATALOG.find, writes=("state/demo.json",), commit="c" * 40)


def test_whole() -> None:
    """A document has a row for each change, what it costs and where apply writes."""
    assert len(SHOWN.whole.rows) == len(PLAN.changes)
    assert SHOWN.whole.writes == ("state/demo.json",)
    assert SHOWN.whole.commit == "c" * 40


def test_timeless() -> None:
    """No clock ends what compares two revisions."""
    assert SHOWN.whole.valid_until
    timeless = Presentation(plan=PLAN, prices=CATALOG.find, writes=(), timeless=True)
    assert timeless.whole.valid_until is timeless.whole.next_refresh is None
