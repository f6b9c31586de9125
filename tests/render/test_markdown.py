"""A comment under a pull request: edits in rows, the rest folded, never too long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from provisioner.errors import NetworkError
from provisioner.model.attributes import Settings
from provisioner.model.changes import (
    Annotate,
    Blocked,
    Change,
    Create,
    Delete,
    Forget,
    Note,
    Reason,
    Refresh,
    Retire,
)
from provisioner.model.facts import Done, Failed, Result
from provisioner.model.money import total
from provisioner.model.records import DesiredCache
from provisioner.planner import decision_table as table
from provisioner.render.markdown import (
    FEW,
    LIMIT,
    grouped,
    plan_markdown,
    result_markdown,
    together,
)
from provisioner.view.plan import RowView
from tests.builders import HOUR, annotation, desired, live, noted, recorded
from tests.render.fixtures import AT, MANUAL, PLAN, RESULTS, cache, golden, plan_of, view
from tests.test_escape import NASTY

CELL = 4
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def created(count: int, model: str = "m") -> list[Change]:
    return [
        Create(cache(f"c{at}", model=model), None, Reason.NEW, table.NOTHING_ALIVE)
        for at in range(count)
    ]


def tables(text: str) -> list[list[list[Token]]]:
    """The cells of every row of every table, headers left out."""
    read: list[list[list[Token]]] = []
    for token in GITHUB.parse(text):
        match token.type:
            case "table_open":
                read.append([])
            case "tr_open":
                read[-1].append([])
            case "inline" if token.level == CELL:
                read[-1][-1].append(token)
            case _:
                pass
    return [rows[1:] for rows in read]


def kinds(cells: Sequence[Token]) -> set[str]:
    return {child.type for cell in cells for child in cell.children or ()}


def test_golden_plan() -> None:
    """Every kind of change, as it has been read and found good."""
    assert plan_markdown(view(PLAN, valid_until=AT)) == golden("plan.md")


def test_golden_result() -> None:
    """What failed has a row, what is done is folded."""
    assert result_markdown(PLAN, RESULTS) == golden("result.md")


def test_a_row_per_edit_and_a_fold_per_cause() -> None:
    """What a fingerprint covers is one table; other drift and lifecycle are folded and counted."""
    text = plan_markdown(view(PLAN))
    edits, drift, lifecycle = tables(text)

    assert (len(edits), len(drift), len(lifecycle)) == (12, 3, 2)
    assert "<summary>Drift: the live side changed (3)</summary>" in text
    assert "<summary>Lifecycle: time passed (2)</summary>" in text
    assert all(len(cells) == 7 for table in (edits, drift, lifecycle) for cells in table)


def test_nothing_edited_is_a_headline() -> None:
    """A plan without changes has no table."""
    text = plan_markdown(view(plan_of()))

    assert text.startswith("### ctxprov: `demo`: no changes\n")
    assert "Money" not in text
    assert tables(text) == []


@pytest.mark.parametrize("count", [1, 700, pytest.param(10_000, marks=pytest.mark.heavy)])
def test_ten_thousand_changes_fit(count: int) -> None:
    """However many changes, a comment stays below its limit, and the count is whole."""
    refreshes = [
        Refresh(
            cache("warm"), live(cache("warm")), recorded(cache("warm")), Reason.EXPIRING, table.DUE
        )
    ] * count
    text = plan_markdown(view(plan_of(*created(count), *refreshes)))
    shown = [len(table) for table in tables(text)]
    left = [int(line.split()[2].replace(",", "")) for line in text.splitlines() if "… and" in line]

    assert len(text.encode()) < LIMIT
    assert sum(shown) + sum(left) == 2 * count
    assert text.endswith("`.\n")


def test_a_cut_comment_is_no_approval() -> None:
    """It says that it is cut and where the whole is, and its fingerprint is whole all the same."""
    whole = plan_markdown(view(plan_of(*created(5))))
    cut = plan_markdown(view(plan_of(*created(500))), limit=4_000)

    assert "cut" not in whole
    assert "**This comment is cut**, so it is no approval" in cut
    assert f"`{plan_of(*created(500)).fingerprint}`.\n" in cut


def test_several_comments_are_one() -> None:
    """Each is whole while there is room; of the others the headline stays, and all fit."""
    many = [plan_markdown(view(plan_of(*created(count)))) for count in (300, 2, 300)]
    text = together(many, limit=40_000)

    assert len(text.encode()) < 40_000
    assert [line for line in text.splitlines() if line.startswith("###")] == [
        one.splitlines()[0] for one in many
    ]
    assert many[1] in text
    assert text.count(many[0]) == 1
    assert "**This comment is cut**" in text
    assert together(many[1:2] * 2) == f"{many[1]}\n{many[1]}"


@given(st.integers(0, 60), st.integers(200, 6_000))
def test_headlines_fit_too(count: int, limit: int) -> None:
    """Several comments are below their limit; headlines without room are counted."""
    one = plan_markdown(view(plan_of()))
    text = together([one] * count, limit=limit)
    shown = text.count("### ctxprov: ")
    more = f"\n… and {count - shown} more.\n" if shown < count else ""

    assert len(text.encode()) < limit
    assert more in text
    assert ("**This comment is cut**" in text) == (text.count(one) < count)


def test_the_headline_tells_what_how_much_and_until_when() -> None:
    """Replacements first, then money, then how long the plan is true."""
    plan = plan_of(PLAN.changes[1], PLAN.changes[0])
    first = plan_markdown(view(plan, valid_until=AT + HOUR)).splitlines()[0]

    assert first == (
        "### ctxprov: `demo`: 1 replaced, 1 created"
        " · `~$0.31 once` · `+~$0.10/h` · valid until 18:10Z"
    )


def test_the_foot_names_the_commit() -> None:
    """A comment names its commit."""
    text = plan_markdown(view(PLAN, commit="0123456789abcdef" * 2 + "01234567"))

    assert "Planned at 2026-01-01 17:10Z of commit `0123456789ab`." in text


def test_a_model_without_a_price_says_so() -> None:
    """In its row and in the foot; it is never nothing."""
    text = plan_markdown(view(plan_of(*created(2, model="unheard-of"))))

    assert text.count("| `no price` |") == 2
    assert "2 lines have no price." in text
    assert "$0" not in text


def test_many_alike_are_one_row() -> None:
    """Three hundred manuals are a line, and the counts stay those of the changes."""
    many = [
        Create(cache(f"manual-{at}"), None, Reason.NEW, table.NOTHING_ALIVE) for at in range(300)
    ]
    text = plan_markdown(view(plan_of(*many, *created(1))))
    grouped, single = tables(text)[0]

    assert [cell.content for cell in grouped][:2] == ["+ create", "`manual-*`: 300 created"]
    assert grouped[-1].content == "`~$45.69 once, +~$30.46/h`"
    assert single[1].content == "`c0`"
    assert "301 created" in text.splitlines()[0]


def test_an_edit_among_others_has_its_row() -> None:
    """A cache that loses its protection is not counted with those that get another setting."""
    longer = replace(MANUAL.settings, retire_after=2 * HOUR)
    guarded = cache("prod-billing", settings=replace(MANUAL.settings, protect=True))
    changes = [
        Note(
            cache("prod-billing"), live(guarded), recorded(guarded), Reason.SETTINGS, table.SETTINGS
        )
    ]
    for one in (cache(f"prod-{at}") for at in range(6)):
        want = replace(one, settings=longer)
        changes.append(Note(want, live(one), recorded(one), Reason.SETTINGS, table.SETTINGS))
    (edits,) = tables(plan_markdown(view(plan_of(*changes))))

    assert [[cell.content for cell in cells[1:4:2]] for cells in edits] == [
        ["`prod-billing`", "protect true → false"],
        ["`prod-*`: 6 noted", "retire_after 1h → 2h"],
    ]


def test_edits_come_before_all_else() -> None:
    """Where there is no room for everything, edits get it."""
    drift = [
        Create(cache(f"d{at}"), recorded(cache(f"d{at}")), Reason.MISSING, table.NOTHING_ALIVE)
        for at in range(90)
    ]
    text = plan_markdown(view(plan_of(*drift, *created(20))), limit=4_000)

    assert "`c19`" in text
    assert "(90)</summary>" in text
    assert len(text) < 4_000


@given(st.lists(NASTY, min_size=1, max_size=4), st.integers(1_000, 3_000))
def test_hostile_text_stays_in_its_cell(texts: list[str], limit: int) -> None:
    """With any names and models: a row each, seven cells each, only words and code."""
    changes = [
        Create(replace(desired(), name=text, model=text), None, Reason.NEW, table.NOTHING_ALIVE)
        for text in texts
    ]
    text = plan_markdown(view(plan_of(*changes)), limit=limit)
    read = tables(text)
    left = text.count("… and")

    assert len(text.encode()) < limit
    assert left or len(read[0]) == len(texts)
    for cells in read[0] if read else ():
        assert len(cells) == 7
        assert kinds(cells) <= {"text", "code_inline", "text_special"}


@given(NASTY)
def test_hostile_errors_stay_in_their_cell(message: str) -> None:
    """A server's words in a result are words."""
    change = Create(cache("a"), None, Reason.NEW, table.NOTHING_ALIVE)
    text = result_markdown(plan_of(change), [Result(change, Failed(NetworkError(message)))])
    ((cells,),) = tables(text)

    assert len(cells) == 3
    assert kinds(cells) <= {"text", "code_inline"}


