"""
The schema of the plan, made from its structs, against the one that was written by hand.

`tests/frozen_schemas/` holds the last that was written by hand.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator as MetaSchema
from jsonschema_rs import Draft202012Validator
from msgspec.structs import replace

from provisioner.escape import json_text
from provisioner.model.changes import BaseChange, Cause, Move, Reason
from provisioner.model.money import Step
from provisioner.model.plan import Leftover
from provisioner.model.stack_settings import SettingEdit
from provisioner.planner import decision_table as table
from provisioner.view.plan import PlanView
from tests.builders import HOUR, recorded
from tests.corpus import Variant, variants
from tests.documents import ROOM
from tests.render.fixtures import AT, PLAN, plan_of, view
from tests.view.test_wording import BREACHES

BY_HAND = Path(__file__).parents[1] / "frozen_schemas" / "plan.schema.json"
NOW = Path(__file__).parents[2] / "schemas" / "plan.schema.json"
LEFTOVER = Leftover(
    stack="demo",
    successor="other.dev",
    caches=("a", "b"),
    state="state/demo.json",
    usual=True,
    key_envs={"gemini": "GEMINI_API_KEY"},
)


def schema(path: Path) -> Any:  # noqa: ANN401  # JSON
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def validator(path: Path) -> Draft202012Validator:
    return Draft202012Validator(schema(path))


def documents() -> dict[str, Any]:
    """A plan that has every key, one that has nothing, and one of an earlier revision."""
    moved = plan_of(
        *PLAN.changes, Move("new", recorded(), Reason.MOVED, table.MOVED), edits=PLAN.edits
    )
    settings = (SettingEdit(key="publish", before=None, after="handles.json"),)
    plan = replace(moved, settings=settings, rested=PLAN.edits, leftover=LEFTOVER)
    whole = view(
        plan,
        valid_until=AT + HOUR,
        next_refresh=AT + HOUR,
        commit="0123456789" * 4,
        writes=("state/demo.json", "handles.json"),
        breaches=BREACHES,
    )
    costs = [row.cost for row in whole.rows if row.cost]
    steps = tuple(
        Step(
            on=date(2026, 2, 1),
            once=cost.once,
            rent_per_hour_before=cost.once,
            rent_per_hour_after=cost.once,
            rent_per_hour_change=cost.once,
            use=cost.use,
        )
        for cost in {cost.use.is_annotation: cost for cost in costs if cost.use}.values()
    )
    rows = (replace(row, cost=replace(row.cost, steps=steps)) for row in whole.rows if row.cost)
    few = [row for row in rows if row.name in {"product-manual", "triage", "old-faq"}]
    return {
        "everything": json.loads(json_text(replace(whole, rows=tuple(few)))),
        "nothing": json.loads(json_text(view(plan_of()))),
        "07983cc": json.loads((ROOM.parent / "07983cc" / "plan.json").read_bytes()),
    }


DOCUMENTS = documents()


def accepts(path: Path, document: object) -> bool:
    return validator(path).is_valid(document)


def is_read(document: object) -> bool:
    try:
        msgspec.convert(document, PlanView)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", DOCUMENTS)
def test_both_schemas_accept_what_is_written(name: str) -> None:
    """Every document of ours is valid by the schema of today and by the one before."""
    assert accepts(NOW, DOCUMENTS[name])
    assert accepts(BY_HAND, DOCUMENTS[name])
    assert is_read(DOCUMENTS[name])


@pytest.mark.parametrize("name", DOCUMENTS)
def test_both_schemas_refuse_the_same(name: str) -> None:
    """A key removed or added, another type, a value out of bounds: both schemas say the same."""
    differing = [
        f"{variant.place} {variant.change}"
        for variant in variants(DOCUMENTS[name])
        if accepts(NOW, variant.document) is not accepts(BY_HAND, variant.document)
    ]
    assert differing == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_reader_reads_what_the_schema_accepts(name: str) -> None:
    """The shape that is read is the shape that is published."""
    differing = [
        f"{variant.place} {variant.change}"
        for variant in variants(DOCUMENTS[name])
        if not is_checked_otherwise(variant)
        and is_read(variant.document) is not accepts(NOW, variant.document)
    ]
    assert differing == []


def is_checked_otherwise(variant: Variant) -> bool:
    """A moment that is not in UTC is refused once it is read."""
    return "+02:00" in variant.change or "01 00:00" in variant.change


def test_the_schema_is_one() -> None:
    """The schema itself is a valid schema."""
    MetaSchema.check_schema(schema(NOW))


def test_the_schema_has_every_verb() -> None:
    """No action, reason or cause is missing from the schema, and none too many."""
    parts = schema(NOW)["$defs"]

    verbs = {kind.verb for kind in BaseChange.__subclasses__()}
    assert set(parts["RowView"]["properties"]["action"]["enum"]) == verbs
    assert set(parts["Reason"]["enum"]) == {reason.value for reason in Reason}
    assert set(parts["Cause"]["enum"]) == {cause.value for cause in Cause}
