"""
A part of a finished plan, chosen by name, or by the content that there is.

Selecting never changes what is desired: a cache that is not selected is left as it is,
where one that were not desired would be retired.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from provisioner.model.changes import Create
from provisioner.model.plan import Plan


def select(plan: Plan, *, targets: Sequence[str], excludes: Sequence[str]) -> Plan:
    """
    Keep of *plan* what matches a target, if there are any, and no exclude.

    Patterns are globs over names, as in `tenant-*`.  Edits that are not selected are not
    part of the outcome either.
    """
    if not targets and not excludes:
        return plan

    def is_chosen(name: str) -> bool:
        return (not targets or _matches(name, targets)) and not _matches(name, excludes)

    return _selected(plan, is_chosen)


def part_of(plan: Plan, names: Collection[str]) -> Plan:
    """Keep of *plan* what is about *names*."""
    return _selected(plan, names.__contains__)


def unmatched(plan: Plan, patterns: Sequence[str]) -> tuple[str, ...]:
    """Those of *patterns* that match no name of *plan*."""
    names = {change.name for change in plan.changes} if patterns else ()
    return tuple(p for p in patterns if not any(fnmatchcase(name, p) for name in names))


def without_content(plan: Plan, at_hand: Collection[str]) -> tuple[Plan, tuple[Create, ...]]:
    """
    Take from *plan* the caches that cannot be made, because their content is not *at_hand*.

    *at_hand* are the digests that the working tree has.
    """
    gaps = tuple(
        change
        for change in plan.changes
        if isinstance(change, Create) and change.want.digest not in at_hand
    )
    rest = tuple(change for change in plan.changes if change not in gaps) if gaps else plan.changes
    return replace(plan, changes=rest), gaps


def _selected(plan: Plan, is_chosen: Callable[[str], bool]) -> Plan:
    return replace(
        plan,
        changes=tuple(c for c in plan.changes if is_chosen(c.name)),
        edits=frozenset(edit for edit in plan.edits if is_chosen(edit.name)),
        settings=(),
        rested=frozenset(edit for edit in plan.rested if is_chosen(edit.name)),
        left_out=tuple(c for c in plan.changes if not is_chosen(c.name)),
    )


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)
