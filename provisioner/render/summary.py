"""
A plan counted: the stable line that scripts look for, and how long it is true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from provisioner.model import Blocked, Change, Forget, Keep, Plan, RetiringCache
from provisioner.render.sizes import when

_ALWAYS = ("create", "replace", "refresh", "delete", "unchanged")
_VERBS = (
    "create",
    "replace",
    "refresh",
    "delete",
    "adopt",
    "annotate",
    "note",
    "retire",
    "forget",
)
SHORT = 12
"""As many digits of a digest tell two apart for people."""


def counts(plan: Plan) -> Mapping[str, int]:
    """
    How many changes there are of each verb, and how many caches stay as they are.

    What is left alone or has retired by itself is not the plan's doing and not counted.
    """
    found = Counter(map(type, plan.changes))
    verbs = Counter({kind.__name__.lower(): number for kind, number in found.items()})
    verbs["forget"] -= sum(map(_is_housekeeping, plan.changes)) if found[Forget] else 0
    return {
        **{verb: verbs[verb] for verb in _VERBS},
        "blocked": found[Blocked],
        "unchanged": found[Keep],
    }


def plan_line(plan: Plan) -> str:
    """`Plan: 2 to create, 1 to replace, …, 5 unchanged.`; rare verbs only if there are any."""
    number = counts(plan)
    shown = [verb for verb in number if verb in _ALWAYS or number[verb]]
    return f"Plan: {', '.join(_counted(verb, number[verb]) for verb in shown)}."


def headline(plan: Plan) -> str:
    """The same without what there is none of; `no changes` if that is nothing."""
    doing = [_counted(verb, number) for verb, number in counts(plan).items() if number]
    return ", ".join(doing) if not changes_nothing(plan) else "no changes"


def changes_nothing(plan: Plan) -> bool:
    """Whether there is nothing to do and nothing refused."""
    return not any(number for verb, number in counts(plan).items() if verb != "unchanged")


def no_changes(plan: Plan, next_refresh: datetime | None) -> str:
    """Say that all is well, and when something is next to be done."""
    if next_refresh is None:
        return "No changes. Every cache is as declared; none is to be refreshed."
    due = when(next_refresh, at=plan.at)
    return f"No changes. Every cache is as declared; the next refresh is due at {due}."


def validity(plan: Plan, valid_until: datetime | None) -> str:
    if valid_until is None:
        return "Valid until something is edited."
    return f"Valid until {when(valid_until, at=plan.at)}."


def fingerprint_line(plan: Plan) -> str:
    edits = f"{len(plan.edits)} edit{'' if len(plan.edits) == 1 else 's'}"
    return f"Fingerprint {plan.fingerprint[:SHORT]} ({edits if plan.edits else 'no edits'})."


def _is_housekeeping(change: Change) -> bool:
    return isinstance(change, Forget) and isinstance(change.record, RetiringCache)


def _counted(verb: str, number: int) -> str:
    return f"{number} to {verb}" if verb in _VERBS else f"{number} {verb}"