def test_all_done_is_folded() -> None:
    """A clean apply is a count."""
    change = Create(cache("a"), None, Reason.NEW, table.NOTHING_ALIVE)
    text = result_markdown(plan_of(change), [Result(change, Done())])

    assert "Applied: 1 done, 0 failed, 0 not attempted." in text
    assert "<summary>Done (1)</summary>" in text


def test_a_provider_that_reads_like_a_reference() -> None:
    """A project's name from a manifest links to nothing; those of the three types are words."""
    named = replace(MANUAL, provider="gh-12")
    page = plan_markdown(view(plan_of(Create(named, None, Reason.NEW, table.NOTHING_ALIVE))))

    assert "| `gh-12` `" in page
    assert "| gemini `" in plan_markdown(
        view(plan_of(Create(MANUAL, None, Reason.NEW, table.NOTHING_ALIVE)))
    )


def created_rows(*names: str, model: str = "gemini-3.8-flash") -> list[RowView]:
    return rows_of(
        Create(cache(name, model=model), None, Reason.NEW, table.NOTHING_ALIVE) for name in names
    )


def rows_of(changes: Iterable[Change]) -> list[RowView]:
    return [*view(plan_of(*changes)).rows]


def note(name: str, settings: Settings) -> Note:
    want = cache(name, settings=settings)
    return Note(want, live(want), recorded(cache(name)), Reason.SETTINGS, table.SETTINGS)


