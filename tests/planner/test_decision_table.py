"""The tables of the planner, row by row: change, reason and cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace

from provisioner.cache import ClaudeHandle
from provisioner.model.attributes import Adoption, Label, Measure, Settings, Ttl, Until
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
    Move,
    Note,
    Reason,
    Refresh,
    Replace,
    Retire,
)
from provisioner.model.records import (
    Desired,
    DesiredCache,
    LiveCache,
    Recorded,
    RecordedCache,
    RetiringCache,
)
from provisioner.planner import decision_table as table
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
ADOPTING = desired("a", adopt=Adoption("cachedContents/hand"))
VOUCHED = desired("a", adopt=Adoption("cachedContents/hand", A.label.mark))
STALE = desired("a", adopt=Adoption("cachedContents/hand", "0" * 16))
COUNTED = desired("a", adopt=ADOPTING.adopt, measure=Measure(tokens=5_051, counted=True))
NEARLY = desired("a", adopt=ADOPTING.adopt, measure=Measure(tokens=5_050, counted=True))
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
HAND = live(A, "cachedContents/hand", label=None, tokens=5_000)
WRONG_HAND = live(A, "cachedContents/hand", label=None, model="gemini-2.5-pro")
THEIRS = live(A, "cachedContents/hand", label=Label("other", "a", A.label.mark))
NEIGHBOURS = live(A, "cachedContents/hand", label=Label(STACK, "b", A.label.mark))
RELABELLED = live(A, "cachedContents/hand", label=Label(STACK, "a", "0" * 16))
OLD = live(EDITED, "cachedContents/old", expires_at=NOW + HOUR)

REC = recorded(A)
GONE = recorded(A, expires_at=NOW)
GUARDED = recorded(A, settings=PROTECTED)
LEAVING = retiring(EDITED)
UNRETIRED = retiring(EDITED, expires_at=None)


def blocked_import(
    name: str, want: DesiredCache, named: LiveCache, why: str
) -> tuple[str, Desired, list[Recorded], list[LiveCache], Change]:
    change = Blocked(want, named, None, Reason.IMPORTED, f"{named.id} {why}", table.NOT_ADOPTABLE)
    return f"import-blocked-by-{name}", want, [], [named], change


DECLARED: list[tuple[str, Desired, list[Recorded], list[LiveCache], Change]] = [
    ("life", LONGER, [REC], [OWN], Refresh(LONGER, OWN, REC, Reason.LIFE, table.DUE)),
    ("life-to-moment", FIXED, [REC], [OWN], Refresh(FIXED, OWN, REC, Reason.LIFE, table.DUE)),
    ("shortened", A, [REC], [CUT], Refresh(A, CUT, REC, Reason.SHORTENED, table.DUE)),
    (
        "within-tolerance",
        A,
        [REC],
        [BARELY_CUT],
        Keep(A, BARELY_CUT, REC, Reason.CURRENT, table.UNCHANGED),
    ),
    (
        "expiring",
        A,
        [recorded(A, expires_at=LOW.expires_at)],
        [LOW],
        Refresh(A, LOW, recorded(A, expires_at=LOW.expires_at), Reason.EXPIRING, table.DUE),
    ),
    ("settings", SETTINGS, [REC], [OWN], Note(SETTINGS, OWN, REC, Reason.SETTINGS, table.SETTINGS)),
    (
        "settings-and-expiring",
        SETTINGS,
        [recorded(A, expires_at=LOW.expires_at)],
        [LOW],
        Refresh(SETTINGS, LOW, recorded(A, expires_at=LOW.expires_at), Reason.SETTINGS, table.DUE),
    ),
    ("current", A, [REC], [OWN], Keep(A, OWN, REC, Reason.CURRENT, table.UNCHANGED)),
    (
        "living-longer",
        A,
        [REC],
        [EXTENDED],
        Keep(A, EXTENDED, REC, Reason.CURRENT, table.UNCHANGED),
    ),
    (
        "once-low",
        BRIEF,
        [recorded(BRIEF, expires_at=LOW.expires_at)],
        [LOW],
        Keep(
            BRIEF, LOW, recorded(BRIEF, expires_at=LOW.expires_at), Reason.CURRENT, table.UNCHANGED
        ),
    ),
    ("found", A, [], [TWIN], Adopt(A, TWIN, None, None, Reason.FOUND, table.TWIN)),
    (
        "twin-of-another-reported-model",
        A,
        [],
        [ECHOED],
        Adopt(A, ECHOED, None, None, Reason.FOUND, table.TWIN),
    ),
    (
        "latest-twin",
        A,
        [],
        [TWIN, LATER_TWIN],
        Adopt(A, LATER_TWIN, None, None, Reason.FOUND, table.TWIN),
    ),
    ("twin-of-the-dead", A, [GONE], [TWIN], Adopt(A, TWIN, None, GONE, Reason.EXPIRED, table.TWIN)),
    (
        "twin-of-the-missing",
        A,
        [REC],
        [TWIN],
        Adopt(A, TWIN, None, REC, Reason.MISSING, table.TWIN),
    ),
    (
        "twin-of-an-edit",
        EDITED,
        [REC],
        [OWN, NEW_TWIN],
        Adopt(EDITED, NEW_TWIN, OWN, REC, Reason.CONTENT, table.TWIN),
    ),
    (
        "imported",
        ADOPTING,
        [],
        [HAND],
        Adopt(ADOPTING, HAND, None, None, Reason.IMPORTED, table.TWIN),
    ),
    (
        "twin-before-import",
        ADOPTING,
        [],
        [HAND, TWIN],
        Adopt(ADOPTING, TWIN, None, None, Reason.FOUND, table.TWIN),
    ),
    ("import-gone", ADOPTING, [], [], Create(ADOPTING, None, Reason.NEW, table.NOTHING_ALIVE)),
    (
        "import-vouched",
        VOUCHED,
        [],
        [HAND],
        Adopt(VOUCHED, HAND, None, None, Reason.IMPORTED, table.TWIN),
    ),
    (
        "import-of-other-content",
        STALE,
        [],
        [HAND],
        Create(STALE, None, Reason.NEW, table.NOTHING_ALIVE),
    ),
    (
        "import-done",
        ADOPTING,
        [REC],
        [OWN, HAND],
        Keep(ADOPTING, OWN, REC, Reason.CURRENT, table.UNCHANGED),
    ),
    (
        "import-of-another-reported-model",
        ADOPTING,
        [],
        [WRONG_HAND],
        Adopt(ADOPTING, WRONG_HAND, None, None, Reason.IMPORTED, table.TWIN),
    ),
    blocked_import("stack", ADOPTING, THEIRS, "belongs to the stack other"),
    blocked_import("entry", ADOPTING, NEIGHBOURS, "belongs to another entry of this stack"),
    blocked_import(
        "label", ADOPTING, RELABELLED, f"has other content: its label ends in @{'0' * 16}"
    ),
    blocked_import(
        "count",
        COUNTED,
        HAND,
        "has other content: the provider counts 5,000 tokens in it, and 5,051 in what is declared",
    ),
    (
        "import-within-one-percent",
        NEARLY,
        [],
        [HAND],
        Adopt(NEARLY, HAND, None, None, Reason.IMPORTED, table.TWIN),
    ),
    ("model", MODEL, [REC], [OWN], Replace(MODEL, OWN, REC, Reason.MODEL, table.OUTDATED)),
    ("content", EDITED, [REC], [OWN], Replace(EDITED, OWN, REC, Reason.CONTENT, table.OUTDATED)),
    ("over-unrecorded", OVER, [], [], Keep(OVER, None, None, Reason.ENDED, table.ENDED)),
    (
        "over-recorded",
        OVER,
        [recorded(OVER)],
        [],
        Keep(OVER, None, recorded(OVER), Reason.ENDED, table.ENDED),
    ),
    (
        "once-over",
        BRIEF,
        [recorded(BRIEF, expires_at=NOW)],
        [],
        Keep(BRIEF, None, recorded(BRIEF, expires_at=NOW), Reason.ENDED, table.ENDED),
    ),
    (
        "once-missing",
        BRIEF,
        [recorded(BRIEF)],
        [],
        Create(BRIEF, recorded(BRIEF), Reason.MISSING, table.NOTHING_ALIVE),
    ),
    ("new", A, [], [], Create(A, None, Reason.NEW, table.NOTHING_ALIVE)),
    ("expired", A, [GONE], [], Create(A, GONE, Reason.EXPIRED, table.NOTHING_ALIVE)),
    ("listed-past-expiry", A, [GONE], [DEAD], Refresh(A, DEAD, GONE, Reason.EXPIRING, table.DUE)),
    ("twin-past-expiry", A, [], [DEAD], Adopt(A, DEAD, None, None, Reason.FOUND, table.TWIN)),
    (
        "once-listed-past-expiry",
        BRIEF,
        [recorded(BRIEF, expires_at=NOW)],
        [DEAD],
        Keep(BRIEF, DEAD, recorded(BRIEF, expires_at=NOW), Reason.CURRENT, table.UNCHANGED),
    ),
    ("missing", A, [REC], [], Create(A, REC, Reason.MISSING, table.NOTHING_ALIVE)),
    (
        "edit-of-the-dead",
        EDITED,
        [GONE],
        [],
        Create(EDITED, GONE, Reason.CONTENT, table.NOTHING_ALIVE),
    ),
    (
        "life-of-the-dead",
        LONGER,
        [GONE],
        [],
        Create(LONGER, GONE, Reason.LIFE, table.NOTHING_ALIVE),
    ),
    (
        "was-annotation",
        A,
        [noted(NOTE)],
        [],
        Create(A, noted(NOTE), Reason.PROVIDER, table.NOTHING_ALIVE),
    ),
    ("annotation-new", NOTE, [], [], Annotate(NOTE, None, None, Reason.NEW, table.ANNOTATION)),
    (
        "annotation-content",
        OTHER_NOTE,
        [noted(NOTE)],
        [],
        Annotate(OTHER_NOTE, None, noted(NOTE), Reason.CONTENT, table.ANNOTATION),
    ),
    (
        "annotation-life",
        LONG_NOTE,
        [noted(NOTE)],
        [],
        Annotate(LONG_NOTE, None, noted(NOTE), Reason.LIFE, table.ANNOTATION),
    ),
    (
        "annotation-same",
        NOTE,
        [noted(NOTE)],
        [],
        Keep(NOTE, None, noted(NOTE), Reason.CURRENT, table.ANNOTATED),
    ),
    ("was-cache", NOTE, [REC], [OWN], Annotate(NOTE, OWN, REC, Reason.PROVIDER, table.ANNOTATION)),
    (
        "was-dead-cache",
        NOTE,
        [GUARDED],
        [],
        Annotate(NOTE, None, GUARDED, Reason.PROVIDER, table.ANNOTATION),
    ),
    (
        "was-protected-cache",
        NOTE,
        [GUARDED],
        [OWN],
        Blocked(
            NOTE,
            OWN,
            GUARDED,
            Reason.PROVIDER,
            "cachedContents/1 is protected and claude would take its place",
            table.ANNOTATION_PROTECTED,
        ),
    ),
    (
        "protected-edit",
        desired("a", "y", settings=PROTECTED),
        [GUARDED],
        [OWN],
        Replace(
            desired("a", "y", settings=PROTECTED), OWN, GUARDED, Reason.CONTENT, table.OUTDATED
        ),
    ),
]


@pytest.mark.parametrize(
    ("want", "known", "seen", "change"), [pytest.param(*row, id=name) for name, *row in DECLARED]
)
def test_declared(
    want: Desired, known: list[Recorded], seen: list[LiveCache], change: Change
) -> None:
    """Every declared entry gets exactly the change of its row, first of all."""
    wants = [want, desired("b", "z")]

    assert plan(wants, state(*known), seen, stack=STACK, now=NOW).changes[0] == change


FORCED: list[tuple[str, Desired, list[Recorded], list[LiveCache], Change]] = [
    ("own", A, [REC], [OWN, TWIN], Replace(A, OWN, REC, Reason.REQUESTED, table.OUTDATED)),
    ("dead", A, [GONE], [TWIN], Create(A, GONE, Reason.REQUESTED, table.NOTHING_ALIVE)),
    ("edited", EDITED, [REC], [OWN], Replace(EDITED, OWN, REC, Reason.CONTENT, table.OUTDATED)),
    (
        "once-over",
        BRIEF,
        [recorded(BRIEF, expires_at=NOW)],
        [],
        Create(BRIEF, recorded(BRIEF, expires_at=NOW), Reason.REQUESTED, table.NOTHING_ALIVE),
    ),
    (
        "over",
        OVER,
        [recorded(OVER)],
        [],
        Keep(OVER, None, recorded(OVER), Reason.ENDED, table.ENDED),
    ),
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
    None,
    OWN,
    GUARDED,
    Reason.UNDECLARED,
    "cachedContents/1 is protected; set `protect: false` and apply before removing it",
    table.UNDECLARED_PROTECTED,
)
GUARDED_A = desired("a", settings=PROTECTED, measure=REC.measure)
GUARDED_LOW = recorded(A, settings=PROTECTED, expires_at=LOW.expires_at)
AT_ONCE_REC = recorded(A, settings=AT_ONCE)
OLD_LONG = live(EDITED, "cachedContents/old", expires_at=NOW + HOUR + 3 * SECOND)
ELSEWHERE = live(A, label=None)

REST: list[Row] = [
    (
        "annotation",
        [noted(NOTE)],
        [],
        [],
        set(),
        [Forget(noted(NOTE), Reason.UNDECLARED, table.UNDECLARED_GONE)],
    ),
    ("dead", [GUARDED], [], [], set(), [Forget(GUARDED, Reason.UNDECLARED, table.UNDECLARED_GONE)]),
    ("protected", [GUARDED], [], [OWN], set(), [BLOCKED]),
    ("protected-destroy", [GUARDED], [], [OWN], {"destroy"}, [BLOCKED]),
    (
        "protected-expiring",
        [GUARDED_LOW],
        [],
        [LOW],
        set(),
        [
            replace(BLOCKED, live=LOW, record=GUARDED_LOW),
            Refresh(GUARDED_A, LOW, GUARDED_LOW, Reason.EXPIRING, table.PROTECTED_DUE),
        ],
    ),
    (
        "protected-expiring-destroy",
        [GUARDED_LOW],
        [],
        [LOW],
        {"destroy"},
        [replace(BLOCKED, live=LOW, record=GUARDED_LOW)],
    ),
    (
        "protected-shortened",
        [GUARDED],
        [],
        [CUT],
        set(),
        [
            replace(BLOCKED, live=CUT),
            Refresh(GUARDED_A, CUT, GUARDED, Reason.SHORTENED, table.PROTECTED_DUE),
        ],
    ),
    ("live", [REC], [], [OWN], set(), [Retire(OWN, REC, Reason.UNDECLARED, table.UNDECLARED)]),
    (
        "at-once",
        [AT_ONCE_REC],
        [],
        [OWN],
        set(),
        [Delete(OWN, AT_ONCE_REC, Reason.UNDECLARED, table.UNDECLARED)],
    ),
    (
        "destroy",
        [REC],
        [],
        [OWN],
        {"destroy"},
        [Delete(OWN, REC, Reason.UNDECLARED, table.UNDECLARED)],
    ),
    ("retired", [], [LEAVING], [], set(), [Forget(LEAVING, Reason.RETIRED, table.RETIRED)]),
    (
        "retiring-destroy",
        [],
        [LEAVING],
        [OLD],
        {"destroy"},
        [Delete(OLD, LEAVING, Reason.UNDECLARED, table.RETIRING_DESTROYED)],
    ),
    (
        "to-retire",
        [],
        [UNRETIRED],
        [OLD],
        set(),
        [Retire(OLD, UNRETIRED, Reason.RETIRING, table.UNRETIRED)],
    ),
    (
        "too-long",
        [],
        [LEAVING],
        [OLD_LONG],
        set(),
        [Retire(OLD_LONG, LEAVING, Reason.RETIRING, table.UNRETIRED)],
    ),
    (
        "retiring",
        [],
        [LEAVING],
        [OLD],
        set(),
        [Leave(OLD, LEAVING, Reason.RETIRING, table.RETIRING)],
    ),
    ("stray", [], [], [OWN], set(), [Leave(OWN, None, Reason.STRAY, table.STRAY)]),
    ("prune", [], [], [OWN], {"prune"}, [Delete(OWN, None, Reason.STRAY, table.STRAY)]),
    ("destroy-stray", [], [], [OWN], {"destroy"}, [Leave(OWN, None, Reason.STRAY, table.STRAY)]),
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
    """The row of an undeclared cache forgets, blocks, retires, deletes or leaves it."""
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
        Adopt(A, old, new, record, Reason.CONTENT, table.TWIN),
    )


def test_rename_by_adopting() -> None:
    """A cache recorded under a removed name can be adopted under a new one, and is not retired."""
    renamed = desired("b", adopt=Adoption("cachedContents/1"))

    assert changes_of([renamed], [REC], [OWN]) == (
        Adopt(renamed, OWN, None, None, Reason.IMPORTED, table.TWIN),
    )


def test_adopting_from_a_neighbour() -> None:
    """What another declared entry has on record is not adopted away from it."""
    thief = desired("b", adopt=Adoption("cachedContents/1"))

    keep, blocked = changes_of([A, thief], [REC], [OWN])

    assert keep == Keep(A, OWN, REC, Reason.CURRENT, table.UNCHANGED)
    assert isinstance(blocked, Blocked)


def test_one_twin_for_one_entry() -> None:
    """A cache that one entry adopts by id is not adopted by another."""
    first, second = (desired(name, adopt=Adoption(HAND.id)) for name in "ab")

    adopt, blocked = changes_of([first, second], [], [HAND])

    assert isinstance(adopt, Adopt)
    assert isinstance(blocked, Blocked)


def test_the_record_of_another_stack() -> None:
    """What another stack has on record is neither adopted by id or label, nor a stray to prune."""
    owners = {HAND.id: "demo.prod", TWIN.id: "demo.prod"}

    blocked, *strays = plan(
        [ADOPTING], state(), [HAND, TWIN], stack=STACK, now=NOW, owners=owners, prune=True
    ).changes

    assert blocked == Blocked(
        ADOPTING,
        HAND,
        None,
        Reason.IMPORTED,
        f"{HAND.id} belongs to the stack demo.prod",
        table.NOT_ADOPTABLE,
    )
    assert strays == []


@pytest.mark.parametrize("prune", [False, True])
def test_the_label_of_another_stack(*, prune: bool) -> None:
    """What carries another stack's label, or none, is no stray of this one."""
    assert plan([], state(), [THEIRS, HAND], stack=STACK, now=NOW, prune=prune).changes == ()


