"""
A plan, and what became of it: on the terminal, and in every requested document.

`-` is standard output, which then carries that document alone; only annotations for GitHub,
which are commands in a log, go beside what people read.  A command imports a format only to
write it: one that writes to a terminal does not wait for five of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

from msgspec import structs

from provisioner.cli import console, terminal
from provisioner.cli.options import GITHUB, STDOUT, Out
from provisioner.environment import process_environment
from provisioner.errors import CtxprovError, Problem
from provisioner.files import read_whole, write_whole
from provisioner.manifest.types import Manifest
from provisioner.model.changes import Change
from provisioner.model.facts import Result
from provisioner.model.money import Cost
from provisioner.model.plan import Plan
from provisioner.model.stack_settings import Breach
from provisioner.planner.transitions import next_refresh, valid_until
from provisioner.pricing.costs import costs, totals, totals_of
from provisioner.pricing.rates import Lookup
from provisioner.view.plan import PlanView, noteworthy, plan_view

Page: TypeAlias = Callable[[str], str]
"""One document of a stack, made on request."""
ProblemPlaces: TypeAlias = Mapping[str, Problem]
"""Where each name of a stack is declared, by paths from the top of the checkout."""
FindPlaces: TypeAlias = Callable[[], ProblemPlaces]
"""Called for annotations alone: to find a place takes time."""

_WIDTH = 100
"""Columns of a text that goes into a file."""


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """A plan with what its views show beside it, made on request."""

    plan: Plan
    prices: Lookup
    writes: tuple[str, ...]
    commit: str | None = None
    timeless: bool = False
    """It compares revisions, so no clock ends it."""
    breaches: tuple[Breach, ...] = ()

    @cached_property
    def whole(self) -> PlanView:
        """For documents."""
        return self._view(self.plan.changes)

    @cached_property
    def short(self) -> PlanView:
        """For a terminal: what stays as it is costs nothing."""
        return self._view(noteworthy(self.plan))

    def _view(self, changes: tuple[Change, ...]) -> PlanView:
        plan, prices = self.plan, self.prices
        paid = costs(structs.replace(plan, changes=changes), prices, at=plan.now)
        is_all = len(changes) == len(plan.changes)
        return plan_view(
            plan,
            changes,
            costs=paid,
            totals=totals(paid) if is_all else totals_of(plan, prices, at=plan.now),
            valid_until=None if self.timeless else valid_until(self.plan),
            next_refresh=None if self.timeless else next_refresh(self.plan),
            timeless=self.timeless,
            commit=self.commit,
            writes=self.writes,
            breaches=self.breaches,
        )


def nowhere() -> ProblemPlaces:
    return {}


def places_of(manifest: Manifest) -> FindPlaces:
    def places() -> ProblemPlaces:
        return {name: here(entry.places[0].problem("")) for name, entry in manifest.caches.items()}

    return places


def here(problem: Problem) -> Problem:
    """The same problem, its file by the path from the top of the checkout."""
    top = process_environment().get("GITHUB_WORKSPACE") or os.getcwd()  # noqa: PTH109  # a text is wanted
    return replace(problem, file=os.path.relpath(problem.file, top).replace(os.sep, "/"))


def show_plan(
    presentation: Presentation, *, colour: bool, verbose: bool = False, recorded: bool = False
) -> None:
    """Write a plan to the terminal."""
    from provisioner.render.plan_table import plan_text

    view = presentation.whole if verbose else presentation.short
    text = plan_text(
        view, width=terminal.width(), colour=colour, verbose=verbose, recorded=recorded
    )
    console.show(text)


def show_results(plan: Plan, results: Iterable[Result], *, colour: bool) -> None:
    """Write how every pending change of *plan* ended to the terminal."""
    from provisioner.render.result import result_text

    if plan.pending:
        console.show(result_text(results, width=terminal.width(), colour=colour))


def plan_page(
    view: Callable[[], PlanView], *, verbose: bool = False, places: FindPlaces = nowhere
) -> Page:
    """A plan as a document; calls *view* and *places* on request."""

    def page(form: str) -> str:
        match form:
            case "text":
                from provisioner.render.plan_table import plan_text

                return plan_text(view(), width=_WIDTH, colour=False, verbose=verbose)
            case "json":
                from provisioner.escape import json_text

                return json_text(view())
            case "markdown":
                from provisioner.render.markdown import plan_markdown

                return plan_markdown(view())
            case "html":
                from provisioner.render.html.page import plan_article

                return plan_article(view())
            case "github":
                from provisioner.render.github import plan_annotations

                return plan_annotations(view(), places())
            case _:
                raise AssertionError(form)

    return page


def result_page(
    plan: Plan, results: Sequence[Result], *, prices: Lookup, places: FindPlaces = nowhere
) -> Page:
    """How every pending change ended, as a document."""

    def paid() -> Iterable[Cost]:
        changes = tuple(result.change for result in results)
        return costs(structs.replace(plan, changes=changes), prices, at=plan.now)

    def page(form: str) -> str:
        match form:
            case "text":
                from provisioner.render.result import result_text

                return result_text(results, width=_WIDTH, colour=False)
            case "json":
                from provisioner.render.result import result_json

                return result_json(plan, results, paid())
            case "markdown":
                from provisioner.render.markdown import result_markdown

                return result_markdown(plan, results)
            case "html":
                from provisioner.render.html.page import result_article

                return result_article(plan, results)
            case "github":
                from provisioner.render.github import result_annotations

                return result_annotations(results, places())
            case _:
                raise AssertionError(form)

    return page


def write(
    outs: Sequence[Out], pages: Sequence[Page], failures: Sequence[CtxprovError] = ()
) -> None:
    """
    Write each requested document; *failures* have a place in annotations alone.

    One that cannot be written keeps no other from it, and undoes nothing that was done.
    """
    for out in outs:
        text = _joined(out.form, [page(out.form) for page in pages])
        if out.form == GITHUB:
            from provisioner.render.github import failure_annotations

            _write(out, text + "".join(failure_annotations(failure, here) for failure in failures))
            _summarise(pages)
        elif pages:
            _write(out, text)


def _joined(form: str, texts: Sequence[str]) -> str:
    """One stack's document is itself; several are one document of their format."""
    match form:
        case "html":
            from provisioner.render.html.page import html_document

            return html_document(texts, title="ctxprov")
        case "github":
            return "".join(texts)
        case "json" if len(texts) > 1:
            import json

            from provisioner.escape import json_text

            return json_text({"format_version": 1, "stacks": [json.loads(text) for text in texts]})
        case "markdown" if len(texts) > 1:
            from provisioner.render.markdown import together

            return together(texts)
        case _:
            return "\n".join(texts)


def _write(out: Out, text: str) -> None:
    if out.path == STDOUT:
        console.document(text, form=out.form)
        return
    try:
        write_whole(Path(out.path), text.encode())
    except OSError as error:
        console.lose(f"{out.path} cannot be written: {error.strerror}.")


def _summarise(pages: Sequence[Page]) -> None:
    """Add the documents to the summary of the workflow's step, where there is one."""
    path = process_environment().get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(page("markdown") for page in pages)
    except OSError as error:
        console.lose(f"The step's summary cannot be written: {error.strerror}.")


def plan_views(file: Path) -> tuple[PlanView, ...]:
    """
    Read the plan in *file*, which may come from a job that is not trusted, or those of several.

    Raises CtxprovError for anything else.
    """
    from provisioner.view.plan_reader import read_plans

    try:
        raw = read_whole(file, follow=True)
    except OSError as error:
        raise CtxprovError(f"{file} cannot be read: {error.strerror}.") from error
    return read_plans(raw, where=str(file))
