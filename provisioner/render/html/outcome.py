"""
What became of a plan, as a part of a page: what did not end well first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from provisioner.model import Plan, Result
from provisioner.render.html.markup import Inner, Markup, tag
from provisioner.render.result import FATES, Ending, ending, tally, tally_line

_COLUMNS = ("Change", "Cache", "Outcome")


def result_article(plan: Plan, results: Iterable[Result]) -> str:
    """How every pending change of *plan* ended."""
    ends = [ending(result) for result in results]
    groups = [(fate, [end for end in ends if end.fate == fate]) for fate in reversed(FATES)]
    return str(
        tag(
            "article",
            tag(
                "header",
                tag("h1", plan.stack),
                tag("p", tally_line(tally(ends)), class_="headline"),
            ),
            *(_section(fate, group) for fate, group in groups if group),
            tag("footer", tag("p", "Fingerprint ", tag("code", plan.fingerprint)), class_="quiet"),
        )
    )


def _section(fate: str, ends: Sequence[Ending]) -> Markup:
    return tag(
        "section",
        tag("h2", f"{fate.capitalize()} ({len(ends):,})"),
        tag(
            "table",
            tag("thead", tag("tr", *(tag("th", name, scope="col") for name in _COLUMNS))),
            tag("tbody", *map(_row, ends)),
            class_="outcome",
        ),
    )


def _row(end: Ending) -> Markup:
    verb = tag("span", f"{end.symbol} {end.action}", class_=f"verb {end.tone}")
    cells: tuple[Inner, ...] = (verb, end.name, end.words)
    return tag(
        "tr", *(tag("td", cell, data_is=name) for name, cell in zip(_COLUMNS, cells, strict=True))
    )
