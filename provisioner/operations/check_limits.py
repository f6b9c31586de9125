"""
Whether a plan stays within the limits of its stack.

Only edits are refused.  Deletions and replacements are counted by what is declared and on
record, so that a review without a provider counts the same as the apply after it; what is
counted are caches, for an annotation costs nothing to make again.  Rent is that of all which
lives on after the plan, and nothing that is dying counts.  Edits add to it if it is more than
a schedule would keep alive without them; if they do not, or if there are none, a rent beyond
its limit is shown and refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from typing import TypeAlias

from msgspec.structs import replace

from provisioner import planner
from provisioner.model import changes
from provisioner.model.changes import Change
from provisioner.model.facts import State
from provisioner.model.money import NANO, Cost, Money, total
from provisioner.model.plan import Plan
from provisioner.model.rates import MONTH, Lookup
from provisioner.model.records import Recorded, RecordedCache
from provisioner.model.stack_settings import (
    Bound,
    Breach,
    Limit,
    Limits,
    TooDear,
    TooMany,
)
from provisioner.planner.decision_table import alike
from provisioner.pricing import costs

_HOURS = MONTH // timedelta(hours=1)

_RentOf: TypeAlias = Callable[[Cost], Money]


def breaches(plan: Plan, limits: Limits, lookup: Lookup) -> tuple[Breach, ...]:
    """What of *plan* goes beyond *limits*, at the prices of its moment."""
    return (*_too_many(plan, limits), *_too_dear(plan, limits, lookup))


def breaches_of_any(plan: Plan, several: Iterable[Limits], lookup: Lookup) -> tuple[Breach, ...]:
    """
    What of *plan* goes beyond any of *several* limits, each named by its lowest bound.

    Before an edit of a limit is applied, the old and the new limit hold.
    """
    strictest: dict[str, Breach] = {}
    every = (breaches(plan, limits, lookup) for limits in dict.fromkeys(several))
    for breach in chain.from_iterable(every):
        other = strictest.get(breach.dotted)
        if other is None or breach.bound.most < other.bound.most:
            strictest[breach.dotted] = breach
    return tuple(strictest.values())


def excused(exceeded: Iterable[Breach], names: Collection[str]) -> tuple[Breach, ...]:
    """The same, without a refusal by the limits in *names*, which may be dotted keys."""
    return tuple(
        replace(
            breach, refuses=breach.refuses and not {breach.limit, breach.dotted}.intersection(names)
        )
        for breach in exceeded
    )


def _too_many(plan: Plan, limits: Limits) -> Iterator[TooMany]:
    for limit, allowance, takes in (
        (Limit.DELETE, limits.delete, _deletes),
        (Limit.REPLACE, limits.replace, _replaces),
    ):
        names = tuple(sorted({c.name for c in plan.changes if takes(c)}))
        if not names:
            continue
        of = _recorded_names(plan)
        count, percent = allowance.count, allowance.percent
        if count and len(names) > count.most:
            yield TooMany(limit=limit, key="count", bound=count, names=names, of=of)
        if percent and of >= allowance.of_at_least and 100 * len(names) > percent.most * of:
            yield TooMany(limit=limit, key="percent", bound=percent, names=names, of=of)


def _recorded_names(plan: Plan) -> int:
    every = (*plan.changes, *plan.left_out)
    return len({c.name for c in every if _recorded(c) and not isinstance(c, changes.Move)})


def _recorded(change: Change) -> RecordedCache | None:
    return change.record if isinstance(change.record, RecordedCache) else None


def _deletes(change: Change) -> bool:
    """Whether a cache goes and no other comes."""
    goes = isinstance(change, changes.Retire | changes.Delete | changes.Forget | changes.Annotate)
    return goes and _recorded(change) is not None


def _replaces(change: Change) -> bool:
    """Whether a name gets another content; a cache that is made again has the same."""
    match change:
        case changes.Replace():
            return True
        case changes.Create(want) | changes.Adopt(want) if record := _recorded(change):
            return not alike(want, record)
        case _:
            return False


def _too_dear(plan: Plan, limits: Limits, lookup: Lookup) -> Iterator[TooDear]:
    bounds: list[tuple[Limit, Bound | None, _RentOf]] = [
        (Limit.RENT_PER_HOUR, limits.rent_per_hour, lambda cost: cost.rent_per_hour_after),
        (Limit.RENT_TOTAL, limits.rent_total_per_30_days, lambda cost: cost.rent_30_days),
    ]
    for limit, bound, rent in bounds:
        if bound is None:
            continue
        parts = [
            *((name, rent(cost)) for name, cost in _costs(plan, plan.changes, lookup)),
            *(
                (name, _unchanged(cost, limit))
                for name, cost in _costs(plan, plan.left_out, lookup)
            ),
        ]
        whole = total(part for _, part in parts)
        if whole.partial or whole.nano > bound.most * NANO:
            yield TooDear(
                limit=limit,
                bound=bound,
                rent=whole,
                unpriced=tuple(sorted({name for name, part in parts if part.partial})),
                refuses=_edits_add(rent, plan, lookup),
            )


def _costs(plan: Plan, of: Iterable[Change], lookup: Lookup) -> Iterator[tuple[str, Cost]]:
    """Of what does not die by itself, by name."""
    staying = tuple(c for c in of if not (isinstance(c, changes.Leave) and c.record))
    priced = costs(replace(plan, changes=staying), lookup, at=plan.now)
    return zip((c.name for c in staying), priced, strict=True)


def _unchanged(cost: Cost, limit: Limit) -> Money:
    """The rent of what a selection left as it is: over a month, if it is kept for so long."""
    rent = cost.rent_per_hour_before
    return rent * _HOURS if limit is Limit.RENT_TOTAL else rent


def _edits_add(rent: _RentOf, plan: Plan, lookup: Lookup) -> bool:
    edited = tuple(c for c in plan.pending if c.reason.cause is changes.Cause.EDIT)
    after = total(rent(cost) for _, cost in _costs(plan, edited, lookup))
    before = total(rent(cost) for _, cost in _costs(plan, _unedited(plan, edited), lookup))
    return after.partial or after.nano > before.nano


def _unedited(plan: Plan, edited: Collection[Change]) -> tuple[Change, ...]:
    """What a schedule would do with the caches that the edits are about, but for their twins."""
    from provisioner.planner.hypothetical import (  # noqa: PLC0415  # where a limit is passed
        recorded_as_desired,
    )

    records = {c.record.name: c.record for c in edited if isinstance(c.record, Recorded)}
    lives = (c.old if isinstance(c, changes.Adopt) else c.live for c in edited)
    state = State(stack=plan.stack, caches=records)
    return planner.plan(
        recorded_as_desired(state),
        state,
        filter(None, lives),
        stack=plan.stack,
        now=plan.at,
        ahead=plan.ahead,
    ).changes
