"""A comment under a pull request: edits in rows, the rest folded, never too long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from msgspec.structs import replace

from provisioner.errors import NetworkError
from provisioner.model import Change, Create, Done, Failed, Note, Reason, Refresh, Result
from provisioner.render.markdown import LIMIT, plan_markdown, result_markdown, together
from tests.builders import HOUR, desired, live, recorded
from tests.render.fixtures import AT, MANUAL, PLAN, RESULTS, cache, golden, plan_of, view
from tests.test_escape import NASTY

CELL = 4
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def created(count: int, model: str = "m") -> list[Change]:
    return [Create(cache(f"c{at}", model=model), None, Reason.NEW) for at in range(count)]


def tables(text: str) -> list[list[list[Token]]]:
    """The cells of every row of every table, headers left out."""
    found: list[list[list[Token]]] = []
    for token in GITHUB.parse(text):
        match token.type:
            case "table_open":
                found.append([])
            case "tr_open":
                found[-1].append([])
            case "inline" if token.level == CELL:
                found[-1][-1].append(token)
            case _:
                pass
    return [rows[1:] for rows in found]


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
        Refresh(cache("warm"), live(cache("warm")), recorded(cache("warm")), Reason.EXPIRING)
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
    """Whoever reads a comment knows of which commit it is."""
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
    many = [Create(cache(f"manual-{at}"), None, Reason.NEW) for at in range(300)]
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
    changes = [Note(cache("prod-billing"), live(guarded), recorded(guarded), Reason.SETTINGS)]
    for one in (cache(f"prod-{at}") for at in range(6)):
        want = replace(one, settings=longer)
        changes.append(Note(want, live(one), recorded(one), Reason.SETTINGS))
    (edits,) = tables(plan_markdown(view(plan_of(*changes))))

    assert [[cell.content for cell in cells[1:4:2]] for cells in edits] == [
        ["`prod-billing`", "protect true → false"],
        ["`prod-*`: 6 noted", "retire_after 1h → 2h"],
    ]


def test_edits_come_before_all_else() -> None:
    """Where there is no room for everything, edits get it."""
    drift = [Create(cache(f"d{at}"), recorded(cache(f"d{at}")), Reason.MISSING) for at in range(90)]
    text = plan_markdown(view(plan_of(*drift, *created(20))), limit=4_000)

    assert "`c19`" in text
    assert "(90)</summary>" in text
    assert len(text) < 4_000


@given(st.lists(NASTY, min_size=1, max_size=4), st.integers(1_000, 3_000))
def test_hostile_text_stays_in_its_cell(texts: list[str], limit: int) -> None:
    """Whatever names and models hold: a row each, seven cells each, only words and code."""
    changes = [
        Create(replace(desired(), name=text, model=text), None, Reason.NEW) for text in texts
    ]
    text = plan_markdown(view(plan_of(*changes)), limit=limit)
    found = tables(text)
    left = text.count("… and")

    assert len(text.encode()) < limit
    assert left or len(found[0]) == len(texts)
    for cells in found[0] if found else ():
        assert len(cells) == 7
        assert kinds(cells) <= {"text", "code_inline", "text_special"}


@given(NASTY)
def test_hostile_errors_stay_in_their_cell(words: str) -> None:
    """A server's words in a result are words."""
    change = Create(cache("a"), None, Reason.NEW)
    text = result_markdown(plan_of(change), [Result(change, Failed(NetworkError(words)))])
    ((cells,),) = tables(text)

    assert len(cells) == 3
    assert kinds(cells) <= {"text", "code_inline"}


def test_all_done_is_folded() -> None:
    """A clean apply is a count."""
    change = Create(cache("a"), None, Reason.NEW)
    text = result_markdown(plan_of(change), [Result(change, Done())])

    assert "Applied: 1 done, 0 failed, 0 not attempted." in text
    assert "<summary>Done (1)</summary>" in text


def test_a_provider_that_reads_like_a_reference() -> None:
    """A project's name from a manifest links to nothing; those of the three types are words."""
    named = replace(MANUAL, provider="gh-12")
    told = plan_markdown(view(plan_of(Create(named, None, Reason.NEW))))

    assert "| `gh-12` `" in told
    assert "| gemini `" in plan_markdown(view(plan_of(Create(MANUAL, None, Reason.NEW))))
