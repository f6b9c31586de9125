"""
What became of a plan, as it may be shown: each change as in the plan, with how it ended.

`ResultView` is the document that `apply`, `destroy` and `keepalive` print as JSON.  The texts of
errors are as foreign as their source.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from provisioner.documents import Count, Name
from provisioner.model.facts import Done, Failed, NotAttempted, Outcome, Result
from provisioner.model.money import Cost
from provisioner.model.plan import Plan
from provisioner.model.rates import Lookup
from provisioner.pricing import costs
from provisioner.view.plan import FORMAT_VERSION, RowView, rows
from provisioner.view.snapshot import Moment, ShownDigest

OutcomeKey: TypeAlias = Literal["done", "failed", "not_attempted"]


class ResultSummary(Struct, frozen=True, kw_only=True):
    """How many changes ended in each way."""

    done: Count
    failed: Count
    not_attempted: Count


class ResultRowView(RowView, frozen=True, kw_only=True):
    """
    How one change ended.

    error: Why it failed or was not attempted, as the server or a file says it; null if it is done.
    """

    outcome: OutcomeKey
    error: str | None


class ResultView(Struct, frozen=True, kw_only=True):
    """How every pending change of a plan ended."""

    format_version: Literal[1]
    stack: Name
    at: Moment
    fingerprint: ShownDigest
    summary: ResultSummary
    results: tuple[ResultRowView, ...]


def result_view(plan: Plan, results: Sequence[Result], costs: Iterable[Cost]) -> ResultView:
    """View *results* of *plan*, each with its cost from *costs*."""
    changes = (result.change for result in results)
    endings = [_ending(result.outcome) for result in results]
    counts = Counter(key for key, _ in endings)
    return ResultView(
        format_version=FORMAT_VERSION,
        stack=plan.stack,
        at=plan.now,
        fingerprint=plan.fingerprint,
        summary=ResultSummary(
            done=counts["done"], failed=counts["failed"], not_attempted=counts["not_attempted"]
        ),
        results=tuple(
            ResultRowView(**structs.asdict(row), outcome=key, error=error)
            for row, (key, error) in zip(rows(plan, changes, costs), endings, strict=True)
        ),
    )


def result_costs(plan: Plan, results: Iterable[Result], prices: Lookup) -> Iterable[Cost]:
    """What each change of *results* costs, in their order."""
    changes = tuple(result.change for result in results)
    return costs(structs.replace(plan, changes=changes), prices, at=plan.now)


def _ending(outcome: Outcome) -> tuple[OutcomeKey, str | None]:
    match outcome:
        case Done():
            return "done", None
        case Failed(error):
            return "failed", str(error)
        case NotAttempted(why):
            return "not_attempted", why
