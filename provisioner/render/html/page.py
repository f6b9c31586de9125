"""
A plan, or what became of it, as one self-contained page.

A plan is a table, the lives of its caches, and what they cost; a result has what did not end
well first.
No script, no font, no picture from anywhere, and a policy in the page that says so.  Light
and dark follow the reader's system; on paper it is black on white.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from provisioner.model.facts import Result
from provisioner.model.plan import Plan
from provisioner.model.stack_settings import SettingEdit
from provisioner.render.difference import differences
from provisioner.render.html.markup import NOTHING, Inner, Markup, tag, together
from provisioner.render.html.rent import rent_chart
from provisioner.render.html.style import STYLE
from provisioner.render.html.timeline import timeline
from provisioner.render.result import OUTCOMES, ResultRow, result_row, tally, tally_line
from provisioner.render.summary import (
    changes_nothing,
    headline,
    leftover_lines,
    migration_line,
    no_changes,
    removals_line,
    rested_line,
    setting_cells,
    validity,
    writes_line,
)
from provisioner.view.limits import limit_sentences
from provisioner.view.money import CostView
from provisioner.view.money_text import (
    cost_sentences,
    cost_text,
    rent_text,
    totals_text,
    unpriced_text,
)
from provisioner.view.plan import PlanView, RowView, by_section
from provisioner.view.units import moment_short

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_COLUMNS = ("Change", "Cache", "Provider and model", "Why", "Size", "Tokens", "Money")
_OUTCOMES = ("Change", "Cache", "Outcome")
_SETTINGS = ("Setting", "Before", "After")
MOST = 2_000
"""So many rows fit into a page that a browser likes; the rest is counted."""


def plan_article(view: PlanView) -> str:
    """The part of a page that shows *view*."""
    rows = [row for row in view.rows if row.is_shown]
    shown = rows[:MOST]
    return str(
        tag(
            "article",
            _head(view),
            *(_section(section.heading, rows) for section, rows in by_section(shown).items()),
            _settings(view.settings),
            tag("p", f"… and {len(rows) - MOST:,} more rows.") if len(rows) > MOST else None,
            _figure("Lives around now", timeline(view.rows, view.at)),
            _figure("Rent per hour", rent_chart(view.rows)),
            _foot(view),
        )
    )


def result_article(plan: Plan, results: Iterable[Result]) -> str:
    """How every pending change of *plan* ended."""
    rows = [result_row(result) for result in results]
    groups = [
        (outcome, [row for row in rows if row.outcome == outcome]) for outcome in reversed(OUTCOMES)
    ]
    return str(
        tag(
            "article",
            tag(
                "header",
                tag("h1", plan.stack),
                tag("p", tally_line(tally(rows)), class_="headline"),
            ),
            *(_results(outcome, group) for outcome, group in groups if group),
            tag("footer", tag("p", "Fingerprint ", tag("code", plan.fingerprint)), class_="quiet"),
        )
    )


def html_document(articles: Sequence[str], *, title: str) -> str:
    """A whole page around *articles*."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        Markup(f"<style>{STYLE}</style>"),
    )
    body = tag("body", tag("main", *map(Markup, articles)))
    return f'<!DOCTYPE html>\n<html lang="en">{head}{body}</html>\n'


def _head(view: PlanView) -> Markup:
    facts = [f"At {moment_short(view.at, at=view.at)} on {view.at:%Y-%m-%d}"]
    if view.commit:
        facts.append(f"commit {view.commit[:12]}")
    if not view.timeless:
        facts.append(validity(view).removesuffix("."))
    return tag(
        "header",
        tag("h1", view.stack),
        tag("p", _headline(view), class_="headline"),
        tag("p", no_changes(view)) if changes_nothing(view) else None,
        tag("p", " · ".join(facts), class_="quiet"),
        tag("p", "A part of the plan, selected by name.", class_="bad") if view.partial else None,
        tag("p", removals) if (removals := removals_line(view)) else None,
        *(tag("p", line) for line in leftover_lines(view)),
        tag("p", migration) if (migration := migration_line(view)) else None,
        tag("p", rested) if (rested := rested_line(view)) else None,
        tag("p", writes, class_="quiet") if (writes := writes_line(view)) else None,
        *(tag("p", sentence, class_="bad") for sentence in limit_sentences(view.limits)),
    )