def refresh(name: str, minutes: int = 30) -> Refresh:
    want = cache(name)
    seen = live(want, expires_at=AT + HOUR * minutes / 60)
    return Refresh(want, seen, recorded(want), Reason.EXPIRING, table.DUE)


def many(prefix: str, count: int = FEW + 1) -> list[str]:
    return [f"{prefix}-{at}" for at in range(count)]


@given(st.lists(st.sampled_from([*many("a"), *many("a-b"), *many("c"), "d"]), max_size=40))
def test_nothing_is_lost(names: list[str]) -> None:
    """However names begin, groups hold as many rows, tokens and dollars as there were."""
    rows = created_rows(*names)
    groups = grouped(rows)
    costs, wholes = [row.cost for row in rows], [group.row.cost for group in groups]

    assert sum(group.size for group in groups) == len(rows)
    for key in ("once", "rent_per_hour_after", "rent_per_hour_change", "rent_30_days"):
        whole, single = (
            total(getattr(cost, key) for cost in several if cost) for several in (wholes, costs)
        )
        assert whole == single


def test_few_are_listed() -> None:
    """Five that are alike are five rows, six are one."""
    assert len(grouped(created_rows(*many("a", FEW)))) == FEW
    assert [(one.row.name, one.size) for one in grouped(created_rows(*many("a")))] == [("a-*", 6)]


def test_the_longest_beginning_is_named() -> None:
    """A name is cut at a hyphen, as far along as all agree; one that is whole counts too."""
    assert grouped(created_rows(*many("tenant-acme")))[0].row.name == "tenant-acme-*"
    assert grouped(created_rows(*many("tenant-acme"), "tenant-b"))[0].row.name == "tenant-*"
    assert grouped(created_rows(*many("manual-1")[:5], "manual-10"))[0].row.name == "manual-*"


