"""
A plan, or what became of it, as a comment under a pull request.

People review edits, so those have a row each; what time and drift bring is a count, and
folded.  A comment has a limit: rows are left out whole, and counted.  Names and sentences
are code spans, or plain words that mean nothing to Markdown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from provisioner.model import Plan, Result
from provisioner.render.escape import markdown, plain, prose
from provisioner.render.layout import clip
from provisioner.render.limits import limit_sentences
from provisioner.render.result import Ending, ending, tally, tally_line
from provisioner.render.row import Row, by_heading
from provisioner.render.summary import headline, validity
from provisioner.render.view import PlanView
from provisioner.render.wording import DRIFT, EDITS, LIFECYCLE, REFUSED

LIMIT = 65_536
"""What a comment on GitHub may hold; counted in bytes, so that nobody counts more."""

_CELL = 160
_MORE = "\n… and {:,} more.\n"
_PLAN = ("Change", "Cache", "Provider and model", "Why", "Bytes", "Tokens")
_RESULT = ("Change", "Cache", "Outcome")


def plan_markdown(plan: PlanView, *, limit: int = LIMIT) -> str:
    """Show what somebody edited and fold the rest; less than *limit* bytes of UTF-8."""
    groups = by_heading([row for row in plan.rows if row.is_told])
    edited = [*groups.get(EDITS, ()), *groups.get(REFUSED, ())]
    tables = [
        _Table(None, _PLAN, [_row_cells(row) for row in edited]),
        *(
            _Table(heading, _PLAN, [_row_cells(row) for row in groups.get(heading, ())])
            for heading in (DRIFT, LIFECYCLE)
        ),
    ]
    limits = "".join(f"\n{_sentence(one)}\n" for one in limit_sentences(plan.limits))
    head = f"### ctxprov: {markdown(plan.stack)}: {headline(plan)}\n{limits}"
    foot = f"\n{validity(plan)} Fingerprint `{plan.fingerprint}`.\n"
    return _page(head, tables, foot, limit)


def result_markdown(plan: Plan, results: Iterable[Result], *, limit: int = LIMIT) -> str:
    """Show what did not end well and fold the rest; less than *limit* bytes of UTF-8."""
    ends = [ending(result) for result in results]
    tables = [
        _Table(None, _RESULT, [_end_cells(end) for end in ends if end.fate != "done"]),
        _Table("Done", _RESULT, [_end_cells(end) for end in ends if end.fate == "done"]),
    ]
    head = f"### ctxprov: {markdown(plan.stack)}\n\n{tally_line(tally(ends))}\n"
    return _page(head, tables, f"\nFingerprint `{plan.fingerprint}`.\n", limit)


@dataclass(frozen=True, slots=True)
class _Table:
    """Rows of cells that are Markdown already; folded if it has a title."""

    title: str | None
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def top(self) -> str:
        fold = f"<details><summary>{self.title} ({len(self.rows):,})</summary>\n\n"
        head = f"{_line(self.header)}|{'---|' * len(self.header)}\n"
        return f"\n{fold if self.title else ''}{head}"

    @property
    def bottom(self) -> str:
        return "\n</details>\n" if self.title else ""


def _page(head: str, tables: Iterable[_Table], foot: str, limit: int) -> str:
    """Give each table in turn what room there is, having kept enough for all frames."""
    filled = [table for table in tables if table.rows]
    frames = [table.top + _MORE.format(len(table.rows)) + table.bottom for table in filled]
    room = limit - 1 - sum(map(_bytes, (head, foot, *frames)))
    parts = [head]
    for table in filled:
        lines = list(_fitting(table.rows, room))
        room -= sum(map(_bytes, lines))
        left = len(table.rows) - len(lines)
        parts += [table.top, *lines, _MORE.format(left) if left else "", table.bottom]
    return "".join([*parts, foot])


def _fitting(cells: Iterable[Sequence[str]], room: int) -> Iterator[str]:
    for line in map(_line, cells):
        room -= _bytes(line)
        if room < 0:
            return
        yield line


def _row_cells(row: Row) -> tuple[str, ...]:
    return (
        f"{row.symbol} {row.action}",
        _span(row.name),
        f"{row.provider} {_span(row.model)}",
        prose(_short(row.why)),
        row.sizes,
        row.tokens.replace("~", "\\~"),
    )


def _end_cells(end: Ending) -> tuple[str, ...]:
    outcome = "" if end.fate == "done" else f"{end.fate}: "
    return f"{end.symbol} {end.action}", _span(end.name), f"{outcome}{prose(_short(end.words))}"


def _sentence(text: str) -> str:
    """What it begins with stands out."""
    word, colon, rest = text.partition(": ")
    return f"**{word}**: {markdown(rest)}" if colon else markdown(text)


def _span(text: str) -> str:
    return markdown(_short(text))


def _short(text: str) -> str:
    return clip(plain(text), _CELL)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |\n"


def _bytes(text: str) -> int:
    return len(text.encode())