def _headline(view: PlanView) -> str:
    return " · ".join(filter(None, (headline(view), totals_text(view.totals))))


def _section(heading: str, rows: Sequence[RowView]) -> Markup:
    return tag(
        "section",
        tag("h2", f"{heading} ({len(rows):,})"),
        _table(_COLUMNS, map(_cells, rows)),
    )


def _table(titles: Sequence[str], rows: Iterable[Sequence[Inner]], **attributes: str) -> Markup:
    """A table; on a phone each cell stands on a line of its own, beside its title."""
    lines = (
        tag(
            "tr", *(tag("td", cell, data_is=title) for title, cell in zip(titles, row, strict=True))
        )
        for row in rows
    )
    head = tag("thead", tag("tr", *(tag("th", title, scope="col") for title in titles)))
    return tag("table", head, tag("tbody", *lines), **attributes)


def _settings(edits: Sequence[SettingEdit]) -> Markup | None:
    if not edits:
        return None
    title = tag("h2", f"Settings of the stack ({len(edits):,})")
    return tag("section", title, _table(_SETTINGS, map(setting_cells, edits)))


def _cells(row: RowView) -> tuple[Inner, ...]:
    return (
        tag("span", f"{row.symbol} {row.action}", class_=f"verb {row.tone}"),
        together(tag("b", row.name), _more(row)),
        f"{row.provider} {row.model}",
        row.why,
        row.sizes,
        row.tokens,
        _amounts(row.cost) if row.cost else None,
    )


def _amounts(cost: CostView) -> Markup:
    """Each on one line, a comma after all but the last."""
    amounts = cost_text(cost).split(", ")
    spans = [tag("span", amount, class_="sum") for amount in amounts if amount]
    return Markup(", ".join(map(str, spans)))


def _more(row: RowView) -> Markup:
    lines = [*_attributes(row), *(cost_sentences(row.cost) if row.cost else ())]
    if not lines:
        return NOTHING
    return tag("details", tag("summary", "more"), tag("ul", *(tag("li", line) for line in lines)))


def _attributes(row: RowView) -> Iterator[str]:
    """What differs, of a row that changes something that was there."""
    differing = (
        differences(row.before, row.after) if row.pending and row.before and row.after else ()
    )
    for one in differing:
        yield f"{one.where}: {one.before or 'nothing'} → {one.after or 'nothing'}"


def _figure(title: str, picture: Markup) -> Markup | None:
    return tag("section", tag("h2", title), picture, class_="figure") if picture.text else None


def _foot(view: PlanView) -> Markup:
    lines: Iterable[str] = filter(None, (_rent(view), unpriced_text(view.totals)))
    return tag(
        "footer",
        *(tag("p", line) for line in lines),
        tag("p", "Fingerprint ", tag("code", view.fingerprint)),
        class_="quiet",
    )


def _rent(view: PlanView) -> str:
    return (
        f"Rent when it is done: {rent_text(view.totals)}."
        if view.totals.rent_per_hour_after
        else ""
    )


def _results(outcome: str, rows: Sequence[ResultRow]) -> Markup:
    return tag(
        "section",
        tag("h2", f"{outcome.capitalize()} ({len(rows):,})"),
        _table(_OUTCOMES, map(_result_cells, rows), class_="outcome"),
    )


def _result_cells(row: ResultRow) -> tuple[Inner, ...]:
    verb = tag("span", f"{row.symbol} {row.action}", class_=f"verb {row.tone}")
    return (verb, row.name, row.text)