def test_only_what_is_alike_goes_together() -> None:
    """Another model, or another thing to do, is another group."""
    rows = [
        *created_rows(*many("a")),
        *rows_of(map(refresh, many("a"))),
        *created_rows(*many("a"), model="gemini-3.7-flash"),
        *created_rows("plain"),
    ]

    assert [(one.row.action, one.size) for one in grouped(rows)] == [
        ("create", 6),
        ("refresh", 6),
        ("create", 6),
        ("create", 1),
    ]


def test_sizes_and_tokens_add_up() -> None:
    """A group holds what its rows hold, and its count is an estimate if any of them is."""
    (group,) = grouped(created_rows(*many("a")))

    assert (group.row.sizes, group.row.tokens) == ("4.9 MB", "~1.2M")


def test_sentences_that_differ_are_the_reason() -> None:
    """What a schedule renews before several times has the reason in its sentence."""
    rows = rows_of(refresh(name, minutes) for minutes, name in enumerate(many("a"), 1))
    (group,) = grouped(rows)

    assert (group.row.why, group.size) == ("expiring", 6)


LONGER = Settings(refresh_before=HOUR, retire_after=2 * HOUR)
GUARDED = Settings(refresh_before=HOUR, retire_after=HOUR, protect=True)


@given(st.lists(st.sampled_from([LONGER, GUARDED]), max_size=20))
def test_every_edit_is_shown(settings: list[Settings]) -> None:
    """Edits go together only if one sentence tells all of each."""
    rows = rows_of(note(f"prod-{at}", one) for at, one in enumerate(settings))
    counted: Counter[str] = Counter()
    for group in grouped(rows):
        counted[group.row.why] += group.size

    assert counted == Counter(row.why for row in rows)


@pytest.mark.parametrize(
    "remove",
    [
        lambda want: Retire(live(want), recorded(want), Reason.UNDECLARED, table.UNDECLARED),
        lambda want: Delete(live(want), recorded(want), Reason.UNDECLARED, table.UNDECLARED),
        lambda want: Forget(recorded(want), Reason.UNDECLARED, table.UNDECLARED_GONE),
    ],
)
def test_every_removal_is_named(remove: Callable[[DesiredCache], Change]) -> None:
    """However many caches an edit removes, each has its row."""
    names = many("prod", 40)
    groups = grouped(rows_of(remove(cache(name)) for name in names))

    assert [group.row.name for group in groups] == names


def test_drift_goes_together() -> None:
    """What is deleted because it drifted is not an edit, and counted."""
    strays = rows_of(
        Delete(live(cache(name)), None, Reason.STRAY, table.STRAY) for name in many("a")
    )

    assert [group.size for group in grouped(strays)] == [FEW + 1]


def test_refusals_go_together_by_sentence() -> None:
    """What is refused for the same reason is counted; for another it has its own row."""
    reasons = [*["it is protected"] * (FEW + 1), "it takes over what is another's"]
    rows = rows_of(
        Blocked(
            None,
            live(cache(name)),
            recorded(cache(name)),
            Reason.UNDECLARED,
            why,
            table.UNDECLARED_PROTECTED,
        )
        for name, why in zip(many("a", len(reasons)), reasons, strict=True)
    )

    assert [(one.row.why, one.size) for one in grouped(rows)] == [
        (reasons[0], FEW + 1),
        (reasons[-1], 1),
    ]


def test_writes_add_up() -> None:
    """A group of annotations costs what all their writes cost."""
    notes = [annotation(name) for name in many("a")]
    sized = [replace(one, measure=replace(one.measure, tokens=10**6)) for one in notes]
    rows = view(
        plan_of(
            *(Annotate(one, None, noted(one), Reason.CONTENT, table.ANNOTATION) for one in sized)
        )
    ).rows
    (group,) = grouped(rows)

    assert group.row.cost
    assert group.row.cost.use
    assert rows[0].cost
    assert rows[0].cost.use
    assert group.row.cost.use.made.nano == 6 * rows[0].cost.use.made.nano
