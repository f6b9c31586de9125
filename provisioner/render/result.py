"""
What became of a plan: a line for each change as it ends, and a table when all have.

Errors carry untrusted text of servers and files: each is shown as one escaped line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from provisioner.escape import json_text, plain
from provisioner.model.changes import Tone
from provisioner.model.facts import Done, Failed, NotAttempted, Result
from provisioner.model.money import Cost
from provisioner.model.plan import Plan
from provisioner.render.layout import NARROWEST, Column, Palette, clip, columns, hang, table_rows
from provisioner.view.result import result_view
from provisioner.view.wording import section, symbol, tone

OutcomeName: TypeAlias = Literal["done", "failed", "not attempted"]
OUTCOMES: tuple[OutcomeName, ...] = ("done", "not attempted", "failed")
"""What matters most comes last, where a terminal shows it."""
_TALLIED: tuple[OutcomeName, ...] = ("done", "failed", "not attempted")

_SHAPE = (Column(), Column(), Column(narrow="wrap"))
_MEMBERS = "      "
_MOST = 48
"""As long as a name may be."""


class ResultRow(Struct, frozen=True, kw_only=True):
    """How one change ended, as text.  It is untrusted."""

    outcome: OutcomeName
    symbol: str
    tone: Tone
    name: str
    action: str
    text: str


def result_row(result: Result) -> ResultRow:
    change = result.change
    outcome: OutcomeName
    match result.outcome:
        case Done():
            under = section(change)
            mark, colour = symbol(change.verb, under), tone(change.verb, under)
            outcome, text = "done", change.past
        case Failed(error):
            outcome, mark, colour, text = "failed", "!", "bad", str(error)
        case NotAttempted(why):
            outcome, mark, colour, text = "not attempted", "·", "quiet", why
    return ResultRow(
        outcome=outcome, symbol=mark, tone=colour, name=change.name, action=change.verb, text=text
    )


def result_line(result: Result, *, colour: bool, shown: dict[str, str]) -> str:
    """
    One line, without its end: `+ manual: created`, `! manual: create failed: …`.

    *shown* maps the text of each earlier failure to the name that it was shown for, and
    gains this one: a failure like an earlier one is `! faq: create failed: as manual`.
    """
    row = result_row(result)
    text = row.text
    if row.outcome != "done":
        first = shown.setdefault(row.text, row.name)
        why = row.text if first == row.name else f"as {first}"
        text = f"{row.action} {row.outcome}: {why}"
    mark = Palette(colour).paint(row.symbol, row.tone)
    return f"{mark} {plain(row.name)}: {plain(text)}"


def result_text(results: Iterable[Result], *, width: int, colour: bool) -> str:
    """Count how everything ended; if anything did not end well, list it all."""
    width, palette = max(width, NARROWEST), Palette(colour)
    rows = [result_row(result) for result in results]
    number = tally(rows)
    blocks = [
        _block(outcome, [row for row in rows if row.outcome == outcome], width, palette)
        for outcome in OUTCOMES
        if number[outcome] and number["done"] < len(rows)
    ]
    lines = ["\n".join(block) + "\n\n" for block in blocks]
    return "".join(lines) + palette.paint(tally_line(number), "strong") + "\n"


def result_json(plan: Plan, results: Sequence[Result], costs: Iterable[Cost]) -> str:
    """The changes as in the plan, with their *costs*, each with its outcome and its error."""
    return json_text(result_view(plan, results, costs))


def summary_line(results: Iterable[Result]) -> str:
    """The tally alone, on one line."""
    return tally_line(tally([result_row(result) for result in results]))


def tally(rows: Iterable[ResultRow]) -> Mapping[OutcomeName, int]:
    counts = Counter(row.outcome for row in rows)
    return {outcome: counts[outcome] for outcome in _TALLIED}


def tally_line(number: Mapping[OutcomeName, int]) -> str:
    """`Applied: 3 done, 1 failed, 2 not attempted.`"""
    return f"Applied: {', '.join(f'{count} {outcome}' for outcome, count in number.items())}."


def _block(
    outcome: OutcomeName, rows: Sequence[ResultRow], width: int, palette: Palette
) -> list[str]:
    """A row for each change; those that ended for the same reason share one."""
    groups = _alike(rows)
    titles = [_title(group) for group in groups]
    names = min(max(map(columns, titles)), _MOST, width // 3)
    cells = [
        (
            f"  {palette.paint(row.symbol, row.tone)} {clip(title, names)}",
            row.action,
            "" if outcome == "done" else plain(row.text),
        )
        for title, (row, *_) in zip(titles, groups, strict=True)
    ]
    lines = [palette.paint(outcome.capitalize(), "strong")]
    for row_lines, group in zip(table_rows(_SHAPE, cells, width=width), groups, strict=True):
        lines += row_lines
        if len(group) > 1:
            members = ", ".join(sorted(plain(row.name) for row in group))
            lines += hang(_MEMBERS, members, width=width, indent=len(_MEMBERS))
    return lines


def _alike(rows: Iterable[ResultRow]) -> list[list[ResultRow]]:
    """*rows* in their order; those that were not done, with what was to be done and why not."""
    groups: dict[tuple[str, ...], list[ResultRow]] = {}
    for row in rows:
        key = (row.name,) if row.outcome == "done" else (row.action, row.text)
        groups.setdefault(key, []).append(row)
    return list(groups.values())


def _title(group: Sequence[ResultRow]) -> str:
    return plain(group[0].name) if len(group) == 1 else f"{len(group):,} caches"
