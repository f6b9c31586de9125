"""
Which row of the planner's table a change comes from.

The table decides; a change remembers enough of what was found to tell its row afterwards.
"""

from __future__ import annotations

from provisioner.model import (
    Adopt,
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    DesiredAnnotation,
    DesiredCache,
    Forget,
    Keep,
    Leave,
    LiveCache,
    Move,
    Note,
    RecordedCache,
    Refresh,
    Replace,
    Retire,
    RetiringCache,
)


def row(change: Change) -> str:
    """What held, as the table spells it."""
    match change:
        case Refresh():
            return "own lives, same digest; life differs, or SHORTENED or EXPIRING"
        case Note():
            return "own lives, same digest; only settings differ"
        case Keep(live=LiveCache()):
            return "own lives, same digest"
        case Keep(want=DesiredCache()):
            return (
                "`expires_at` has passed; or `keep: once`, same digest, not requested, "
                "and the recorded one has run out"
            )
        case Adopt():
            return "twin"
        case Replace():
            return "own lives"
        case Create():
            return "nothing"
        case Keep():
            return "annotation, same"
        case Annotate():
            return "annotation, differs"
        case Blocked():
            return _blocked(change)
        case Move():
            return "on record under a name that was changed"
        case Retire() | Delete() | Forget() | Leave():
            return _undeclared(change)


def _blocked(change: Blocked) -> str:
    match change.want:
        case DesiredCache() if change.live is None:
            return "nothing; and the recorded caches of its project have disappeared together"
        case DesiredCache():
            return (
                "`adopt` names a cache of another stack, of another entry, or of other content "
                "by its label or by the server's count"
            )
        case DesiredAnnotation():
            return "annotation, differs: own lives and is protected"
        case None:
            return "not declared, live, protected"


def _undeclared(change: Retire | Delete | Forget | Leave) -> str:
    match change:
        case Forget(record=RetiringCache()):
            return "retiring, not live"
        case Forget():
            return "not declared: an annotation, or not live"
        case Retire(record=RecordedCache()) | Delete(record=RecordedCache()):
            return "not declared, live"
        case Retire():
            return "retiring, no expiry recorded, or lives over 2 s longer than recorded"
        case Delete(record=RetiringCache()):
            return "retiring, its name undeclared, and destroy"
        case Leave(record=RetiringCache()):
            return "retiring"
        case _:
            return "labelled as this stack's, in neither list"
