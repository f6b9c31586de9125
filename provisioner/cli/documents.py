"""
A plan, a result or a failure as a document of whichever format was asked for.

Imported only once one is: who looks at a terminal need not wait for five formats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from provisioner.cli.spots import Spotter, here
from provisioner.errors import CtxprovError
from provisioner.escape import json_text
from provisioner.model import Plan, Result
from provisioner.model.money import Cost
from provisioner.render.document import plan_json
from provisioner.render.github import failure_annotations, plan_annotations, result_annotations
from provisioner.render.html import html_document, plan_article, result_article
from provisioner.render.markdown import plan_markdown, result_markdown, together
from provisioner.render.plan_table import plan_text
from provisioner.render.result import result_json, result_text
from provisioner.view.plan import PlanView

_WIDTH = 100
"""Columns of a text that goes into a file."""


def plan_document(form: str, *, view: Callable[[], PlanView], verbose: bool, spots: Spotter) -> str:
    """A plan in *form*."""
    match form:
        case "text":
            return plan_text(view(), width=_WIDTH, colour=False, verbose=verbose)
        case "json":
            return plan_json(view())
        case "markdown":
            return plan_markdown(view())
        case "html":
            return plan_article(view())
        case "github":
            return plan_annotations(view(), spots())
        case _:
            raise AssertionError(form)


def result_document(
    form: str,
    *,
    told: Plan,
    results: Sequence[Result],
    paid: Callable[[], Iterable[Cost]],
    spots: Spotter,
) -> str:
    """How every pending change of *told* ended, in *form*."""
    match form:
        case "text":
            return result_text(results, width=_WIDTH, colour=False)
        case "json":
            return result_json(told, results, paid())
        case "markdown":
            return result_markdown(told, results)
        case "html":
            return result_article(told, results)
        case "github":
            return result_annotations(results, spots())
        case _:
            raise AssertionError(form)


def one_document(form: str, texts: Sequence[str]) -> str:
    """One stack's document is itself; several are one document of their format."""
    match form:
        case "html":
            return html_document(texts, title="ctxprov")
        case "github":
            return "".join(texts)
        case "json" if len(texts) > 1:
            return json_text({"format_version": 1, "stacks": [json.loads(text) for text in texts]})
        case "markdown" if len(texts) > 1:
            return together(texts)
        case _:
            return "\n".join(texts)


def failures_annotated(failures: Iterable[CtxprovError]) -> str:
    """What stopped a stack before there was a plan, for GitHub."""
    return "".join(failure_annotations(failure, here) for failure in failures)