def test_a_stray_under_two_names() -> None:
    """A stray whose project is declared under two names stands in a plan once."""
    twice = [OWN, replace(OWN, provider="gemini-b")]

    assert [c.verb for c in plan([], state(), twice, stack=STACK, now=NOW).changes] == ["leave"]


@pytest.mark.parametrize(
    ("want", "later", "verb"),
    [
        ([], timedelta(), "delete"),
        ([A], timedelta(), "leave"),
        ([A], 2 * SECOND, "leave"),
        ([A], 2 * SECOND + timedelta.resolution, "retire"),
    ],
)
def test_what_retires_while_its_name_lives(
    want: list[Desired], later: timedelta, verb: str
) -> None:
    """To destroy deletes what retires under a name that is declared no more, and nothing else."""
    own = replace(OLD, expires_at=OLD.expires_at + later)
    changes = plan(
        want, state(retiring=[LEAVING]), [own], stack=STACK, now=NOW, destroy=True
    ).changes

    assert [c.verb for c in changes if c.live == own] == [verb]


def test_a_plan_knows_the_clocks_of_its_providers() -> None:
    """A plan remembers how far ahead each provider's clock was."""
    told = plan([A], state(), [], stack=STACK, now=NOW, ahead={"gemini": HOUR})

    assert told.now_of("gemini") == NOW + HOUR


