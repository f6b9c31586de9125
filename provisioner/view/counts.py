"""
How many changes of each kind a plan has.

What is left alone or has retired by itself is not the plan's doing and not counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from provisioner.model import Reason

VERBS = (
    "create",
    "replace",
    "refresh",
    "delete",
    "adopt",
    "annotate",
    "note",
    "move",
    "retire",
    "forget",
)


def counts(changes: Iterable[tuple[str, Reason]]) -> Mapping[str, int]:
    """Count *changes*, each an action and its reason; how many stay as they are comes last."""
    found = Counter(changes)
    del found["forget", Reason.RETIRED]
    actions = Counter[str]()
    for (action, _), number in found.items():
        actions[action] += number
    return {
        **{verb: actions[verb] for verb in VERBS},
        "blocked": actions["blocked"],
        "unchanged": actions["keep"],
    }
