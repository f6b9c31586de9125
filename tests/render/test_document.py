"""A plan as JSON keeps to its schema and loses nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator

from provisioner.model import Cause, Change, Plan, Reason
from provisioner.render.document import plan_json
from tests.builders import HOUR
from tests.render.fixtures import AT, MANUAL_EDITED, PLAN, plan_of, view

SCHEMA = json.loads(
    (Path(__file__).parents[2] / "schemas" / "plan.schema.json").read_text(encoding="utf-8")
)
VALIDATOR = Draft202012Validator(SCHEMA)


def read(plan: Plan) -> Any:  # noqa: ANN401  # JSON is what it is
    return json.loads(plan_json(view(plan, valid_until=AT + HOUR)))


def test_the_schema_is_one() -> None:
    """The schema itself is a valid schema."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("plan", [PLAN, plan_of()], ids=["everything", "nothing"])
def test_plans_keep_to_the_schema(plan: Plan) -> None:
    """A plan of every kind of change is valid, and so is one of none."""
    VALIDATOR.validate(read(plan))


def test_the_schema_knows_every_word() -> None:
    """No action, reason or cause is missing from the schema, and none too many."""
    change = SCHEMA["$defs"]["change"]["properties"]

    assert set(change["action"]["enum"]) == {kind.verb for kind in get_args(Change)}
    assert set(change["reason"]["enum"]) == {reason.value for reason in Reason}
    assert set(change["cause"]["enum"]) == {cause.value for cause in Cause} | {None}


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
    assert json.loads(plan_json(view(PLAN)))["valid_until"] is None
