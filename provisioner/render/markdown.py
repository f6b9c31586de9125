"""
A plan, or what became of it, as a comment under a pull request.

People review edits, so those have a row each; what time and drift bring is a count, and
folded.  Rows that one sentence describes are one group, which adds up their sizes, tokens and
money; but each entry that an edit removes has its own row.  A comment has a limit: rows are left
out whole, and counted.  Names and sentences are code spans, or plain words that mean nothing to
Markdown.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Struct
from msgspec.structs import replace

from provisioner.escape import markdown, plain, prose
from provisioner.model.facts import Result
from provisioner.model.money import FREE, Cost, total
from provisioner.model.plan import Plan
from provisioner.model.records import made_of
from provisioner.render import summary
from provisioner.render.layout import clip
from provisioner.render.result import ResultRow, result_row, tally, tally_line
from provisioner.view.plan import REMOVALS, PlanView, RowView, by_section
from provisioner.view.snapshot import Snapshot
from provisioner.view.units import cost_text, moment_short, rent_text, totals_text, unpriced_text
from provisioner.view.wording import PAST_TENSE, Section, limit_sentences

LIMIT = 65_536
"""What a comment on GitHub may hold; counted in bytes, the strictest way to count."""

FEW = 5
"""So many alike are still listed one by one."""
_CELL = 160
_LONGEST = 800
_MORE = "\n… and {:,} more.\n"
_CUT = (
    "\n**This comment is cut**, so it is no approval: read the whole plan, "
    "which the job keeps as an artifact.\n"
)
_ORDER = tuple(Section)
_PLAN = ("Change", "Cache", "Provider and model", "Why", "Bytes", "Tokens", "Money")
_SETTINGS = ("Setting of the stack", "Before", "After")
_RESULT = ("Change", "Cache", "Outcome")


def plan_markdown(plan: PlanView, *, limit: int = LIMIT) -> str:
    """Show the edits and fold the rest; less than *limit* bytes of UTF-8."""
    shown = [row for row in plan.rows if row.is_shown]
    edited = [row for row in shown if row.is_edit]
    groups = by_section([row for row in shown if not row.is_edit])
    removed = [
        _line("- removed", _span(edit.name), "", "no change of its own", "", "", "")
        for edit in plan.unshown
    ]
    settings = [_line(*map(_span, summary.setting_cells(edit))) for edit in plan.settings]
    tables = [
        _plan_table(None, sorted(edited, key=lambda row: _ORDER.index(row.section)), removed),
        _Table(None, _SETTINGS, settings),
        *(
            _plan_table(section.heading, groups.get(section, ()))
            for section in (Section.DRIFT, Section.LIFECYCLE)
        ),
    ]
    caveats = summary.migration_line(plan), summary.rested_line(plan)
    sentences = filter(None, (*limit_sentences(plan.limits), *caveats))
    limits = "".join(f"\n{_sentence(one)}\n" for one in sentences)
    limits += "".join(f"\n{markdown(one)}\n" for one in summary.leftover_lines(plan))
    head = f"### ctxprov: {markdown(plan.stack)}: {_headline(plan)}\n{limits}"
    return _page(head, tables, f"\n{' '.join(_foot(plan))}\n", limit)


def together(comments: Sequence[str], *, limit: int = LIMIT) -> str:
    """Several comments as one below *limit*; of those without room the headline stays."""
    whole = "\n".join(comments)
    if _bytes(whole) < limit:
        return whole
    heads = _heads(comments)
    room = limit - 1 - _bytes("\n".join([*heads, _CUT]))
    if room < 0:
        return headlines(comments, limit=limit)
    parts = []
    for comment, head in zip(comments, heads, strict=True):
        rest = _bytes(comment) - _bytes(head)
        fits = rest <= room
        room -= rest if fits else 0
        parts.append(comment if fits else head)
    return "\n".join([*parts, _CUT])


def headlines(comments: Sequence[str], *, limit: int = LIMIT) -> str:
    """
    What *comments* begin with, as far as there is room below *limit*; the others are counted.

    That is a cut comment; *limit* has room to say so.
    """
    room = limit - 1 - _bytes(_MORE.format(len(comments)) + _CUT)
    shown = list(_fitting([_Line(f"{head}\n") for head in _heads(comments)], room))
    left = len(comments) - len(shown)
    return "".join([*(line.text for line in shown), _MORE.format(left) if left else "", _CUT])


def is_cut(comment: str) -> bool:
    """Whether *comment*, or one in it, left something out; nothing foreign reads like that."""
    return _CUT in comment


def result_markdown(plan: Plan, results: Iterable[Result], *, limit: int = LIMIT) -> str:
    """Show what did not end well and fold the rest; less than *limit* bytes of UTF-8."""
    rows = [result_row(result) for result in results]
    done = [_result_line(row) for row in rows if row.outcome == "done"]
    undone = [_result_line(row) for row in rows if row.outcome != "done"]
    tables = [_Table(None, _RESULT, undone), _Table("Done", _RESULT, done)]
    head = f"### ctxprov: {markdown(plan.stack)}\n\n{tally_line(tally(rows))}\n"
    return _page(head, tables, f"\nFingerprint `{plan.fingerprint}`.\n", limit)


class _Line(Struct, frozen=True):
    """A line of Markdown, and for how many changes it stands."""

    text: str
    size: int = 1


class _Table(Struct, frozen=True):
    """Folded if it has a title."""

    title: str | None
    header: Sequence[str]
    rows: Sequence[_Line]

    @property
    def size(self) -> int:
        return sum(row.size for row in self.rows)

    @property
    def top(self) -> str:
        fold = f"<details><summary>{self.title} ({self.size:,})</summary>\n\n"
        head = f"{_line(*self.header).text}|{'---|' * len(self.header)}\n"
        return f"\n{fold if self.title else ''}{head}"

    @property
    def bottom(self) -> str:
        return "\n</details>\n" if self.title else ""


def _page(head: str, tables: Iterable[_Table], foot: str, limit: int) -> str:
    """Give each table in turn what room there is, having kept enough for all frames."""
    filled = [table for table in tables if table.rows]
    frames = [table.top + _MORE.format(table.size) + table.bottom for table in filled]
    room = limit - 1 - sum(map(_bytes, (head, foot, _CUT, *frames)))
    parts, cut = [head], ""
    for table in filled:
        lines = list(_fitting(table.rows, room))
        room -= sum(_bytes(line.text) for line in lines)
        left = table.size - sum(line.size for line in lines)
        cut = _CUT if left else cut
        more = _MORE.format(left) if left else ""
        parts += [table.top, *(line.text for line in lines), more, table.bottom]
    return "".join([*parts, cut, foot])


def _heads(comments: Iterable[str]) -> list[str]:
    return [comment.partition("\n")[0] + "\n" for comment in comments]


def _fitting(lines: Iterable[_Line], room: int) -> Iterator[_Line]:
    for line in lines:
        room -= _bytes(line.text)
        if room < 0:
            return
        yield line


def _headline(plan: PlanView) -> str:
    """`2 replaced, 1 created · $4.10 once · +$0.14/h · valid until 14:05Z`, money in code."""
    money = totals_text(plan.totals).split(" · ")
    until = plan.valid_until
    valid = f"valid until {moment_short(until, at=plan.at)}" if until else ""
    return " · ".join(filter(None, (summary.done_text(plan), *map(markdown, money), valid)))


def _foot(plan: PlanView) -> Iterator[str]:
    if plan.totals.has_rent:
        yield f"Rent after it: {markdown(rent_text(plan.totals))}."
    if lacking := unpriced_text(plan.totals):
        yield f"{lacking}."
    commit = f" of commit `{plan.commit[: summary.SHORT]}`" if plan.commit else ""
    yield f"Planned at {plan.at:%Y-%m-%d %H:%M}Z{commit}."
    if plan.partial:
        yield "This is a part of the plan, selected by name."
    if writes := summary.writes_line(plan):
        yield markdown(clip(writes, _LONGEST))
    yield f"{summary.validity(plan)} Fingerprint `{plan.fingerprint}`."


def _plan_table(title: str | None, rows: Sequence[RowView], more: Iterable[_Line] = ()) -> _Table:
    return _Table(title, _PLAN, [*map(_group_line, grouped(rows)), *more])


def _group_line(group: Group) -> _Line:
    row = group.row
    count = f": {group.size:,} {PAST_TENSE[row.action]}" if group.size > 1 else ""
    cells = (
        f"{row.symbol} {row.action}",
        f"{_span(row.name)}{count}",
        f"{prose(row.provider)} {_span(row.model)}",
        prose(_short(row.why)),
        row.sizes,
        row.tokens.replace("~", "\\~"),
        markdown(cost_text(row.cost)),
    )
    return _line(*cells, size=group.size)


def _result_line(row: ResultRow) -> _Line:
    outcome = "" if row.outcome == "done" else f"{row.outcome}: "
    text = f"{outcome}{prose(_short(row.text))}"
    return _line(f"{row.symbol} {row.action}", _span(row.name), text)


def _sentence(text: str) -> str:
    """What it begins with stands out."""
    word, colon, rest = text.partition(": ")
    short = clip(plain(rest if colon else text), _LONGEST)
    return f"**{word}**: {markdown(short)}" if colon else markdown(short)


def _span(text: str) -> str:
    return markdown(_short(text))


def _short(text: str) -> str:
    return clip(plain(text), _CELL)


def _line(*cells: str, size: int = 1) -> _Line:
    return _Line(f"| {' | '.join(cells)} |\n", size)


def _bytes(text: str) -> int:
    return len(text.encode())


class Group(Struct, frozen=True):
    """One row, or several as if they were one."""

    row: RowView
    size: int = 1


def grouped(rows: Iterable[RowView]) -> tuple[Group, ...]:
    """Put together what is alike, where its first row was."""
    alike: dict[tuple[object, ...], list[RowView]] = defaultdict(list)
    for at, row in enumerate(rows):
        alike[_likeness(row) or (at,)].append(row)
    return tuple(
        group
        for one in alike.values()
        for group in ((_together(one),) if len(one) > FEW else map(Group, one))
    )


def _likeness(row: RowView) -> tuple[object, ...] | None:
    """What the rows of a group have in common; None for a row that stays by itself."""
    word, hyphen, _ = row.name.partition("-")
    if not hyphen or (row.section is Section.EDITS and row.action in REMOVALS):
        return None
    sentence = row.why if row.is_edit else None
    return (row.section, row.action, row.reason, row.provider, row.model, word, sentence)


def _together(rows: Sequence[RowView]) -> Group:
    reasons = {row.why for row in rows}
    row = replace(
        rows[0],
        name=f"{_prefix([row.name for row in rows])}*",
        why=rows[0].why if len(reasons) == 1 else rows[0].reason.value,
        before=_sum_of_snapshots([row.before for row in rows if row.before]),
        after=_sum_of_snapshots([row.after for row in rows if row.after]),
        cost=_sum_of_costs([row.cost for row in rows if row.cost]),
    )
    return Group(row, len(rows))


def _prefix(names: Sequence[str]) -> str:
    """What all of them begin with, up to the last hyphen in it; there is one."""
    first, last = min(names), max(names)
    pairs = zip(first, last, strict=False)
    same = next((at for at, (one, other) in enumerate(pairs) if one != other), len(first))
    return first[: first[:same].rfind("-") + 1]


def _sum_of_snapshots(sides: Sequence[Snapshot]) -> Snapshot | None:
    """What is unknown of one is unknown of the sum."""
    if not sides:
        return None
    sizes = [side.size for side in sides if side.size is not None]
    counts = [side.tokens for side in sides if side.tokens is not None]
    counted = len(counts) == len(sides)
    return replace(
        sides[0],
        size=sum(sizes) if len(sizes) == len(sides) else None,
        tokens=sum(counts) if counted else None,
        tokens_estimated=any(side.tokens_estimated for side in sides) if counted else None,
    )


def _sum_of_costs(costs: Sequence[Cost]) -> Cost | None:
    if not costs:
        return None
    uses = [cost.use for cost in costs if cost.use and cost.use.is_annotation]
    return made_of(
        Cost,
        sum(costs, FREE),
        overlap=total(cost.overlap for cost in costs),
        rent_30_days=total(cost.rent_30_days for cost in costs),
        steps=(),
        use=replace(uses[0], write=total(use.made for use in uses)) if uses else None,
    )
