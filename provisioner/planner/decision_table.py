"""
The rows of the planner's table: what holds, which change it leads to, and why it may.

Each guard of the planner gives its change the constant of its row.  `explain` prints the
sentence of that row, and the reader of plan.json takes from here which reasons may stand
with a verb.  The order is that of the guards: of a declared cache, and of each group after
it, the first row that holds decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from provisioner.model import DecisionRow, Reason

_EDITED = frozenset({Reason.PROVIDER, Reason.MODEL, Reason.CONTENT, Reason.LIFE, Reason.SETTINGS})
_DEAD = frozenset({Reason.EXPIRED, Reason.MISSING})


def _row(id_: str, verbs: str, sentence: str, *reasons: Reason) -> DecisionRow:
    return DecisionRow(
        id=id_, sentence=sentence, verbs=tuple(verbs.split()), reasons=frozenset(reasons)
    )


# A declared cache.  A name in `replace` skips the first three rows and TWIN.

DUE = _row(
    "due",
    "refresh",
    "the recorded cache is alive and has this content, but its life was edited or cut short, "
    "or its refresh window is open",
    *(Reason.LIFE, Reason.SETTINGS, Reason.SHORTENED, Reason.EXPIRING),
)
SETTINGS = _row(
    "settings",
    "note",
    "the recorded cache is alive and has this content; only its settings were edited",
    Reason.SETTINGS,
)
UNCHANGED = _row("unchanged", "keep", "the recorded cache is alive and unchanged", Reason.CURRENT)
TWIN = _row(
    "twin",
    "adopt",
    "another live cache carries exactly this label, or `adopt` names it",
    *(*_EDITED, *_DEAD, Reason.FOUND, Reason.IMPORTED),
)
NOT_ADOPTABLE = _row(
    "not-adoptable",
    "blocked",
    "`adopt` names a cache of another stack, of another entry, or of other content by its "
    "label or by the provider's count",
    Reason.IMPORTED,
)
OUTDATED = _row(
    "outdated",
    "replace",
    "the recorded cache is alive, but has other content, or --replace names it",
    *(*_EDITED, Reason.REQUESTED),
)
ENDED = _row(
    "ended",
    "keep",
    "`expires_at` has passed, or a `keep: once` cache with this content has expired",
    Reason.ENDED,
)
NOTHING_ALIVE = _row(
    "nothing-alive",
    "create",
    "no live cache serves this entry",
    # IMPORTED: in plans of older versions
    *(*_EDITED, *_DEAD, Reason.NEW, Reason.IMPORTED, Reason.REQUESTED),
)
DISAPPEARED = _row(
    "disappeared",
    "blocked",
    "no live cache serves this entry, and many recorded caches of its project are missing",
    Reason.MISSING,
)

# A declared annotation.

ANNOTATED = _row("annotated", "keep", "the annotation is as recorded", Reason.CURRENT)
ANNOTATION_PROTECTED = _row(
    "annotation-protected",
    "blocked",
    "the annotation would take the place of a live cache that is protected",
    *_EDITED,
)
ANNOTATION = _row(
    "annotation",
    "annotate",
    "the annotation is new, or differs from its record",
    *(*_EDITED, Reason.NEW),
)

# What is on record and not declared.

MOVED = _row("moved", "move", "it is on record under a name that was changed", Reason.MOVED)
UNDECLARED_GONE = _row(
    "undeclared-gone",
    "forget",
    "it is no longer declared, and is an annotation or no longer alive",
    Reason.UNDECLARED,
)
UNDECLARED_PROTECTED = _row(
    "undeclared-protected",
    "blocked",
    "it is no longer declared, but alive and protected",
    Reason.UNDECLARED,
)
UNDECLARED = _row(
    "undeclared",
    "retire delete",  # delete: `retire_after: 0s`, and destroy
    "it is no longer declared, and alive",
    Reason.UNDECLARED,
)
PROTECTED_DUE = _row(
    "protected-due",
    "refresh",  # beside either Blocked of what is protected; not with destroy
    "it is protected and alive, but its life was cut short or its refresh window is open",
    *(Reason.SHORTENED, Reason.EXPIRING),
)

# What is retiring.  One that is chosen as a twin has no row.

RETIRED = _row("retired", "forget", "it is retiring and no longer alive", Reason.RETIRED)
RETIRING_DESTROYED = _row(
    "retiring-destroyed",
    "delete",
    "it is retiring, its name is no longer declared, and the stack is destroyed",
    Reason.UNDECLARED,
)
UNRETIRED = _row(
    "unretired",
    "retire",
    "it is to retire, but no expiry is recorded, or it lives over 2 s longer than recorded",
    Reason.RETIRING,
)
RETIRING = _row("retiring", "leave", "it is retiring as recorded", Reason.RETIRING)

# What is only alive.

STRAY = _row(
    "stray",
    "leave delete",  # delete: prune
    "it carries this stack's label, but is not in the state",
    Reason.STRAY,
)

ROWS = (
    *(DUE, SETTINGS, UNCHANGED, TWIN, NOT_ADOPTABLE, OUTDATED, ENDED, NOTHING_ALIVE, DISAPPEARED),
    *(ANNOTATED, ANNOTATION_PROTECTED, ANNOTATION),
    *(MOVED, UNDECLARED_GONE, UNDECLARED_PROTECTED, UNDECLARED, PROTECTED_DUE),
    *(RETIRED, RETIRING_DESTROYED, UNRETIRED, RETIRING, STRAY),
)

REASONS: Mapping[str, frozenset[Reason]] = MappingProxyType(
    {
        verb: frozenset().union(*(row.reasons for row in ROWS if verb in row.verbs))
        for verb in dict.fromkeys(verb for row in ROWS for verb in row.verbs)
    }
)
"""Which reasons may stand with a verb."""
