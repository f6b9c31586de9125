"""
A plan, and what became of it: on the terminal, and in every requested document.

`-` is standard output, which then carries that document alone; only annotations for GitHub,
which are commands in a log, go beside what people read.  A command imports a format only to
write it: one that writes to a terminal does not wait for five of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from msgspec import Struct, field, structs

from provisioner import runtime
from provisioner.cli import console, terminal
from provisioner.cli.options import GITHUB, STDOUT, Out, takes_stdout, with_json
from provisioner.environment import process_environment
from provisioner.errors import CtxprovError, Problem
from provisioner.files import write_whole
from provisioner.manifest.types import Manifest
from provisioner.model.facts import Result
from provisioner.model.plan import Plan
from provisioner.model.rates import Lookup
from provisioner.view.plan import PlanView, Presentation

if TYPE_CHECKING:
    from provisioner.operations.decision import Decision

Page: TypeAlias = Callable[[str], str]
"""One document of a stack, made on request."""
ProblemPlaces: TypeAlias = Mapping[str, Problem]
"""Where each name of a stack is declared, by paths from the top of the checkout."""

_WIDTH = 100
"""Columns of a text that goes into a file."""
_CELLS = 40
"""Columns of a bar."""
_PULSE = 0.1
"""Seconds that a line may wait for others."""


class Output(Struct, frozen=True, kw_only=True):
    """Where a command shows what it does: the terminal, and each document that is asked for."""

    outs: tuple[Out, ...] = ()
    colour: bool = False
    verbose: bool = False
    pages: list[Page] = field(default_factory=list)
    failures: list[CtxprovError] = field(default_factory=list)
    """What has a place in annotations alone."""

    @classmethod
    def of(cls, given: dict[str, Any]) -> Self:
        """Take the options of output out of *given*."""
        outs, as_json = given.pop("outs", ()), given.pop("as_json", False)
        return cls(
            outs=with_json(outs, as_json=as_json),
            colour=terminal.wants_colour(given.pop("colour", None)),
            verbose=given.pop("verbose", False),
        )

    @property
    def is_quiet(self) -> bool:
        """Whether a document takes standard output, so that nothing else may go there."""
        return takes_stdout(self.outs)

    def add_json(self, text: str) -> None:
        """Add a document that has no other format."""
        self.pages.append(lambda _: text)

    def show(self, text: str) -> None:
        """Write *text* to the terminal, unless a document takes standard output."""
        if not self.is_quiet:
            console.show(text)

    def write(self) -> None:
        """Write each requested document."""
        if self.pages or self.failures:
            write(self.outs, self.pages, self.failures)


def _places(manifest: Manifest | None) -> ProblemPlaces:
    """For annotations alone: to find a place takes time."""
    caches = manifest.caches if manifest else {}
    return {name: here(entry.places[0].problem("")) for name, entry in caches.items()}


def here(problem: Problem) -> Problem:
    """The same problem, its file by the path from the top of the checkout."""
    top = process_environment().get("GITHUB_WORKSPACE") or os.curdir
    return structs.replace(problem, file=os.path.relpath(problem.file, top).replace(os.sep, "/"))


def show_plan(presentation: Presentation, output: Output, *, recorded: bool = False) -> None:
    """Write a plan to the terminal, unless a document takes standard output."""
    from provisioner.render.plan_table import plan_text

    if output.is_quiet:
        return
    view = presentation.whole if output.verbose else presentation.short
    width, colour = terminal.width(), output.colour
    text = plan_text(view, width=width, colour=colour, verbose=output.verbose, recorded=recorded)
    console.show(text)


class TerminalView(Struct, frozen=True, kw_only=True):
    """A run on the terminal and in its documents."""

    output: Output
    prices: Lookup
    manifest: Manifest | None = None
    """None where what is on record is compared."""

    def show_plan(self, decision: Decision) -> None:
        writes = decision.request.location.writes
        shown = Presentation(plan=decision.plan, prices=self.prices, writes=writes)
        brief = structs.replace(self.output, verbose=False)
        show_plan(shown, brief, recorded=self.manifest is None or bool(decision.undone))

    @contextmanager
    def progress(self, plan: Plan) -> Iterator[Callable[[Result], None]]:
        """Follow an apply: a bar on a terminal, a line for each finished change elsewhere."""
        if self.output.is_quiet:
            yield lambda _: None
        elif plan.pending and terminal.is_interactive():
            begun, total, done = runtime.SYSTEM.monotonic(), len(plan.pending), list[Result]()

            def line() -> str:
                full = _CELLS * len(done) // total
                bar = "█" * full + "░" * (_CELLS - full)
                return (
                    f"Applying {bar} {len(done)}/{total} {runtime.SYSTEM.monotonic() - begun:.0f}s"
                )

            with console.moving(line):
                yield done.append
        else:
            with _lines(self.output) as show:
                yield show

    def show_results(self, plan: Plan, results: Sequence[Result]) -> None:
        page = _result_page(plan, results, prices=self.prices, manifest=self.manifest)
        self.output.pages.append(page)
        if plan.pending and not self.output.is_quiet:
            from provisioner.render.result import result_text

            width, colour = terminal.width(), self.output.colour
            console.show(result_text(results, width=width, colour=colour))


@contextmanager
def _lines(output: Output) -> Iterator[Callable[[Result], None]]:
    """Show those of one pulse together: each time, three threads take turns."""
    import asyncio

    from provisioner.render.result import result_line

    shown: dict[str, str] = {}
    lines: list[str] = []

    def flush() -> None:
        if lines:
            console.progress("".join(lines))
            lines.clear()

    def show(result: Result) -> None:
        if not lines:
            asyncio.get_running_loop().call_later(_PULSE, flush)
        lines.append(f"{result_line(result, colour=output.colour, shown=shown)}\n")

    try:
        yield show
    finally:
        flush()


def plan_page(
    view: Callable[[], PlanView], *, verbose: bool = False, manifest: Manifest | None = None
) -> Page:
    """A plan as a document; calls *view* on request."""

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

                return plan_annotations(view(), _places(manifest))
            case _:
                raise AssertionError(form)

    return page


def _result_page(
    plan: Plan, results: Sequence[Result], *, prices: Lookup, manifest: Manifest | None
) -> Page:
    """How every pending change ended, as a document."""

    def page(form: str) -> str:
        match form:
            case "text":
                from provisioner.render.result import result_text

                return result_text(results, width=_WIDTH, colour=False)
            case "json":
                from provisioner.render.result import result_json
                from provisioner.view.result import result_costs

                return result_json(plan, results, result_costs(plan, results, prices))
            case "markdown":
                from provisioner.render.markdown import result_markdown

                return result_markdown(plan, results)
            case "html":
                from provisioner.render.html.page import result_article

                return result_article(plan, results)
            case "github":
                from provisioner.render.github import result_annotations

                return result_annotations(results, _places(manifest))
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
        write_whole(Path(out.path), text.encode(), runtime.SYSTEM)
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