def test_a_record_of_ours_suffices() -> None:
    """A stack refreshes and deletes what it has on record, though others record or label it."""
    labelled = live(A, label=Label("other", "a", A.label.mark))
    low = replace(labelled, updated_at=NOW - 5 * HOUR, expires_at=NOW + HOUR / 2)
    record = recorded(A, expires_at=low.expires_at)
    owners = {OWN.id: "demo.prod"}

    (refresh,) = plan([A], state(record), [low], stack=STACK, now=NOW, owners=owners).changes
    (delete,) = plan(
        [], state(REC), [labelled], stack=STACK, now=NOW, owners=owners, destroy=True
    ).changes

    assert isinstance(refresh, Refresh)
    assert isinstance(delete, Delete)


def test_the_clock_of_each_provider() -> None:
    """Each provider's own clock opens the window and decides what has run out."""
    second = desired("b", provider="gemini-b")
    records = [recorded(A), replace(recorded(second), expires_at=NOW + HOUR)]

    keep, create = plan(
        [A, second],
        state(*records),
        [OWN],
        stack=STACK,
        now=NOW,
        ahead={"gemini": -3 * HOUR, "gemini-b": 3 * HOUR},
    ).changes
    (refresh,) = plan(
        [A], state(REC), [OWN], stack=STACK, now=NOW, ahead={"gemini": 6 * HOUR}
    ).changes

    assert keep == Keep(A, OWN, REC, Reason.CURRENT, table.UNCHANGED)
    assert create == Create(second, records[1], Reason.EXPIRED, table.NOTHING_ALIVE)
    assert refresh == Refresh(A, OWN, REC, Reason.EXPIRING, table.DUE)


