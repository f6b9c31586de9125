"""
Many rows that are alike as one: the same thing happens to names that begin alike.

A group counts its rows, and adds up their sizes, tokens and money.  What somebody reviews is
told in full all the same: rows go together only if one sentence tells of each, and whatever an
edit removes is named.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from provisioner.model.money import FREE, AnnotationUse, Cost, total
from provisioner.view.row import Row
from provisioner.view.snapshot import Side, Tokens
from provisioner.view.wording import EDITS

FEW = 5
"""So many alike are still listed one by one."""

_REMOVING = frozenset({"retire", "delete", "forget"})


class Group(Struct, frozen=True):
    """One row, or several as if they were one."""

    row: Row
    size: int = 1


def grouped(rows: Iterable[Row]) -> tuple[Group, ...]:
    """Put together what is alike, where its first row was."""
    alike: dict[tuple[object, ...], list[Row]] = defaultdict(list)
    for at, row in enumerate(rows):
        alike[_likeness(row) or (at,)].append(row)
    return tuple(
        group
        for one in alike.values()
        for group in ((_together(one),) if len(one) > FEW else map(Group, one))
    )


def _likeness(row: Row) -> tuple[object, ...] | None:
    """What the rows of a group have in common; None for a row that stays by itself."""
    word, hyphen, _ = row.name.partition("-")
    if not hyphen or (row.heading == EDITS and row.action in _REMOVING):
        return None
    sentence = row.why if row.is_edit else None
    return (row.heading, row.action, row.reason, row.provider, row.model, word, sentence)


def _together(rows: Sequence[Row]) -> Group:
    reasons = {row.why for row in rows}
    row = replace(
        rows[0],
        name=f"{_prefix([row.name for row in rows])}*",
        why=rows[0].why if len(reasons) == 1 else rows[0].reason.value,
        before=_sum_of_sides([row.before for row in rows if row.before]),
        after=_sum_of_sides([row.after for row in rows if row.after]),
        cost=_sum_of_costs([row.cost for row in rows if row.cost]),
    )
    return Group(row, len(rows))


def _prefix(names: Sequence[str]) -> str:
    """What all of them begin with, up to the last hyphen in it; there is one."""
    first, last = min(names), max(names)
    pairs = zip(first, last, strict=False)
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), len(first))
    return first[: first[:same].rfind("-") + 1]


def _sum_of_sides(sides: Sequence[Side]) -> Side | None:
    if not sides:
        return None
    sizes = [side.size for side in sides if side.size is not None]
    tokens = [side.tokens for side in sides if side.tokens]
    sized, counted = len(sizes) == len(sides), len(tokens) == len(sides)
    return replace(
        sides[0],
        size=sum(sizes) if sized else None,  # an unknown one absorbs the sum
        tokens=Tokens(sum(one.count for one in tokens), any(one.estimated for one in tokens))
        if counted
        else None,
    )


def _sum_of_costs(costs: Sequence[Cost]) -> Cost | None:
    if not costs:
        return None
    writes = [cost.use.write for cost in costs if isinstance(cost.use, AnnotationUse)]
    use = costs[0].use
    return replace(
        costs[0],
        figures=sum((cost.figures for cost in costs), FREE),
        overlap=total(cost.overlap for cost in costs),
        month=total(cost.month for cost in costs),
        ends_on=None,
        old_ends_on=None,
        steps=(),
        use=replace(use, write=total(writes)) if isinstance(use, AnnotationUse) else None,
    )
