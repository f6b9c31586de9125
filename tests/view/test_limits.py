"""An exceeded limit is shown with all that its reader needs."""

from __future__ import annotations

import json
from decimal import Decimal

import jsonschema

from provisioner.escape import json_text
from provisioner.files import schema_bytes
from provisioner.model.money import NO_PRICE, Money
from provisioner.model.stack_settings import Bound, Limit, TooDear, TooMany
from provisioner.render.markdown import plan_markdown
from provisioner.view.limits import broken_limits, limit_sentences
from tests.pricing.prices import dollars
from tests.render.fixtures import PLAN, view

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
ALL = (DELETED, REPLACED, RENT, TOTAL)


def test_sentences() -> None:
    """The limit, the number, the bound, where it stands, and how to go beyond it."""
    assert [*limit_sentences(broken_limits(ALL))] == [
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


def test_json() -> None:
    """Machines get limit, bound, place and verdict, in the shape of the schema."""
    document = json.loads(json_text(view(PLAN, breaches=ALL)))

    jsonschema.validate(document, json.loads(schema_bytes("plan")))
    assert [(one["limit"], one["most"], one["where"]) for one in document["limits"]] == [
        ("delete.percent", 20, WHERE),
        ("replace.percent", 50, None),
        ("rent_per_hour", 0.5, WHERE),
        ("rent_total_per_30_days", 250, WHERE),
    ]
    assert [one["refused"] for one in document["limits"]] == [True, True, False, True]


def test_markdown() -> None:
    """A reviewer reads it before the table, and nothing in it is Markdown."""
    odd = TooMany(
        limit=Limit.DELETE, key="count", bound=Bound(Decimal(1), "a`b.yaml:1:1"), names=("x",), of=1
    )
    text = plan_markdown(view(PLAN, breaches=[odd]))
    head, _, _ = text.partition("| Change |")

    assert "**Refused**: `These edits delete 1 of 1 caches on record (x), and" in head
    assert "a'b.yaml:1:1" in head
