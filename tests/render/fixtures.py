"""One plan that holds every kind of change, and the texts it is shown as."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from provisioner.catalog import load_catalog
from provisioner.errors import NetworkError
from provisioner.model.attributes import Adoption, Measure, Settings, Ttl, Until
from provisioner.model.changes import (
    Adopt,
    Annotate,
    Blocked,
    Cause,
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
from provisioner.model.facts import Done, Failed, NotAttempted, Result
from provisioner.model.plan import Edit, Plan
from provisioner.model.records import DesiredCache
from provisioner.model.stack_settings import Breach
from provisioner.planner import decision_table as table
from provisioner.pricing import costs, totals
from provisioner.view.plan import PlanView, RowView, plan_view
from provisioner.view.plan import rows as rows_of
from provisioner.view.wording import noteworthy
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
)

GOLDEN = Path(__file__).parent / "golden"
AT = NOW + 5 * HOUR + timedelta(minutes=10)


def golden(name: str) -> str:
    return (GOLDEN / name).read_text(encoding="utf-8")


def cache(
    name: str,
    content: str = "x",
    *,
    size: int = 812_345,
    **changes: Any,  # noqa: ANN401  # the fields that a test is about
) -> DesiredCache:
    measure = Measure(paths=(f"content/{name}.md",), size=size, tokens=size // 4)
    return desired(name, content, measure=measure, **changes)


def view(
    plan: Plan,
    *,
    valid_until: datetime | None = None,
    next_refresh: datetime | None = None,
    whole: bool = True,
    commit: str | None = None,
    writes: Iterable[str] = (),
    breaches: Iterable[Breach] = (),
) -> PlanView:
    """*plan* as documents show it, at the prices that ctxprov ships."""
    part = plan if whole else replace(plan, changes=noteworthy(plan))
    prices = load_catalog().find
    return plan_view(
        plan,
        part.changes,
        costs=costs(part, prices, at=plan.at),
        totals=totals(costs(plan, prices, at=plan.at)),
        valid_until=valid_until,
        next_refresh=next_refresh,
        timeless=False,
        commit=commit,
        writes=writes,
        breaches=breaches,
    )


def rows(plan: Plan, changes: Iterable[Change] | None = None) -> tuple[RowView, ...]:
    """*changes* of *plan*, all unless they are given, without a cost."""
    chosen = plan.changes if changes is None else tuple(changes)
    return rows_of(plan, chosen, [None] * len(chosen))


def plan_of(*changes: Change, edits: frozenset[Edit] | None = None) -> Plan:
    """A plan of *changes*, with the edits that they are made for unless those are given."""
    made_for = frozenset(_edits(changes)) if edits is None else edits
    return Plan(stack=STACK, at=AT, changes=changes, edits=made_for)


def _edits(changes: Iterable[Change]) -> Iterator[Edit]:
    for change in changes:
        want = getattr(change, "want", None)
        if want and getattr(change, "record", None) is None:
            yield Edit(want.name, want.after)
        elif change.reason.cause is Cause.EDIT:
            yield Edit(change.name, want.after if want else None)


MANUAL = cache("product-manual")
MANUAL_EDITED = cache("product-manual", "y", size=830_123)
SOON = cache("onboarding")
LONGER = cache("longer", life=Ttl(12 * HOUR))
TUNED = cache("tuned", settings=Settings(refresh_before=2 * HOUR, retire_after=HOUR, protect=True))
LOST = cache("lost", life=Ttl(24 * HOUR))
FAQ = cache("old-faq", "faq")
GUARDED = cache("guarded", settings=Settings(protect=True))
TRIAGE = annotation("triage", "new")

PLAN = plan_of(
    Replace(MANUAL_EDITED, live(MANUAL), recorded(MANUAL), Reason.CONTENT, table.OUTDATED),
    Create(cache("brand-new"), None, Reason.NEW, table.NOTHING_ALIVE),
    Create(cache("faq", "faq"), None, Reason.NEW, table.NOTHING_ALIVE),
    Refresh(LONGER, live(cache("longer")), recorded(cache("longer")), Reason.LIFE, table.DUE),
    Note(TUNED, live(TUNED), recorded(cache("tuned")), Reason.SETTINGS, table.SETTINGS),
    Adopt(
        cache("by-hand", adopt=Adoption("cachedContents/abc123", cache("by-hand").label.mark)),
        live(id="cachedContents/abc123", label=None, tokens=201_000),
        None,
        None,
        Reason.IMPORTED,
        table.TWIN,
    ),
    Annotate(TRIAGE, None, noted(annotation("triage", "old")), Reason.CONTENT, table.ANNOTATION),
    Refresh(SOON, live(SOON), recorded(SOON), Reason.EXPIRING, table.DUE),
    Create(
        cache("dead"),
        recorded(cache("dead"), expires_at=NOW + 2 * HOUR),
        Reason.EXPIRED,
        table.NOTHING_ALIVE,
    ),
    Create(LOST, recorded(LOST), Reason.MISSING, table.NOTHING_ALIVE),
    Adopt(cache("found"), live(cache("found")), None, None, Reason.FOUND, table.TWIN),
    Keep(cache("too-late", life=Until(NOW)), None, None, Reason.ENDED, table.ENDED),
    Keep(
        cache("steady"),
        live(cache("steady")),
        recorded(cache("steady")),
        Reason.CURRENT,
        table.UNCHANGED,
    ),
    Keep(
        annotation("refunds"), None, noted(annotation("refunds")), Reason.CURRENT, table.ANNOTATED
    ),
    Retire(live(FAQ), recorded(FAQ), Reason.UNDECLARED, table.UNDECLARED),
    Forget(noted(annotation("gone-note")), Reason.UNDECLARED, table.UNDECLARED_GONE),
    Blocked(
        None,
        live(GUARDED),
        recorded(GUARDED),
        Reason.UNDECLARED,
        "cachedContents/1 is protected; set `protect: false` and apply before removing it",
        table.UNDECLARED_PROTECTED,
    ),
    Delete(live(cache("pruned")), None, Reason.STRAY, table.STRAY),
    Leave(live(cache("stray")), None, Reason.STRAY, table.STRAY),
    Leave(
        live(MANUAL, expires_at=AT + HOUR / 2), retiring(MANUAL), Reason.RETIRING, table.RETIRING
    ),
    Forget(retiring(FAQ), Reason.RETIRED, table.RETIRED),
)

RESULTS = (
    Result(PLAN.changes[0], Done()),
    Result(
        PLAN.changes[1],
        Failed(NetworkError("gemini cannot answer now: 503, says\nthe model is overloaded")),
    ),
    Result(PLAN.changes[14], NotAttempted("interrupted")),
)
