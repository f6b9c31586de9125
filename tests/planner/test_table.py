"""The tables in `provisioner.planner`, row by row: change, reason and cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest

from provisioner.cache import ClaudeHandle
from provisioner.model import (
    Adopt,
    Annotate,
    Blocked,
    Cause,
    Change,
    Create,
    Delete,
    Desired,
    Forget,
    Keep,
    Leave,
    LiveCache,
    Note,
    Reason,
    Recorded,
    RecordedCache,
    Refresh,
    Replace,
    Retire,
    RetiringCache,
    Settings,
    Ttl,
    Until,
)
from provisioner.planner import plan
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
    state,
)

SECOND = timedelta(seconds=1)
WARM = Settings(refresh_before=HOUR, retire_after=HOUR)
PROTECTED = Settings(refresh_before=HOUR, retire_after=HOUR, protect=True)
AT_ONCE = Settings(refresh_before=HOUR, retire_after=timedelta())
ONCE = Settings(refresh_before=HOUR, retire_after=HOUR, keep="once")

A = desired("a")
EDITED = desired("a", "y")
MODEL = desired("a", model="gemini-2.5-pro")
LONGER = desired("a", life=Ttl(12 * HOUR))
FIXED = desired("a", life=Until(NOW + 6 * HOUR))
OVER = desired("a", life=Until(NOW))
SETTINGS = desired("a", settings=AT_ONCE)
BRIEF = desired("a", settings=ONCE)
ADOPTING = desired("a", adopt="cachedContents/hand")
NOTE = annotation("a")
OTHER_NOTE = annotation("a", "y")
LONG_NOTE = annotation(
    "a", life=Ttl(timedelta(minutes=5)), handle=ClaudeHandle({"type": "ephemeral", "ttl": "5m"})
)

OWN = live(A)
LOW = live(A, updated_at=NOW - 5 * HOUR, expires_at=NOW + HOUR)
CUT = live(A, expires_at=NOW + 6 * HOUR - 3 * SECOND)
BARELY_CUT = live(A, expires_at=NOW + 6 * HOUR - 2 * SECOND)
EXTENDED = live(A, expires_at=NOW + 9 * HOUR)
DEAD = live(A, expires_at=NOW)
TWIN = live(A, "cachedContents/2")
NEW_TWIN = live(EDITED, "cachedContents/2")
LATER_TWIN = live(A, "cachedContents/0", expires_at=NOW + 7 * HOUR)
ECHOED = live(A, "cachedContents/2", model="gemini-3.8-flash-001")
HAND = live(A, "cachedContents/hand", label=None)
WRONG_HAND = live(A, "cachedContents/hand", label=None, model="gemini-2.5-pro")
OLD = live(EDITED, "cachedContents/old", expires_at=NOW + HOUR)

REC = recorded(A)
GONE = recorded(A, expires_at=NOW)
GUARDED = recorded(A, settings=PROTECTED)
LEAVING = retiring(EDITED)
UNRETIRED = retiring(EDITED, expires_at=None)

DECLARED: list[tuple[str, Desired, list[Recorded], list[LiveCache], Change]] = [
    ("life", LONGER, [REC], [OWN], Refresh(LONGER, OWN, REC, Reason.LIFE)),
    ("life-to-moment", FIXED, [REC], [OWN], Refresh(FIXED, OWN, REC, Reason.LIFE)),
    ("shortened", A, [REC], [CUT], Refresh(A, CUT, REC, Reason.SHORTENED)),
    ("within-tolerance", A, [REC], [BARELY_CUT], Keep(A, BARELY_CUT, REC, Reason.CURRENT)),
    (
        "expiring",
        A,
        [recorded(A, expires_at=LOW.expires_at)],
        [LOW],
        Refresh(A, LOW, recorded(A, expires_at=LOW.expires_at), Reason.EXPIRING),
    ),
    ("settings", SETTINGS, [REC], [OWN], Note(SETTINGS, OWN, REC, Reason.SETTINGS)),
    (
        "settings-and-expiring",
        SETTINGS,
        [recorded(A, expires_at=LOW.expires_at)],
        [LOW],
        Refresh(SETTINGS, LOW, recorded(A, expires_at=LOW.expires_at), Reason.SETTINGS),
    ),
    ("current", A, [REC], [OWN], Keep(A, OWN, REC, Reason.CURRENT)),
    ("living-longer", A, [REC], [EXTENDED], Keep(A, EXTENDED, REC, Reason.CURRENT)),
    (
        "once-low",
        BRIEF,
        [recorded(BRIEF, expires_at=LOW.expires_at)],
        [LOW],
        Keep(BRIEF, LOW, recorded(BRIEF, expires_at=LOW.expires_at), Reason.CURRENT),
    ),
    ("found", A, [], [TWIN], Adopt(A, TWIN, None, None, Reason.FOUND)),
    (
        "twin-of-another-reported-model",
        A,
        [],
        [ECHOED],
        Adopt(A, ECHOED, None, None, Reason.FOUND),
    ),
    ("latest-twin", A, [], [TWIN, LATER_TWIN], Adopt(A, LATER_TWIN, None, None, Reason.FOUND)),
    ("twin-of-the-dead", A, [GONE], [TWIN], Adopt(A, TWIN, None, GONE, Reason.EXPIRED)),
    ("twin-of-the-missing", A, [REC], [TWIN], Adopt(A, TWIN, None, REC, Reason.MISSING)),
    (
        "twin-of-an-edit",
        EDITED,
        [REC],
        [OWN, NEW_TWIN],
        Adopt(EDITED, NEW_TWIN, OWN, REC, Reason.CONTENT),
    ),
    ("imported", ADOPTING, [], [HAND, TWIN], Adopt(ADOPTING, HAND, None, None, Reason.IMPORTED)),
    ("import-gone", ADOPTING, [], [TWIN], Adopt(ADOPTING, TWIN, None, None, Reason.IMPORTED)),
    ("import-nothing", ADOPTING, [], [], Create(ADOPTING, None, Reason.IMPORTED)),
    ("import-done", ADOPTING, [REC], [OWN, HAND], Keep(ADOPTING, OWN, REC, Reason.CURRENT)),
    (
        "import-model",
        ADOPTING,
        [],
        [WRONG_HAND],
        Blocked(
            "a",
            ADOPTING,
            WRONG_HAND,
            None,
            Reason.IMPORTED,
            "cachedContents/hand is a cache of gemini-2.5-pro, not of gemini-3.8-flash",
        ),
    ),
    ("model", MODEL, [REC], [OWN], Replace(MODEL, OWN, REC, Reason.MODEL)),
    ("content", EDITED, [REC], [OWN], Replace(EDITED, OWN, REC, Reason.CONTENT)),
    ("over-unrecorded", OVER, [], [], Keep(OVER, None, None, Reason.ENDED)),
    ("over-recorded", OVER, [recorded(OVER)], [], Keep(OVER, None, recorded(OVER), Reason.ENDED)),
    (
        "once-over",
        BRIEF,
        [recorded(BRIEF, expires_at=NOW)],
        [],
        Keep(BRIEF, None, recorded(BRIEF, expires_at=NOW), Reason.ENDED),
    ),
    (
        "once-missing",
        BRIEF,
        [recorded(BRIEF)],
        [],
        Create(BRIEF, recorded(BRIEF), Reason.MISSING),
    ),
    ("new", A, [], [], Create(A, None, Reason.NEW)),
    ("expired", A, [GONE], [], Create(A, GONE, Reason.EXPIRED)),
    ("listed-past-expiry", A, [GONE], [DEAD], Create(A, GONE, Reason.EXPIRED)),
    ("missing", A, [REC], [], Create(A, REC, Reason.MISSING)),
    ("edit-of-the-dead", EDITED, [GONE], [], Create(EDITED, GONE, Reason.CONTENT)),
    ("life-of-the-dead", LONGER, [GONE], [], Create(LONGER, GONE, Reason.LIFE)),
    ("was-annotation", A, [noted(NOTE)], [], Create(A, noted(NOTE), Reason.PROVIDER)),
    ("annotation-new", NOTE, [], [], Annotate(NOTE, None, None, Reason.NEW)),
    (
        "annotation-content",
        OTHER_NOTE,
        [noted(NOTE)],
        [],
        Annotate(OTHER_NOTE, None, noted(NOTE), Reason.CONTENT),
    ),
    (
        "annotation-life",
        LONG_NOTE,
        [noted(NOTE)],
        [],
        Annotate(LONG_NOTE, None, noted(NOTE), Reason.LIFE),
    ),
    ("annotation-same", NOTE, [noted(NOTE)], [], Keep(NOTE, None, noted(NOTE), Reason.CURRENT)),
    ("was-cache", NOTE, [REC], [OWN], Annotate(NOTE, OWN, REC, Reason.PROVIDER)),
    ("was-dead-cache", NOTE, [GUARDED], [], Annotate(NOTE, None, GUARDED, Reason.PROVIDER)),
    (
        "was-protected-cache",
        NOTE,
        [GUARDED],
        [OWN],
        Blocked(
            "a",
            NOTE,
            OWN,
            GUARDED,
            Reason.PROVIDER,
            "cachedContents/1 is protected and claude would take its place",
        ),
    ),
    (
        "protected-edit",
        desired("a", "y", settings=PROTECTED),
        [GUARDED],
        [OWN],
        Replace(desired("a", "y", settings=PROTECTED), OWN, GUARDED, Reason.CONTENT),
    ),
]


@pytest.mark.parametrize(
    ("want", "known", "seen", "change"), [pytest.param(*row, id=name) for name, *row in DECLARED]
)
def test_declared(
    want: Desired, known: list[Recorded], seen: list[LiveCache], change: Change
) -> None:
    """Every declared entry gets exactly the change of its row, first of all."""
    assert plan([want], state(*known), seen, stack=STACK, now=NOW).changes[0] == change


FORCED: list[tuple[str, Desired, list[Recorded], list[LiveCache], Change]] = [
    ("own", A, [REC], [OWN, TWIN], Replace(A, OWN, REC, Reason.REQUESTED)),
    ("dead", A, [GONE], [TWIN], Create(A, GONE, Reason.REQUESTED)),
    ("edited", EDITED, [REC], [OWN], Replace(EDITED, OWN, REC, Reason.CONTENT)),
    (
        "once-over",
        BRIEF,
        [recorded(BRIEF, expires_at=NOW)],
        [],
        Create(BRIEF, recorded(BRIEF, expires_at=NOW), Reason.REQUESTED),
    ),
    ("over", OVER, [recorded(OVER)], [], Keep(OVER, None, recorded(OVER), Reason.ENDED)),
]


@pytest.mark.parametrize(
    ("want", "known", "seen", "change"), [pytest.param(*row, id=name) for name, *row in FORCED]
)
def test_replace_on_request(
    want: Desired, known: list[Recorded], seen: list[LiveCache], change: Change
) -> None:
    """A requested replacement takes neither the own cache nor a twin for an answer."""
    changes = plan([want], state(*known), seen, stack=STACK, now=NOW, replace={"a"}).changes

    assert changes[0] == change


Row = tuple[str, list[Recorded], list[RetiringCache], list[LiveCache], set[str], list[Change]]
BLOCKED = Blocked(
    "a",
    None,
    OWN,
    GUARDED,
    Reason.UNDECLARED,
    "cachedContents/1 is protected; set `protect: false` and apply before removing it",
)
AT_ONCE_REC = recorded(A, settings=AT_ONCE)
OLD_LONG = live(EDITED, "cachedContents/old", expires_at=NOW + HOUR + 3 * SECOND)
ELSEWHERE = live(A, label=None)

REST: list[Row] = [
    ("annotation", [noted(NOTE)], [], [], set(), [Forget(noted(NOTE), Reason.UNDECLARED)]),
    ("dead", [GUARDED], [], [], set(), [Forget(GUARDED, Reason.UNDECLARED)]),
    ("protected", [GUARDED], [], [OWN], set(), [BLOCKED]),
    ("protected-destroy", [GUARDED], [], [OWN], {"destroy"}, [BLOCKED]),
    ("live", [REC], [], [OWN], set(), [Retire(OWN, REC, Reason.UNDECLARED)]),
    ("at-once", [AT_ONCE_REC], [], [OWN], set(), [Delete(OWN, AT_ONCE_REC, Reason.UNDECLARED)]),
    ("destroy", [REC], [], [OWN], {"destroy"}, [Delete(OWN, REC, Reason.UNDECLARED)]),
    ("retired", [], [LEAVING], [], set(), [Forget(LEAVING, Reason.RETIRED)]),
    (
        "retiring-destroy",
        [],
        [LEAVING],
        [OLD],
        {"destroy"},
        [Delete(OLD, LEAVING, Reason.UNDECLARED)],
    ),
    ("to-retire", [], [UNRETIRED], [OLD], set(), [Retire(OLD, UNRETIRED, Reason.RETIRING)]),
    ("too-long", [], [LEAVING], [OLD_LONG], set(), [Retire(OLD_LONG, LEAVING, Reason.RETIRING)]),
    ("retiring", [], [LEAVING], [OLD], set(), [Leave(OLD, LEAVING, Reason.RETIRING)]),
    ("stray", [], [], [OWN], set(), [Leave(OWN, None, Reason.STRAY)]),
    ("prune", [], [], [OWN], {"prune"}, [Delete(OWN, None, Reason.STRAY)]),
    ("destroy-stray", [], [], [OWN], {"destroy"}, [Leave(OWN, None, Reason.STRAY)]),
    ("prune-foreign", [], [], [ELSEWHERE], {"prune"}, []),
]


@pytest.mark.parametrize(
    ("known", "leaving", "seen", "flags", "changes"),
    [pytest.param(*row, id=name) for name, *row in REST],
)
def test_everything_else(
    known: list[Recorded],
    leaving: list[RetiringCache],
    seen: list[LiveCache],
    flags: set[str],
    changes: list[Change],
) -> None:
    """What nobody declares is forgotten, blocked, retired, deleted or left by its row."""
    told = plan(
        [],
        state(*known, retiring=leaving),
        seen,
        stack=STACK,
        now=NOW,
        destroy="destroy" in flags,
        prune="prune" in flags,
    )

    assert told.changes == tuple(changes)


CAUSES = {
    Cause.EDIT: "NEW IMPORTED MOVED PROVIDER MODEL CONTENT LIFE SETTINGS REQUESTED UNDECLARED",
    Cause.TIME: "ENDED EXPIRED EXPIRING RETIRED RETIRING",
    Cause.DRIFT: "FOUND MISSING SHORTENED STRAY",
    None: "CURRENT",
}


def test_causes() -> None:
    """Every reason has the cause that the table gives it."""
    told = {reason: cause for cause, reasons in CAUSES.items() for reason in reasons.split()}

    assert {reason.name: reason.cause for reason in Reason} == told


def changes_of(
    want: Sequence[Desired],
    known: Sequence[RecordedCache],
    seen: Sequence[LiveCache],
    replace: Collection[str] = (),
    leaving: Sequence[RetiringCache] = (),
) -> tuple[Change, ...]:
    told = plan(want, state(*known, retiring=leaving), seen, stack=STACK, now=NOW, replace=replace)
    return told.changes


def test_revert_adopts_the_retiring() -> None:
    """A reverted edit takes back the cache that was retiring, which then has no row of its own."""
    new, old = live(EDITED, "cachedContents/new"), live(A, "cachedContents/old")
    leaving = retiring(A)
    record = recorded(EDITED, "cachedContents/new")

    assert changes_of([A], [record], [new, old], leaving=[leaving]) == (
        Adopt(A, old, new, record, Reason.CONTENT),
    )


def test_rename_by_adopting() -> None:
    """A cache recorded under a removed name can be adopted under a new one, and is not retired."""
    renamed = desired("b", adopt="cachedContents/1")

    assert changes_of([renamed], [REC], [OWN]) == (
        Adopt(renamed, OWN, None, None, Reason.IMPORTED),
    )


def test_adopting_from_a_neighbour() -> None:
    """What another declared entry has on record is not adopted away from it."""
    thief = desired("b", adopt="cachedContents/1")

    keep, blocked = changes_of([A, thief], [REC], [OWN])

    assert keep == Keep(A, OWN, REC, Reason.CURRENT)
    assert isinstance(blocked, Blocked)


def test_one_twin_for_one_entry() -> None:
    """A cache that one entry adopts by id is no twin for another."""
    b = desired("b")
    cache = live(b)
    first = desired("a", adopt=cache.id)

    adopt, create = changes_of([first, b], [], [cache])

    assert isinstance(adopt, Adopt)
    assert create == Create(b, None, Reason.NEW)


def test_another_provider() -> None:
    """Moving an entry to another project of the same kind replaces it there."""
    moved = desired("a", provider="gemini-b")

    assert changes_of([moved], [REC], [OWN]) == (Replace(moved, OWN, REC, Reason.PROVIDER),)