def test_another_provider() -> None:
    """Moving an entry to another project of the same kind replaces it there."""
    moved = desired("a", provider="gemini-b")

    assert changes_of([moved], [REC], [OWN]) == (
        Replace(moved, OWN, REC, Reason.PROVIDER, table.OUTDATED),
    )


CHANGES = [
    *((name, change) for name, *_, change in (*DECLARED, *FORCED)),
    *((name, change) for name, *_, changes in REST for change in changes),
    ("moved", Move("b", recorded(), Reason.MOVED, table.MOVED)),
    ("held", Blocked(desired(), None, recorded(), Reason.MISSING, "held", table.DISAPPEARED)),
]

ANY_EDIT = "PROVIDER MODEL CONTENT LIFE SETTINGS"
REASONS = {
    "create": f"{ANY_EDIT} EXPIRED MISSING NEW IMPORTED REQUESTED",
    "replace": f"{ANY_EDIT} REQUESTED",
    "adopt": f"{ANY_EDIT} EXPIRED MISSING IMPORTED FOUND",
    "refresh": "LIFE SETTINGS SHORTENED EXPIRING",
    "note": "SETTINGS",
    "annotate": f"{ANY_EDIT} NEW",
    "keep": "CURRENT ENDED",
    "move": "MOVED",
    "retire": "UNDECLARED RETIRING",
    "delete": "UNDECLARED STRAY",
    "forget": "UNDECLARED RETIRED",
    "leave": "RETIRING STRAY",
    "blocked": f"{ANY_EDIT} IMPORTED MISSING UNDECLARED",
}


