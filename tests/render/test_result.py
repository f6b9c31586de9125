"""The outcome of a plan is shown once per change, and summed up."""

from __future__ import annotations

import pytest

from provisioner.cache import GeminiHandle
from provisioner.errors import CacheNotFound, NetworkError
from provisioner.model.changes import Create, Reason
from provisioner.model.facts import Done, Failed, Result
from provisioner.planner import decision_table as table
from provisioner.render.layout import columns
from provisioner.render.result import result_line, result_text
from tests.builders import desired
from tests.render.fixtures import PLAN, RESULTS, golden


def test_lines() -> None:
    """A finished change is one line, also if its error has several."""
    assert [result_line(result, colour=False, shown={}) for result in RESULTS] == [
        "± product-manual: replaced",
        r"! brand-new: create failed: gemini cannot answer now: 503, says\nthe model is overloaded",
        "· old-faq: retire not attempted: interrupted",
    ]


def test_colour_marks_the_end() -> None:
    """In colour the symbol tells good from bad."""
    assert result_line(RESULTS[1], colour=True, shown={}).startswith("\x1b[31m!\x1b[0m brand-new")


@pytest.mark.parametrize("width", [80, 200])
def test_golden(width: int) -> None:
    """Done, not attempted and failed: a table, and a line that scripts look for."""
    text = result_text(RESULTS, width=width, colour=False)

    assert text == golden(f"result-{width}.txt")
    assert all(columns(line) <= width for line in text.splitlines())


def refused(number: int) -> list[Result]:
    """So many creates that a quota refused, and one that failed for another reason."""
    wants = [desired(f"n{one:02}") for one in range(number)]
    changes = [Create(want, None, Reason.NEW, table.NOTHING_ALIVE) for want in wants]
    slow, other = NetworkError("slow down"), NetworkError("no answer")
    return [Result(one, Failed(slow if one != changes[1] else other)) for one in changes]


@pytest.mark.parametrize("width", [80, 200])
def test_equal_failures_are_shown_once(width: int) -> None:
    """Thirty failures for one reason are one row with their count and all their names."""
    text = result_text(refused(31), width=width, colour=False)

    assert text.count("slow") == text.count("no answer") == 1
    assert "30 caches" in text
    assert all(text.count(f"n{one:02}") == 1 for one in range(31))
    assert all(columns(line) <= width for line in text.splitlines())


def test_equal_lines_refer_to_the_first() -> None:
    """As changes end, a failure like an earlier one names it and repeats nothing."""
    shown: dict[str, str] = {}

    lines = [result_line(result, colour=False, shown=shown) for result in refused(3)]

    assert lines == [
        "! n00: create failed: slow down",
        "! n01: create failed: no answer",
        "! n02: create failed: as n00",
    ]


def test_a_clean_apply_is_one_line() -> None:
    """Where everything is done there is nothing to list."""
    text = result_text([RESULTS[0]], width=80, colour=False)

    assert text == "Applied: 1 done, 0 failed, 0 not attempted.\n"


def test_every_outcome_of_every_change_has_words() -> None:
    """Each pending change can be done and can fail."""
    error = CacheNotFound(GeminiHandle("cachedContents/1"))
    for change in PLAN.pending:
        assert "failed" not in result_line(Result(change, Done()), colour=False, shown={})
        assert "does not exist" in result_line(
            Result(change, Failed(error)), colour=False, shown={}
        )
