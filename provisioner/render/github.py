"""
A plan, its outcome or what is wrong with a manifest as annotations of a GitHub workflow.

GitHub reads commands from the log, a line each, and shows ten of a kind for each step; so the
rest is counted.  A name or a message cannot end its line, nor begin a command of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal, TypeAlias

from msgspec import Struct

from provisioner.errors import CtxprovError, ManifestError, Problem
from provisioner.escape import command
from provisioner.model.changes import Cause
from provisioner.model.facts import Result
from provisioner.render.result import result_row
from provisioner.view.limits import BrokenLimit
from provisioner.view.plan import PlanView, RowView

Level: TypeAlias = Literal["error", "warning", "notice"]
Spots: TypeAlias = Mapping[str, Problem]
"""Where each name is declared; only the places of these problems count."""

MOST = 10
"""GitHub shows no more of one level for each step."""


class WorkflowAnnotation(Struct, frozen=True, kw_only=True):
    """One message, at a place if it has one.  Its texts are foreign."""

    level: Level
    title: str
    message: str
    spot: Problem | None = None


def plan_annotations(view: PlanView, spots: Spots) -> str:
    """A line for each edit, drift and refusal, at the entry it is about."""
    refused = (_of_limit(limit) for limit in view.limits if limit.refused)
    rows = (_of_row(row, spots) for row in view.rows if row.is_shown)
    return _lines([*refused, *filter(None, rows)])


def result_annotations(results: Iterable[Result], spots: Spots) -> str:
    """A line for each change that did not end well."""
    rows = map(result_row, results)
    return _lines(
        WorkflowAnnotation(
            level="error" if row.outcome == "failed" else "warning",
            title=f"{row.name}: {row.action} {row.outcome}",
            message=row.text,
            spot=spots.get(row.name),
        )
        for row in rows
        if row.outcome != "done"
    )


def failure_annotations(error: CtxprovError, here: Callable[[Problem], Problem]) -> str:
    """
    A line for each thing that is wrong with a manifest, or one for any other failure.

    *here* spells a place as GitHub knows it.
    """
    match error:
        case ManifestError(problems=problems):
            return _lines(_of_problem(here(problem)) for problem in problems)
        case _:
            return _lines([WorkflowAnnotation(level="error", title="ctxprov", message=str(error))])


def _of_problem(problem: Problem) -> WorkflowAnnotation:
    title = problem.where or "ctxprov"
    return WorkflowAnnotation(level="error", title=title, message=problem.sentence, spot=problem)


def _of_limit(limit: BrokenLimit) -> WorkflowAnnotation:
    return WorkflowAnnotation(level="error", title=f"limits.{limit.limit}", message=limit.why)


def _of_row(row: RowView, spots: Spots) -> WorkflowAnnotation | None:
    level = _level(row)
    if level is None:
        return None
    title = f"{row.name}: {row.action}"
    return WorkflowAnnotation(level=level, title=title, message=row.why, spot=spots.get(row.name))


def _level(row: RowView) -> Level | None:
    match row.action, row.cause:
        case "blocked", _:
            return "error"
        case _, Cause.EDIT if row.pending:
            return "notice"
        case _, Cause.DRIFT:
            return "warning"
        case _:
            return None


def _lines(annotations: Iterable[WorkflowAnnotation]) -> str:
    order: Sequence[Level] = ("error", "warning", "notice")
    by_level = sorted(annotations, key=lambda annotation: order.index(annotation.level))
    groups = groupby(by_level, key=lambda annotation: annotation.level)
    return "".join(line for level, group in groups for line in _group(level, list(group)))


def _group(level: Level, group: Sequence[WorkflowAnnotation]) -> Iterator[str]:
    shown = group if len(group) <= MOST else group[: MOST - 1]
    yield from map(_line, shown)
    if len(shown) < len(group):
        more = f"… and {len(group) - len(shown):,} more; the plan has all of them."
        yield _line(WorkflowAnnotation(level=level, title="ctxprov", message=more))


def _line(one: WorkflowAnnotation) -> str:
    properties = {"title": _property(one.title)}
    if one.spot:
        properties = {
            "file": _property(one.spot.file),
            "line": str(one.spot.line),
            "col": str(one.spot.column),
            **properties,
        }
    listed = ",".join(f"{key}={value}" for key, value in properties.items())
    return f"::{one.level} {listed}::{command(one.message)}\n"


def _property(text: str) -> str:
    return command(text).replace(":", "%3A").replace(",", "%2C")