@pytest.mark.parametrize("change", [pytest.param(change, id=name) for name, change in CHANGES])
def test_verb_and_reason(change: Change) -> None:
    """The row of a change allows its verb and its reason."""
    assert change.verb in change.row.verbs
    assert change.reason in change.row.reasons


def test_every_row() -> None:
    """Every row stands in the list of rows once, and leads to a change of the tables by hand."""
    assert {change.row.id for _, change in CHANGES} == {row.id for row in table.ROWS}
    assert len({row.id for row in table.ROWS}) == len(table.ROWS)


def test_the_rows() -> None:
    """The rows of the table are these, in the order of its guards."""
    assert [row.id for row in table.ROWS] == [
        *("due", "settings", "unchanged", "twin", "not-adoptable", "outdated", "ended"),
        *("nothing-alive", "disappeared"),
        *("annotated", "annotation-protected", "annotation"),
        *("moved", "undeclared-gone", "undeclared-protected", "undeclared", "protected-due"),
        *("retired", "retiring-destroyed", "unretired", "retiring", "stray"),
    ]


def test_reasons() -> None:
    """Each verb may stand with the reasons of its rows, and with no others."""
    names = {verb: {reason.name for reason in reasons} for verb, reasons in table.REASONS.items()}

    assert names == {verb: set(reasons.split()) for verb, reasons in REASONS.items()}
