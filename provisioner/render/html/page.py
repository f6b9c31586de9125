"""
A plan, or what became of it, as one self-contained page.

A plan is a table, the lives of its caches, and what they cost; a result has what did not end
well first.
No script, no font, no picture from anywhere, and a policy in the page that says so.  Light
and dark follow the reader's system; on paper it is black on white.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioner.model.facts import Result
from provisioner.model.money import Cost
from provisioner.model.plan import Plan
from provisioner.render import summary
from provisioner.render.difference import differences
from provisioner.render.html.charts import rent_chart, timeline
from provisioner.render.html.markup import NOTHING, Inner, Markup, tag, together
from provisioner.render.result import OUTCOMES, ResultRow, result_row, tally, tally_line
from provisioner.view import units
from provisioner.view.plan import PlanView, RowView, by_section
from provisioner.view.wording import limit_sentences

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COLUMNS = ("Change", "Cache", "Provider and model", "Why", "Size", "Tokens", "Money")
_OUTCOMES = ("Change", "Cache", "Outcome")
_SETTINGS = ("Setting", "Before", "After")
MOST = 2_000
"""So many rows fit into a page that a browser likes; the rest is counted."""

_STYLE = """
:root { --back: #fff; --text: #1b1f24; --quiet: #636c76; --line: #d8dee4; --good: #1a7f37;
  --change: #9a6700; --bad: #cf222e; --lived: #c9d1d9; --lives: #2da44e; --window: #d4a72c;
  --fades: #e5534b; --before: #afb8c1; --after: #218bff; }
@media (prefers-color-scheme: dark) { :root { --back: #0d1117; --text: #e6edf3; --quiet: #8d96a0;
  --line: #30363d; --good: #3fb950; --change: #d29922; --bad: #f85149; --lived: #484f58;
  --lives: #2ea043; --window: #bb8009; --fades: #da3633; --before: #6e7681; --after: #388bfd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text);
  font: 15px/1.45 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 76rem; margin: 0 auto; padding: 1rem; }
article + article { border-top: 2px solid var(--line); margin-top: 2rem; }
h1 { font-size: 1.5rem; margin: .5rem 0 0; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { margin: .3rem 0; }
.headline { font-size: 1.15rem; }
.quiet, .amount, text.tick { color: var(--quiet); fill: var(--quiet); }
.good { color: var(--good); fill: var(--good); }
.change { color: var(--change); fill: var(--change); }
.bad { color: var(--bad); fill: var(--bad); }
.verb { white-space: nowrap; font-weight: 600; }
.sum { white-space: nowrap; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th:nth-child(1) { width: 7rem; }
th:nth-child(2), th:nth-child(3) { width: 17%; }
.outcome th:nth-child(3) { width: auto; }
th:nth-child(5), th:nth-child(6) { width: 7.5rem; }
th:nth-child(7) { width: 11rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0;
  border-bottom: 1px solid var(--line); }
th { color: var(--quiet); font-weight: 600; font-size: .85rem; }
td:nth-child(5), td:nth-child(6), td:nth-child(7) { font-variant-numeric: tabular-nums; }
details { color: var(--quiet); font-size: .85rem; }
summary { cursor: pointer; }
ul { margin: .2rem 0; padding-left: 1.1rem; }
code { font-size: .85rem; }
svg { display: block; overflow: hidden; }
svg text { font: 13px system-ui, sans-serif; fill: var(--text); }
svg text.name { font-weight: 600; }
svg text.quiet { fill: var(--quiet); }
svg text.good { fill: var(--good); }
svg text.change { fill: var(--change); }
svg text.bad { fill: var(--bad); }
svg text.tick, svg text.amount { font-size: 11px; fill: var(--quiet); }
svg text.now { font-size: 11px; font-weight: 600; }
line.tick { stroke: var(--line); }
line.now { stroke: var(--text); stroke-dasharray: 3 3; }
.lived { fill: var(--lived); background: var(--lived); }
.lives { fill: var(--lives); background: var(--lives); }
.window { fill: var(--window); background: var(--window); }
.fades { fill: var(--fades); background: var(--fades); }
.before { fill: var(--before); background: var(--before); }
.after { fill: var(--after); background: var(--after); }
.legend { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .85rem;
  color: var(--quiet); }
.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px;
  vertical-align: -1px; }
footer { margin-top: 1.4rem; font-size: .9rem; }
@media (max-width: 46rem) {
  thead { position: absolute; left: -9999px; }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line); }
  td { display: flex; gap: .6rem; border: 0; padding: .1rem 0; }
  td::before { content: attr(data-is); flex: 0 0 6.5rem; color: var(--quiet); font-size: .85rem; }
  td:empty { display: none; }
  td > details { flex: 1; }
}
@media print { :root { --back: #fff; --text: #000; --quiet: #444; --line: #999; }
  tr, svg g { break-inside: avoid; } * { print-color-adjust: exact; }
  main { max-width: none; padding: 0; } }
"""
"""One sheet: light and dark, wide and narrow, screen and paper."""


def plan_article(view: PlanView) -> str:
    """The part of a page that shows *view*."""
    rows = [row for row in view.rows if row.is_shown]
    shown = rows[:MOST]
    sections = [
        _section(section.heading, _COLUMNS, map(_cells, group))
        for section, group in by_section(shown).items()
    ]
    settings = map(summary.setting_cells, view.settings)
    parts = (
        *sections,
        _section("Settings of the stack", _SETTINGS, settings),
        tag("p", f"… and {len(rows) - MOST:,} more rows.") if len(rows) > MOST else None,
        _figure("Lives around now", timeline(view.rows, view.at)),
        _figure("Rent per hour", rent_chart(view.rows)),
    )
    return str(tag("article", _head(view), *parts, _foot(view)))


def result_article(plan: Plan, results: Iterable[Result]) -> str:
    """How every pending change of *plan* ended."""
    rows = [result_row(result) for result in results]
    headline = tag("p", tally_line(tally(rows)), class_="headline")
    sections = []
    for outcome in reversed(OUTCOMES):
        cells = [_result_cells(row) for row in rows if row.outcome == outcome]
        sections.append(_section(outcome.capitalize(), _OUTCOMES, cells, class_="outcome"))
    footer = tag("footer", tag("p", "Fingerprint ", tag("code", plan.fingerprint)), class_="quiet")
    return str(tag("article", tag("header", tag("h1", plan.stack), headline), *sections, footer))


def html_document(articles: Sequence[str], *, title: str) -> str:
    """A whole page around *articles*."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        Markup(f"<style>{_STYLE}</style>"),
    )
    body = tag("body", tag("main", *map(Markup, articles)))
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _head(view: PlanView) -> Markup:
    facts = [f"At {units.moment_short(view.at, at=view.at)} on {view.at:%Y-%m-%d}"]
    if view.commit:
        facts.append(f"commit {view.commit[:12]}")
    if not view.timeless:
        facts.append(summary.validity(view).removesuffix("."))
    leftover, migration = summary.leftover_lines(view), summary.migration_line(view)
    lines = summary.removals_line(view), *leftover, migration, summary.rested_line(view)
    return tag(
        "header",
        tag("h1", view.stack),
        tag("p", _headline(view), class_="headline"),
        tag("p", summary.no_changes(view)) if summary.changes_nothing(view) else None,
        tag("p", " · ".join(facts), class_="quiet"),
        tag("p", "A part of the plan, selected by name.", class_="bad") if view.partial else None,
        *(tag("p", line) for line in lines if line),
        tag("p", writes, class_="quiet") if (writes := summary.writes_line(view)) else None,
        *(tag("p", sentence, class_="bad") for sentence in limit_sentences(view.limits)),
    )


def _headline(view: PlanView) -> str:
    return " · ".join(filter(None, (summary.headline(view), units.totals_text(view.totals))))


def _section(
    heading: str, titles: Sequence[str], rows: Iterable[Sequence[Inner]], **attributes: str
) -> Markup | None:
    """A table, if it has rows; on a phone each cell stands on a line of its own."""
    lines = [
        tag(
            "tr", *(tag("td", cell, data_is=title) for title, cell in zip(titles, row, strict=True))
        )
        for row in rows
    ]
    head = tag("thead", tag("tr", *(tag("th", title, scope="col") for title in titles)))
    table = tag("table", head, tag("tbody", *lines), **attributes)
    return tag("section", tag("h2", f"{heading} ({len(lines):,})"), table) if lines else None


def _cells(row: RowView) -> tuple[Inner, ...]:
    return (
        tag("span", f"{row.symbol} {row.action}", class_=f"verb {row.tone}"),
        together(tag("b", row.name), _more(row)),
        f"{row.provider} {row.model}",
        row.why,
        row.sizes,
        row.tokens,
        _amounts(row.cost),
    )


def _amounts(cost: Cost | None) -> Markup:
    """Each on one line, a comma after all but the last."""
    amounts = units.cost_text(cost).split(", ")
    spans = [tag("span", amount, class_="sum") for amount in amounts if amount]
    return Markup(", ".join(map(str, spans)))


def _more(row: RowView) -> Markup:
    """What differs, of a row that changes something that was there, and what it costs."""
    lines: list[str] = []
    if row.pending and row.before and row.after:
        differing = differences(row.before, row.after)
        lines += (
            f"{one.where}: {one.before or 'nothing'} → {one.after or 'nothing'}"
            for one in differing
        )
    lines += units.cost_sentences(row.cost)
    if not lines:
        return NOTHING
    return tag("details", tag("summary", "more"), tag("ul", *(tag("li", line) for line in lines)))


def _figure(title: str, picture: Markup) -> Markup | None:
    return tag("section", tag("h2", title), picture, class_="figure") if picture.text else None


def _foot(view: PlanView) -> Markup:
    totals = view.totals
    rent = units.rent_text(totals) if totals.rent_per_hour_after else ""
    lines = rent and f"Rent when it is done: {rent}.", units.unpriced_text(totals)
    return tag(
        "footer",
        *(tag("p", line) for line in lines if line),
        tag("p", "Fingerprint ", tag("code", view.fingerprint)),
        class_="quiet",
    )


def _result_cells(row: ResultRow) -> tuple[Inner, ...]:
    verb = tag("span", f"{row.symbol} {row.action}", class_=f"verb {row.tone}")
    return (verb, row.name, row.text)
